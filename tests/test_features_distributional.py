"""Optional group distributional of TEMPORAL, against SciPy, definitions and known distributions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import optional_cases as cases
from feature_cases import smooth
from spinlock.features.temporal import distributional

seeds = st.integers(0, 2**31)


def l_moment(x, order):
    """Of draws from the values, with replacement: expectations of their order statistics."""
    edge = np.arange(len(x) + 1) / len(x)

    def expectation(rank, of):
        return (np.sort(x) * np.diff(stats.beta(rank, of - rank + 1).cdf(edge))).sum()

    terms = (
        (-1) ** k * math.comb(order - 1, k) * expectation(order - k, order) for k in range(order)
    )
    return sum(terms) / order


def anderson_darling(z):
    """int (F - p)^2 / (p (1 - p)) dp, in closed form between the places where F steps."""
    z, n, total = np.sort(z), len(z), -1.0
    below, above = stats.norm.logcdf(z), stats.norm.logsf(z)
    for i in range(n):  # F steps from i/n to (i + 1)/n
        total += ((i / n) ** 2 - ((i + 1) / n) ** 2) * below[i]
        total -= ((1 - i / n) ** 2 - (1 - (i + 1) / n) ** 2) * above[i]
    return math.log10(total + 1e-3)


def separability(z):
    z, n = np.sort(z), len(z)
    return max(
        i / n * (1 - i / n) * (z[:i].mean() - z[i:].mean()) ** 2 / z.var() for i in range(1, n)
    )


def wasserstein(z):
    normal = stats.norm.ppf((np.arange(len(z)) + 0.5) / len(z))
    return math.log10(stats.wasserstein_distance(z, normal) + 1e-3)


def energy_gini(z):
    energy = z**2
    return np.abs(energy[:, None] - energy).mean() / (2 * energy.mean())


def tail_index(z):
    *_, threshold = a = sorted(abs(z), reverse=True)[: round(len(z) / 20) + 1]
    return np.mean([math.log((value + 1e-6) / (threshold + 1e-6)) for value in a[:-1]])


ORACLES = {
    "l_skewness": lambda z: l_moment(z, 3) / l_moment(z, 2),
    "l_kurtosis": lambda z: l_moment(z, 4) / l_moment(z, 2),
    "wasserstein": wasserstein,
    "kolmogorov": lambda z: stats.kstest(z, "norm").statistic,
    "anderson_darling": anderson_darling,
    "separability": separability,
    "energy_gini": energy_gini,
    "tail_index": tail_index,
}


def known(quantile):
    """A field whose values are the quantiles of a distribution, in any order."""
    level = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096
    shuffled = torch.randperm(4096, generator=torch.Generator().manual_seed(3))
    return cases.describe(distributional, quantile(level)[shuffled].reshape(1, 64, 64))


def test_every_column_has_an_oracle():
    assert set(ORACLES) == set(cases.statistics(distributional))


@settings(max_examples=5)
@given(seed=seeds)
def test_columns_are_those_of_the_oracles(seed):
    for kind, u in cases.fields_of_all_kinds(seed).items():
        z = cases.standardized(u[0].numpy()).ravel()
        expected = {name: oracle(z) for name, oracle in ORACLES.items()}
        cases.agree(cases.describe(distributional, u), expected, kind)


def test_l_moments_of_many_copies_are_those_of_scipy():
    """Its estimates are corrected for the size of the sample, which does not matter here."""
    u = smooth(1, (1,), 16).exp()
    copies = np.repeat(u.numpy().ravel(), 2000)
    expected = stats.lmoment(copies, order=[3, 4], standardize=True)
    found = cases.describe(distributional, u)
    assert [found["l_skewness"], found["l_kurtosis"]] == pytest.approx(expected, rel=1e-4)


def test_gaussian_values_are_gaussian():
    found = known(torch.special.ndtri)
    assert found["l_skewness"] == pytest.approx(0, abs=1e-9)
    assert found["l_kurtosis"] == pytest.approx(0.1226, abs=2e-3)  # Hosking 1990
    assert found["wasserstein"] == pytest.approx(-3, abs=0.2)
    assert found["anderson_darling"] == pytest.approx(-3, abs=0.1)
    assert found["kolmogorov"] < 1e-3
    assert found["separability"] == pytest.approx(2 / math.pi, abs=1e-3)


def test_uniform_values_have_l_moments_of_zero():
    found = known(lambda level: level)
    assert found["l_skewness"] == pytest.approx(0, abs=1e-9)
    assert found["l_kurtosis"] == pytest.approx(0, abs=1e-6)
    assert found["separability"] == pytest.approx(0.75, abs=1e-6)
    assert found["wasserstein"] > -1.1


def test_exponential_values_have_the_l_moments_of_hosking():
    found = known(lambda level: -(-level).log1p())
    assert found["l_skewness"] == pytest.approx(1 / 3, abs=2e-3)
    assert found["l_kurtosis"] == pytest.approx(1 / 6, abs=2e-3)


def test_two_phases_are_separable_wherever_the_level_is():
    found = known(lambda level: (level > 0.8).double())
    assert found["separability"] == pytest.approx(1)
    assert known(lambda level: (level > 0.5).double())["energy_gini"] == pytest.approx(0, abs=1e-9)
    assert known(lambda level: (level > 0.5).double())["l_kurtosis"] == pytest.approx(-0.25)


@pytest.mark.parametrize("exponent", [3, 5])
def test_tail_index_is_that_of_a_pareto_distribution(exponent):
    def pareto(level):
        side = 2 * level - 1
        return side.sign() * (1 - side.abs()) ** (-1 / exponent)

    assert known(pareto)["tail_index"] == pytest.approx(1 / exponent, rel=0.05)


def test_the_laws_hold():
    cases.obeys_its_laws(distributional, 11)


def test_a_finer_grid_changes_nothing_but_the_error_of_sums():
    tolerance = {"l_skewness": 1e-4, "l_kurtosis": 1e-4, "energy_gini": 2e-4}
    tolerance |= {"separability": 2e-3, "kolmogorov": 0.01, "tail_index": 0.015}
    cases.knows_no_grid(distributional, tolerance | {"wasserstein": 0.02, "anderson_darling": 0.02})


def test_gradients_are_those_of_finite_differences():
    cases.has_its_gradients(distributional, smooth(3, (2, 1), 16, reach=3))


def test_what_does_not_vary_has_no_distribution():
    every = set(ORACLES)
    for kind, u in cases.extremes().items():
        none = kind in {"constant", "zero", "not a number", "infinite"}
        assert cases.missing(distributional, u) == (every if none else set()), kind
