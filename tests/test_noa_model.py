"""The agent: θ as it sees it, the exact policy, and its file."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import evaluation_case
import noa_cases
import operator_cases
import spinlock
from spinlock import params
from spinlock.noa import conditioning, model
from spinlock.noa.config import Config
from spinlock.noa.windows import Given
from spinlock.refusals import Refusal
from spinlock.sampling import space
from spinlock.sampling.table import theta_features

KEYS = {
    "encoder_levels": ("backbone.encoder_levels", 0, "greater than or equal to 1"),
    "kernel": ("backbone.block_kernel", 4, "block_kernel: allowed an odd number, got 4"),
    "groups": ("backbone.mixing_groups", 3, "mixing_groups: allowed a divisor"),
    "dropout": ("backbone.dropout", 1.0, "less than 1"),
    "batch": ("batch_size", 7, "batch_size: allowed a multiple of microbatches = 2, got 7"),
    "alignment": ("alignment.batch_size", 3, "alignment.batch_size: allowed a multiple"),
    "warmup": ("warmup", 8, "warmup: allowed fewer than the 8 updates of the curriculum, got 8"),
    "rate": ("learning_rate", "0.1", "number"),
    "integrator": ("integrator", "euler", "'policy' or 'direct'"),
}


def given(theta: torch.Tensor, policy: torch.Tensor) -> Given:
    return Given(theta=theta, coefficients=policy, context=None, shown=policy)


def u0(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    grid = evaluation_case.GRID
    return torch.randn(count, evaluation_case.CHANNELS, grid, grid, generator=generator)


def test_numeric_columns_are_standardized_on_the_training_operators():
    operators = evaluation_case.table().take(slice(24))
    columns = conditioning.fit(operators)
    _, names, kinds = theta_features(operators)
    found = conditioning.standardized(operators, columns)
    numeric = found[:, [kind == "numeric" for kind in kinds]]
    values = theta_features(operators)[0][:, [kind == "numeric" for kind in kinds]]
    varies = torch.from_numpy(values.std(0) > 0)
    torch.testing.assert_close(numeric.mean(0), torch.zeros(numeric.shape[1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(numeric.std(0, correction=0)[varies], torch.ones(int(varies.sum())))
    choices = found[:, [name.startswith("kernel_size=") for name in names]]
    assert set(choices.unique().tolist()) == {0.0, 1.0}


def test_an_inactive_parameter_is_zero_with_a_flag():
    varying = space.Choice(
        name="update_policy", kind="choice", choices=("residual", "convex"), weights=(1.0, 1.0)
    )
    dt = space.Continuous(name="dt", kind="continuous", low=1e-3, high=1e-1, scale="log")
    dimensions = tuple(
        {"update_policy": varying, "dt": dt}.get(d.name, d) for d in operator_cases.DIMENSIONS
    )
    operators = operator_cases.table(
        operator_cases.theta(update_policy="residual", dt=0.001),
        operator_cases.theta(update_policy="residual", dt=0.1),
        operator_cases.theta(update_policy="convex", dt=0.03),
        dimensions=dimensions,
    )
    columns = conditioning.fit(operators)
    found = conditioning.standardized(operators, columns)
    place, flag = columns.names.index("dt"), columns.names.index("dt.active")
    torch.testing.assert_close(found[:, place], torch.tensor([-1.0, 1.0, 0.0]))
    assert found[:, flag].tolist() == [1.0, 1.0, 0.0]
    assert columns.mean[place] == pytest.approx(-2.0)  # log10, of those in use


def test_operators_of_another_space_are_refused_by_the_names_of_their_columns():
    agent = noa_cases.agent()
    fixed = space.Fixed(name="num_layers", kind="fixed", value=3)
    dimensions = tuple(fixed if d.name == "num_layers" else d for d in operator_cases.DIMENSIONS)
    operators = replace(evaluation_case.table().take([0]), dimensions=dimensions)
    with pytest.raises(Refusal, match="missing \\['num_layers'\\]"):
        agent.rollout(operators, u0(1), 2)


def test_the_policy_is_applied_exactly():
    agent, operators = noa_cases.agent(certainty=False), evaluation_case.table().take([0, 1])
    start = u0(2)
    theta = conditioning.standardized(operators, agent.columns)
    with torch.no_grad():
        output = agent.backbone(start, agent.backbone.condition(agent.embedding(theta)))
    alpha, dt = operators.theta[0].alpha, operators.theta[1].dt
    expected = torch.stack([alpha * start[0] + (1 - alpha) * output[0], start[1] + dt * output[1]])
    torch.testing.assert_close(agent.rollout(operators, start, 1)[:, 0], expected)


def test_direct_integration_predicts_the_field_itself():
    operators, start = evaluation_case.table().take([0, 1]), u0(2)
    agent = noa_cases.agent(integrator="direct", certainty=False)
    theta = conditioning.standardized(operators, agent.columns)
    with torch.no_grad():
        output = agent.backbone(start, agent.backbone.condition(agent.embedding(theta)))
    torch.testing.assert_close(agent.rollout(operators, start, 1)[:, 0], output)


def test_a_rollout_continues_itself():
    agent, operators = aged(noa_cases.agent()), evaluation_case.table().take([0, 1, 2])
    whole = agent.rollout(operators, u0(3), 5)
    rest = agent.rollout(operators, whole[:, 1], 3, age=2)
    torch.testing.assert_close(rest, whole[:, 2:])
    anew = agent.rollout(operators, whole[:, 1], 3)
    assert not torch.allclose(anew, whole[:, 2:])
    one = agent.step_map(operators, 4)(whole[:, 3])
    torch.testing.assert_close(one, whole[:, 4])


def aged(agent: model.Agent) -> model.Agent:
    """The agent with a certainty that depends on θ and age, as after training."""
    with torch.no_grad():
        agent.certainty.linear.weight.normal_(generator=torch.Generator().manual_seed(0))
    return agent


def test_a_rollout_commutes_with_translations_by_the_stride():
    agent, operators = aged(noa_cases.agent()), evaluation_case.table().take([0, 1])
    stride = 2**noa_cases.BACKBONE.encoder_levels
    shift = {"shifts": (stride, -2 * stride), "dims": (-2, -1)}
    moved = agent.rollout(operators, u0(2).roll(**shift), 3)
    expected = agent.rollout(operators, u0(2), 3).roll(**shift)
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=1e-4)


def test_the_public_loader_gives_an_agent_that_rolls_out(tmp_path: Path):
    noa_cases.agent().save(tmp_path / "noa.pt")
    operators = evaluation_case.table().take([3, 4])
    found = spinlock.load_noa(tmp_path / "noa.pt").rollout(operators, u0(2), 5)
    assert found.shape == (2, 5, *u0(2).shape[1:])
    assert not found.requires_grad
    assert torch.equal(found, noa_cases.agent().rollout(operators, u0(2), 5))


def test_theta_matters():
    agent, operators = noa_cases.agent(), evaluation_case.table()
    theta = conditioning.standardized(operators, agent.columns)[:2].requires_grad_()
    policy = torch.tensor([[0.5, 0.5], [1.0, 0.1]])
    agent.unroll(given(theta, policy), u0(2), steps=2, gradient_steps=2).square().sum().backward()
    varies = theta_features(operators)[0].std(0) > 0
    assert (theta.grad.abs().amax(0)[torch.from_numpy(varies)] > 0).all()


def test_the_gradient_is_cut_every_so_many_steps_counted_from_the_end():
    agent, start = noa_cases.agent(), u0(1).requires_grad_()
    theta = torch.zeros(1, len(agent.names))
    policy = torch.tensor([[0.5, 0.5]])
    u = agent.unroll(given(theta, policy), start, steps=3, gradient_steps=2)
    first, last = (torch.autograd.grad(u[:, t].sum(), start, retain_graph=True)[0] for t in (0, 2))
    assert first.abs().max() > 0  # step 1 stands before the cut
    assert last.abs().max() == 0


def test_a_saved_agent_is_the_same_and_its_file_has_the_same_bytes(tmp_path: Path):
    agent, operators = noa_cases.agent(), evaluation_case.table().take([0, 1])
    agent.save(tmp_path / "a.pt")
    again = model.load(tmp_path / "a.pt")
    again.save(tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert again.names == agent.names
    assert torch.equal(again.rollout(operators, u0(2), 2), agent.rollout(operators, u0(2), 2))


def test_bfloat16_stays_close_to_float32():
    exact, fast = noa_cases.agent(), noa_cases.agent(precision="bfloat16")
    operators = evaluation_case.table().take([0, 1])
    a, b = (agent.rollout(operators, u0(2), 1) for agent in (exact, fast))
    assert b.dtype == torch.float32
    torch.testing.assert_close(a, b, atol=0.1, rtol=0.1)
    assert not torch.equal(a, b)


def test_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    first, again = noa_cases.agent(), noa_cases.agent()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    other = model.initialized(noa_cases.CONFIG, first.columns, evaluation_case.CHANNELS, 99)
    assert not torch.equal(other.backbone.stem.weight, first.backbone.stem.weight)


def test_one_backward_pass_reaches_every_parameter():
    agent = noa_cases.agent()
    theta = torch.from_numpy(np.random.default_rng(0).normal(size=(3, len(agent.names)))).float()
    policy = torch.tensor([[0.5, 0.5], [1.0, 0.1], [0.0, 1.0]])
    agent.unroll(given(theta, policy), u0(3), steps=2, gradient_steps=2).square().sum().backward()
    idle = [name for name, p in agent.named_parameters() if not p.grad.abs().max() > 0]
    assert not idle


@pytest.mark.parametrize("case", KEYS)
def test_an_impossible_value_is_refused_by_its_name(case):
    key, value, message = KEYS[case]
    tree = asdict(noa_cases.CONFIG)
    place = tree
    for part in key.split(".")[:-1]:
        place = place[part]
    place[key.split(".")[-1]] = value
    with pytest.raises(Refusal, match=message):
        params.parse("train_noa", {"train_noa": tree}, Config)


def test_the_curriculum_and_alignment_follow_each_other():
    config = noa_cases.CONFIG
    assert [config.horizon(update) for update in range(config.updates)] == [1] * 6 + [3] * 6
    assert config.validations == [2, 4, 6, 8, 10, 12]
    assert replace(config, validate_every=5).validations == [5, 8, 10, 12]


def test_the_rate_warms_up_falls_to_zero_and_starts_again_for_alignment():
    config = noa_cases.CONFIG
    rates = [config.rate(update) for update in range(config.updates)]
    cosine = 3e-3 * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2
    np.testing.assert_allclose(rates[:2], cosine[:2] * [1 / 3, 2 / 3])
    np.testing.assert_allclose(rates[2:8], cosine[2:])
    np.testing.assert_allclose(rates[8:], [1e-3, 7.5e-4, 5e-4, 2.5e-4])


def test_alignment_sees_every_second_of_its_updates():
    config = noa_cases.CONFIG
    assert [u for u in range(config.updates) if config.aligns(u)] == [8, 10]
