"""Operators of equal architecture in one batch do what each does alone, up to rounding."""

from dataclasses import replace

import pytest
import torch

from operator_cases import table, theta
from spinlock import artifacts
from spinlock.refusals import Refusal
from spinlock.rollout import engine, shards, together
from spinlock.rollout.config import Config
from spinlock.rollout.together import TOLERANCE, roll_out_together, structure

POLICIES = ("autoregressive", "residual", "convex")
ONE_STEP = Config(
    steps=1, realizations=2, bound=1e3, store="none", precision="float32", shard_size=1
)
U_AFNO = {"operator_type": "u_afno", "base_channels": 8, "encoder_levels": 1}


def mixed():
    """Both types, twelve operators of seven structures, out of order."""
    alike = [
        theta(update_policy=p, noise_scale=s)
        for p, s in zip(POLICIES, (0.1, 0.5, 1.0), strict=True)
    ]
    shaped = [
        theta(**U_AFNO, update_policy=policy, mode_share=share)
        for policy, share in zip(POLICIES, (1.0, 0.9, 0.2), strict=True)
    ]
    others = [
        theta(noise_type="multiplicative"),
        theta(noise_type="laplace", noise_schedule="periodic"),
        theta(dropout_rate=0.0),
        theta(num_layers=5),
        theta(**U_AFNO, normalization="none", activation="tanh"),
        theta(num_layers=5, update_policy="residual"),
    ]
    trios = zip(alike, shaped, others[:3], strict=True)
    return table(*(row for trio in trios for row in trio), *others[3:])


ELSEWHERE = torch.device("meta")  # stands for a device that this machine may not have


def on_the_cpu(operators, config, device):
    assert device == ELSEWHERE
    return roll_out_together(operators, config, shards.CPU)


def far(first, second):
    """Largest difference, in units of the largest value."""
    return float((first - second).abs().max() / second.abs().max())


def test_together_is_each_alone_after_one_step(device):
    operators = mixed()
    found = roll_out_together(operators, ONE_STEP, device)
    for row, rollout in enumerate(found):
        alone = engine.roll_out(operators, row, ONE_STEP)
        assert rollout.operator == alone.operator == row
        assert torch.equal(rollout.u0, alone.u0)
        assert far(rollout.u, alone.u) < TOLERANCE


def test_a_slow_rollout_stays_together(device):
    slow = table(*(theta(update_policy="residual", dt=0.01, noise_scale=s) for s in (0.1, 0.2)))
    config = replace(ONE_STEP, steps=40)
    for row, rollout in enumerate(roll_out_together(slow, config, device)):
        assert far(rollout.u, engine.roll_out(slow, row, config).u) < TOLERANCE


def test_every_operator_keeps_its_own_numbers(device):
    found = roll_out_together(table(theta(), theta()), ONE_STEP, device)
    assert far(found[0].u, found[1].u) > 0.1


def test_operators_of_one_structure_are_computed_at_once(monkeypatch, device):
    sizes = []
    original = together._roll_out_group

    def counted(group, *arguments):
        sizes.append(len(group))
        return original(group, *arguments)

    monkeypatch.setattr(together, "_roll_out_group", counted)
    roll_out_together(mixed(), ONE_STEP, device)
    # alike: 3; modes 2, 2 and 1 of a bottleneck of 4 cells: 2 + 1; two of five layers
    assert sorted(sizes) == [1, 1, 1, 1, 1, 2, 2, 3]


def test_numbers_do_not_change_the_structure_and_sizes_do():
    operators = table(
        theta(),
        theta(noise_scale=0.7, dropout_rate=0.1, alpha=0.3, spatial_correlation=0.2),
        theta(base_channels=5),
        theta(activation="relu"),
    )
    found = [structure(engine.build(operators, row, "float32")) for row in range(4)]
    assert found[0] == found[1]
    assert len(set(found)) == 3


@pytest.mark.parametrize("bound", [1e3, 10.0])
def test_divergence_is_marked_as_it_is_alone(device, bound):
    explosive = theta(normalization="none", activation="relu", update_policy="residual", dt=1.0)
    operators = table(explosive, theta(), explosive)
    config = replace(ONE_STEP, steps=20, bound=bound)
    for row, rollout in enumerate(roll_out_together(operators, config, device)):
        alone = engine.roll_out(operators, row, config)
        assert torch.equal(rollout.diverged_at, alone.diverged_at)
        assert torch.equal(rollout.u.isnan(), alone.u.isnan())
    assert (alone.diverged_at > 0).all()


def test_a_key_holds_the_device_and_only_the_cpu_has_bfloat16():
    operators = table(theta())
    (here,), (there,) = (
        shards.plan(operators, ONE_STEP, device) for device in (shards.CPU, ELSEWHERE)
    )
    assert here.key != there.key
    with pytest.raises(Refusal, match="precision: bfloat16 is for runtime.device cpu"):
        shards.plan(operators, replace(ONE_STEP, precision="bfloat16"), ELSEWHERE)


def test_a_shard_of_a_device_holds_what_is_rolled_out_there(tmp_path, monkeypatch):
    operators = table(theta(), theta(base_channels=5))
    config = replace(ONE_STEP, store="all", shard_size=2)
    (shard,) = shards.plan(operators, config)
    found = []
    for name, work in (("alone", shard.work), ("together", replace(shard.work, device=ELSEWHERE))):
        with monkeypatch.context() as patch:
            patch.setattr(shards, "roll_out_together", on_the_cpu)
            shards.compute(work, tmp_path / name)
        with artifacts.reading(tmp_path / name, shards.KIND) as source:
            found.append(torch.from_numpy(source.get("u", "N R T C H W")))
    assert far(*found) < TOLERANCE
