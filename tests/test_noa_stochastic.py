"""The stochastic block inside the agent."""

import numpy as np
import pytest
import torch

import evaluation_case
import noa_cases
import operator_cases
from spinlock.noa import stochastic
from spinlock.sampling.table import Operators

GRID = evaluation_case.GRID


def operators(**changes: object) -> Operators:
    return operator_cases.table(operator_cases.theta(**changes), grid_size=GRID)


def field(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_additive_noise_has_the_variance_that_the_operators_have_on_average(kind):
    one = operators(noise_type=kind, noise_scale=0.3, noise_schedule="constant")
    disturb = stochastic.Disturbance(one, 10, 64)
    found = disturb(torch.zeros(64, 3, GRID, GRID), 1)
    assert float(found.std()) == pytest.approx(0.3 * 2**0.5, rel=0.03)
    assert abs(float(found.mean())) < 0.01


def test_multiplicative_noise_leaves_zero_as_it_is_and_channels_in_proportion():
    disturb = stochastic.Disturbance(operators(noise_type="multiplicative", noise_scale=0.5), 10, 8)
    assert (disturb(torch.zeros(8, 3, GRID, GRID), 1) == 0).all()
    ones = torch.ones(8, 3, GRID, GRID) * torch.tensor([1.0, 2, -3])[:, None, None]
    found = disturb(ones, 1)
    torch.testing.assert_close(found[:, 1], 2 * found[:, 0])
    torch.testing.assert_close(found[:, 2], -3 * found[:, 0])


def test_the_schedule_is_thetas():
    one = operators(noise_schedule="annealing", noise_scale=1.0)
    disturb, zero = stochastic.Disturbance(one, 10, 32), torch.zeros(32, 3, GRID, GRID)
    sizes = [float(disturb(zero, step).std()) for step in (1, 5, 10)]
    np.testing.assert_allclose(sizes, np.array([0.9, 0.5, 0.0]) * 2**0.5, rtol=0.05)


def test_members_differ_by_noise_alone_and_are_the_same_every_time():
    agent, table = noa_cases.agent(certainty=False), evaluation_case.table().take([0, 1])
    u0 = field(2, 3, GRID, GRID)
    found = stochastic.ensemble(agent, table, u0, 3, 4)
    assert found.shape == (2, 4, 3, 3, GRID, GRID)
    assert torch.equal(found, stochastic.ensemble(agent, table, u0, 3, 4))
    assert not torch.equal(found[:, 0], found[:, 1])
    alone = stochastic.ensemble(agent, table.take([1]), u0[1:], 3, 4)
    assert torch.equal(alone[0], found[1])


def test_without_noise_every_member_is_the_rollout():
    agent = noa_cases.agent(certainty=False)
    one = operators(noise_scale=1e-7, update_policy="residual", dt=0.1)
    columns = agent.told(evaluation_case.table().take([0]))
    agent.told = lambda theta: columns
    u0 = field(1, 3, GRID, GRID)
    found = stochastic.ensemble(agent, one, u0, 3, 2)
    expected = agent.rollout(one, u0, 3)
    for member in range(2):
        torch.testing.assert_close(found[:, member], expected, atol=1e-4, rtol=1e-4)


def test_an_agent_of_the_next_field_has_noise_of_the_same_size():
    """Where f predicts u_1, noise enters the O(u) that its prediction implies, times dt."""
    u0 = field(1, 3, GRID, GRID)
    spread = {}
    for integrator in ("policy", "direct"):
        agent = noa_cases.agent(certainty=False, integrator=integrator)
        one = operators(noise_scale=0.5, update_policy="residual", dt=0.01)
        columns = agent.told(evaluation_case.table().take([0]))
        agent.told = lambda theta, columns=columns: columns
        spread[integrator] = float(stochastic.ensemble(agent, one, u0, 1, 64)[0].std(0).mean())
    assert spread["policy"] == pytest.approx(0.01 * 0.5 * 2**0.5, rel=0.05)
    assert spread["direct"] == pytest.approx(spread["policy"], rel=0.05)


def test_the_schedule_counts_the_steps_that_a_context_has_shown():
    one = operators(noise_schedule="annealing", noise_scale=1.0)
    late, zero = stochastic.Disturbance(one, 6, 32, seen=4), torch.zeros(32, 3, GRID, GRID)
    whole = stochastic.Disturbance(one, 10, 32)
    assert torch.equal(late(zero, 1), whole(zero, 5))
