"""What the agent is told instead of θ."""

import numpy as np
import torch

import evaluation_case
import noa_cases
from spinlock.evaluation import ablations


def test_everyone_gets_the_theta_of_someone_else_once():
    for count in (2, 3, 50):
        found = ablations.partners(1, count)
        assert sorted(found) == list(range(count))
        assert not (found == np.arange(count)).any()


def test_the_mean_says_the_same_of_all_and_is_the_mean_of_the_training_operators():
    agent, operators = noa_cases.agent(), evaluation_case.table()
    found = ablations.inputs(agent, operators)
    own = agent.told(operators)
    train = operators.rows("train")
    assert (found["no_theta"] == found["no_theta"][0]).all()
    torch.testing.assert_close(found["no_theta"][0], own[train].mean(0))
    assert torch.equal(found["shuffled_theta"].sort(0).values, own.sort(0).values)
    assert not torch.equal(found["shuffled_theta"], own)


def test_an_agent_that_is_told_something_else_predicts_something_else():
    agent, operators = noa_cases.agent(), evaluation_case.table().take([0, 1, 2])
    u0 = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    own = agent.rollout(operators, u0, 2)
    assert torch.equal(agent.rollout(operators, u0, 2, told=agent.told(operators)), own)
    for told in ablations.inputs(agent, operators).values():
        assert not torch.allclose(agent.rollout(operators, u0, 2, told=told), own)
