"""What transitions say about an operator."""

import pytest
import torch

import evaluation_case
import noa_cases
from spinlock.noa import parallel, training, windows
from spinlock.noa.context import ContextEncoder
from spinlock.refusals import Refusal

GRID = evaluation_case.GRID
POLICY = torch.tensor([[1.0, 0.1], [0.3, 0.7]])


def field(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def encoder() -> ContextEncoder:
    torch.manual_seed(0)
    return ContextEncoder(3, 8)


def trajectory(outputs: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Frames of the policies for given outputs of the operators."""
    keep, gain = POLICY[:, :, None, None, None].unbind(1)
    frames = [u]
    for output in outputs.unbind(1):
        frames.append(keep * frames[-1] + gain * output)
    return torch.stack(frames, 1)


def test_the_policy_is_taken_out_exactly():
    """Transitions of two policies that put out the same from the same field say the same."""
    output = field(1, 1, 3, GRID, GRID).expand(2, -1, -1, -1, -1)
    frames = trajectory(output, field(1, 3, GRID, GRID, seed=1).expand(2, -1, -1, -1))
    found = encoder()(frames, POLICY)
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_neither_order_nor_repetition_of_the_transitions_matters():
    """Three equal frames hold one transition twice."""
    frames = field(2, 1, 3, GRID, GRID)
    twice, once = frames.expand(-1, 3, -1, -1, -1), frames.expand(-1, 2, -1, -1, -1)
    layer = encoder()
    torch.testing.assert_close(layer(twice, POLICY), layer(once, POLICY))
    a, b = field(2, 2, 2, 3, GRID, GRID, seed=2).unbind(0)
    there, back = (
        torch.stack([a[:, 0], a[:, 1], a[:, 0]], 1),
        torch.stack([a[:, 1], a[:, 0], a[:, 1]], 1),
    )
    torch.testing.assert_close(layer(there, POLICY), layer(back, POLICY))
    assert not torch.allclose(layer(a, POLICY), layer(b, POLICY))


def test_it_does_not_see_where_things_are():
    frames = field(2, 4, 3, GRID, GRID)
    layer = encoder()
    shifted = layer(frames.roll((2, 4), (-2, -1)), POLICY)  # its stride is 2
    torch.testing.assert_close(layer(frames, POLICY), shifted, atol=1e-5, rtol=1e-4)


def test_another_context_gives_another_rollout_and_a_missing_one_is_refused():
    agent, operators = noa_cases.agent(context_steps=2), evaluation_case.table().take([0, 1])
    context = field(2, 3, 3, GRID, GRID)
    found = agent.rollout(operators, context[:, -1], 2, context)
    other = agent.rollout(operators, context[:, -1], 2, context.roll(1, 0))
    assert not torch.allclose(found, other)
    with pytest.raises(Refusal, match="trained with 2 transitions, got 0"):
        agent.rollout(operators, context[:, -1], 2)
    with pytest.raises(Refusal, match="trained with 0 transitions, got 2"):
        noa_cases.agent().rollout(operators, context[:, -1], 2, context)


def test_an_agent_with_a_context_trains(tmp_path):
    data = noa_cases.data(tmp_path, context_steps=2)
    agent = noa_cases.agent(context_steps=2)
    with parallel.threads(1) as pool:
        history = list(training.fit(agent, data, noa_cases.SEED, pool, None))
    assert history[-1]["latent_loss"] > 0
    assert all(parameter.grad.abs().max() > 0 for parameter in agent.context.parameters())


def test_a_context_of_other_operators_is_read_by_their_policy():
    """Two operators whose trajectories show the same outputs tell the same, whatever their dt."""
    agent = noa_cases.agent(context_steps=1)
    own, other = evaluation_case.table().take([0]), evaluation_case.table().take([1])
    u, output = field(1, 3, GRID, GRID), field(1, 3, GRID, GRID).roll(1, -1)
    found = []
    for shown in (own, other):
        keep, gain = windows.coefficients(shown)[0]
        frames = torch.stack([u, keep * u + gain * output], 1)
        found.append(agent.rollout(own, u, 2, frames, shown_by=shown))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
