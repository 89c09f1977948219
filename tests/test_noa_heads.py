"""The feature heads: what they read, what they learn, and that they travel with the agent."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import evaluation_case
import noa_cases
from spinlock.noa import embedding, heads, model, parallel
from spinlock.noa.config import HeadsConfig
from spinlock.noa.heads import Heads, Inside
from spinlock.noa.model import Agent
from spinlock.refusals import Refusal

CONFIG = HeadsConfig(updates=200, width=16, learning_rate=1e-2, weight_decay=0.0)
DIMS = {"initial": 3, "summary": 4, "temporal": 5}


def inside(count: int, seed: int = 0) -> Inside:
    generator = torch.Generator().manual_seed(seed)
    return Inside(
        bottleneck=5 + 2 * torch.randn(count, 6, 4, generator=generator),
        skips=torch.randn(count, 6, 3, generator=generator),
    )


def built() -> Heads:
    torch.manual_seed(0)
    return Heads((4, 3), DIMS, 16)


def test_each_head_reads_what_it_is_named_for():
    layer, seen = built(), inside(5)
    before = layer(seen)
    assert {name: value.shape for name, value in before.items()} == {
        name: (5, size) for name, size in DIMS.items()
    }
    late = seen.bottleneck.clone()
    late[:, 1:] += 1
    after = layer(replace(seen, bottleneck=late))
    assert torch.equal(after["initial"], before["initial"])
    assert not torch.equal(after["summary"], before["summary"])
    assert torch.equal(after["temporal"], before["temporal"])
    after = layer(replace(seen, skips=seen.skips + 1))
    assert torch.equal(after["summary"], before["summary"])
    assert not torch.equal(after["temporal"], before["temporal"])


def test_what_can_be_read_is_learned_and_what_cannot_is_not():
    layer, seen, unseen = built(), inside(300), inside(100, seed=1)
    noise = torch.randn(400, 5, generator=torch.Generator().manual_seed(2))

    def target(part: Inside, rows: slice) -> dict[str, torch.Tensor]:
        """The first bottleneck; its mean; nothing."""
        first = part.bottleneck[:, 0, :3]
        return {"initial": 10 * first, "summary": part.bottleneck.mean(1), "temporal": noise[rows]}

    heads.fit(layer, seen, target(seen, slice(300)), CONFIG)
    found, wanted = layer(unseen), target(unseen, slice(300, 400))
    scores = {name: heads.r2(found[name].detach(), wanted[name]) for name in DIMS}
    assert scores["initial"] > 0.9
    assert scores["summary"] > 0.9
    assert scores["temporal"] < 0.1


def test_r2_is_one_for_the_truth_and_zero_for_its_mean():
    values = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert heads.r2(values, values) == 1
    assert heads.r2(values.mean(0).expand_as(values), values) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def with_heads(tmp_path_factory) -> tuple[Agent, dict[str, float]]:
    data = noa_cases.data(tmp_path_factory.mktemp("noa"))
    agent = noa_cases.agent(heads=replace(CONFIG, updates=30))
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    with parallel.threads(2) as pool:
        scores = embedding.add_heads(agent, data, noa_cases.SEED, pool)
    assert all(torch.equal(value, agent.state_dict()[name]) for name, value in before.items())
    return agent, scores


def test_the_agent_gets_a_head_for_every_family_and_moves_nothing_else(with_heads):
    agent, scores = with_heads
    assert set(scores) == {f"head_r2_{name}" for name in agent.heads.dims}
    assert all(score <= 1 for score in scores.values())


def test_heads_travel_with_the_agent(with_heads, tmp_path: Path):
    agent, _ = with_heads
    agent.save(tmp_path / "a.pt")
    again = model.load(tmp_path / "a.pt")
    again.save(tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    operators = evaluation_case.table().take([0, 1])
    u0 = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    own, other = (one.embeddings(operators, u0, 8) for one in (agent, again))
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_an_agent_without_heads_says_so():
    operators = evaluation_case.table().take([0])
    with pytest.raises(Refusal, match="trained without heads"):
        noa_cases.agent().embeddings(operators, torch.zeros(1, 3, 16, 16), 2)
