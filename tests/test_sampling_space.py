import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampling_space import choice, config, dimensions, fixed, linear, section
from spinlock.refusals import Refusal
from spinlock.sampling import space
from spinlock.sampling.space import Choice, Continuous, Integer
from spinlock.sampling.theta import RULES

units = st.floats(0, 1, exclude_max=True)
CENTERS = (np.arange(6000) + 0.5) / 6000

U_AFNO = fixed("operator_type", "u_afno")


@given(low=st.integers(-5, 5), width=st.integers(1, 10))
def test_integers_are_equiprobable_and_reach_both_bounds(low, width):
    dimension = Integer(name="num_layers", kind="integer", low=low, high=low + width)
    values, counts = np.unique([dimension.decode(u) for u in CENTERS], return_counts=True)
    assert values.tolist() == list(range(low, low + width + 1))
    assert counts.max() - counts.min() <= 1


def test_choices_have_the_shares_of_their_weights():
    dimension = Choice(
        name="update_policy", kind="choice", choices=("residual", "convex"), weights=(3.0, 1.0)
    )
    decoded = [dimension.decode(u) for u in CENTERS]
    assert decoded.count("residual") == 4500


@given(unit=units)
def test_a_log_dimension_is_linear_in_its_logarithm(unit):
    dimension = Continuous(name="dt", kind="continuous", low=1e-3, high=1e-1, scale="log")
    assert np.log10(dimension.decode(unit)) == pytest.approx(-3 + 2 * unit)


@given(unit=units, scale=st.sampled_from(["linear", "log"]))
def test_continuous_values_stay_in_their_bounds(unit, scale):
    dimension = Continuous(name="dt", kind="continuous", low=1e-3, high=0.1, scale=scale)
    assert 1e-3 <= dimension.decode(unit) <= 0.1


def test_only_varying_dimensions_take_a_coordinate_and_fixed_ones_their_value():
    declared = config().dimensions
    assert len(space.varying(declared)) == 9
    theta = space.decode(declared, np.zeros((1, 9)))[0]
    assert theta.schedule_period == 100.0
    assert isinstance(theta.schedule_period, float)
    assert (theta.num_layers, theta.kernel_size, theta.update_policy) == (2, 3, "residual")
    with pytest.raises(ValueError, match="expected 9 columns, got 8"):
        space.decode(declared, np.zeros((1, 8)))


def test_each_coordinate_moves_its_own_parameter_and_no_other():
    declared = config().dimensions
    free = [d.name for d in space.varying(declared)]
    low = space.decode(declared, np.zeros((1, 9)))[0]
    for index, name in enumerate(free):
        unit = np.zeros((1, 9))
        unit[0, index] = 0.999
        high = space.decode(declared, unit)[0]
        changed = [field for field in RULES if getattr(low, field) != getattr(high, field)]
        assert changed == [name]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (choice("kernel_size", 3, 4), r"kernel_size: expected an odd number in \[1, 31\]; got 4"),
        ({"name": "kernel_size", "kind": "integer", "low": 3, "high": 7}, "kernel_size: declare"),
        (linear("num_layers", 2, 5), "num_layers: whole numbers cannot be continuous"),
        (fixed("num_layers", 2.5), r"num_layers: expected a whole number .* got 2\.5"),
        (linear("dropout_rate", 0, 1), r"dropout_rate: expected a number in \[0, 1\); got 1"),
        (linear("noise_scale", 0, 1), r"noise_scale: expected a number in \(0, 1000\]; got 0"),
        (linear("alpha", 0.5, 1), r"alpha: expected a number in \(0, 1\); got 1"),
        (linear("alpha", 0.9, 0.1), "alpha: low must lie below high, got 0.9 and 0.1"),
        (fixed("activation", "sine"), "activation: expected one of gelu, relu, silu, tanh; got"),
        (choice("activation", "gelu", "gelu"), "activation: choices must be two or more different"),
        (fixed("noise_type", "cauchy"), "noise_type: expected one of gaussian, laplace, mul"),
        (fixed("noise_schedule", "cosine"), "noise_schedule: expected one of constant, anneal"),
        (fixed("operator_type", "fno"), "operator_type: expected one of cnn, u_afno; got 'fno'"),
        (fixed("mode_share", 0), r"mode_share: expected a number in \(0, 1\]; got 0"),
        (linear("encoder_levels", 2, 4), "encoder_levels: whole numbers cannot be continuous"),
        (fixed("update_policy", 3), "update_policy: expected one of autoregressive, residual"),
        (choice("kernel_size", 3, 33), r"odd number in \[1, 31\]; got 33"),
        (
            {
                "name": "update_policy",
                "kind": "choice",
                "choices": ["residual", "convex"],
                "weights": [1],
            },
            "update_policy: weights must be 2 positive numbers with a finite sum, got ",
        ),
        (
            {
                "name": "update_policy",
                "kind": "choice",
                "choices": ["residual", "convex"],
                "weights": [1e308, 1e308],
            },
            "update_policy: weights must be 2 positive numbers with a finite sum, got ",
        ),
    ],
)
def test_an_impossible_dimension_is_refused_by_name(change, sentence):
    with pytest.raises(Refusal, match=sentence):
        config(dimensions=dimensions(change))


def test_missing_unknown_and_repeated_dimensions_are_refused_by_name():
    declared = dimensions()
    with pytest.raises(Refusal, match="dimensions: alpha: missing; declare each of operator_type"):
        config(dimensions=declared[:-1])
    with pytest.raises(Refusal, match="dimensions: depth: unknown dimension; known: operator_type"):
        config(dimensions=[*declared, fixed("depth", 3)])
    with pytest.raises(Refusal, match="dimensions: alpha: declared 2 times"):
        config(dimensions=[*declared, declared[-1]])


def test_a_space_in_which_nothing_varies_is_refused():
    values = {name: 3 for name in RULES} | {
        "alpha": 0.5,
        "dt": 0.1,
        "dropout_rate": 0,
        "mode_share": 1,
    }
    values |= {"spatial_correlation": 0, "update_policy": "residual", "operator_type": "cnn"}
    values |= {"activation": "gelu", "normalization": "none", "noise_type": "gaussian"}
    values |= {"noise_schedule": "constant"}
    with pytest.raises(Refusal, match="at least one must vary"):
        config(dimensions=[fixed(name, value) for name, value in values.items()])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_operators": "512"}, "sample.num_operators: expected a valid integer, got"),
        ({"num_operators": 0}, "sample.num_operators: expected greater than or equal to 1, got 0"),
        ({"block_size": 24}, "block_size: must be a power of two, got 24"),
        ({"split": {"train": 12, "validation": 2, "test": 1}}, r"12 \+ 2 \+ 1 = 15"),
        ({"split": {"train": 14, "validation": 2, "test": 0}}, "sample.split.test: expected great"),
        ({"weights": {"kind": "basis", "num_sets": 21200}}, "Sobol supports 21201 varying"),
        ({"grid_size": 5}, "kernel_size: must fit the grid of 5, got 7"),
        (
            {"grid_size": 36, "dimensions": dimensions(U_AFNO, fixed("encoder_levels", 3))},
            "grid_size: 3 encoder levels need a multiple of 8 and at least 16, got 36",
        ),
        (
            {"grid_size": 8, "dimensions": dimensions(U_AFNO, fixed("encoder_levels", 3))},
            "grid_size: 3 encoder levels need a multiple of 8 and at least 16, got 8",
        ),
        ({"ic_mix": [{"family": "a", "variants": ["x", "x"]}]}, "variant 'x' is named 2 times"),
        ({"blocks": 3}, "sample.blocks: unknown key, did you mean 'block_size'"),
    ],
)
def test_a_wrong_section_is_refused_by_key(changes, sentence):
    with pytest.raises(Refusal, match=sentence):
        config(**changes)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("ic_variants", ["band_limited_hi"], "held_out.ic_variants: 'band_limited_hi' is not"),
        ("ic_variants", ["localized"] * 2, "'localized' is named 2 times"),
        ("update_policies", ["autoregressive"], "'autoregressive' is not in the space; known: res"),
        ("update_policies", ["residual", "convex"], "names every policy, nothing is left"),
        (
            "theta_corner",
            [{"name": "activation", "above": 0.5}],
            "'activation' is not in the space",
        ),
        (
            "theta_corner",
            [{"name": "dt", "above": 1}],
            "theta_corner.0.above: expected less",
        ),
    ],
)
def test_a_held_out_group_that_cannot_be_is_refused(key, value, sentence):
    held_out = section()["held_out"] | {key: value}
    with pytest.raises(Refusal, match=sentence):
        config(held_out=held_out)
