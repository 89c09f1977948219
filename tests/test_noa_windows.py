"""The windows that the agent learns from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import evaluation_case
from spinlock.noa import windows
from spinlock.randomness import stream
from spinlock.refusals import Refusal
from spinlock.rollout.engine import Rollout

COUNT, REALIZATIONS, STEPS = 3, 2, 6


def collected(diverged=None, normalize="increment", context_steps=0) -> windows.Windows:
    """Operator n, realization r, step t holds the number 100 n + 10 r + t everywhere."""
    at = torch.zeros(COUNT, REALIZATIONS, dtype=torch.int64)
    for place, step in (diverged or {}).items():
        at[place] = step
    numbers = [
        100.0 * n + 10.0 * torch.arange(REALIZATIONS)[:, None] + torch.arange(1, STEPS + 1)
        for n in range(COUNT)
    ]
    rollouts = []
    for n, values in enumerate(numbers):
        u = values[..., None, None, None].expand(-1, -1, 1, 2, 2).clone()
        for r in range(REALIZATIONS):
            if at[n, r]:
                u[r, at[n, r] - 1 :] = torch.nan
        u0 = torch.full((1, 2, 2), 100.0 * n)
        rollouts.append(Rollout(operator=n, u0=u0, u=u, diverged_at=at[n]))
    operators = evaluation_case.table().take(slice(COUNT))
    return windows.collect(operators, torch.zeros(COUNT, 1), rollouts, normalize, context_steps)


def test_frame_zero_is_the_initial_condition_of_every_realization():
    found = collected()
    assert found.fields.shape == (COUNT, REALIZATIONS, STEPS + 1, 1, 2, 2)
    assert found.fields[:, :, 0, 0, 0, 0].tolist() == [[0.0, 0.0], [100.0, 100.0], [200.0, 200.0]]
    assert found.steps == STEPS


def test_the_unit_is_the_mean_square_of_what_exists():
    # Increments are 1, but the first of realization 1 is 11.
    expected = ((5 + 1) + (121 + 5)) / 12
    torch.testing.assert_close(collected().scale, torch.full((COUNT, STEPS), expected))
    early = collected({(0, 1): 1}).scale[0]
    torch.testing.assert_close(early, torch.ones(STEPS))  # realization 0 alone
    fields = collected(normalize="field").scale[0]
    values = torch.cat([torch.arange(1.0, 7), torch.arange(11.0, 17)])
    torch.testing.assert_close(fields, values.square().mean().expand(STEPS))


def test_displacements_of_a_walk_grow_linearly_and_those_of_a_drift_quadratically():
    steps, start = torch.arange(1.0, 65), torch.zeros(4, 1, 3, 32, 32)
    noise = torch.randn(4, 64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    walk = torch.cat([start, noise.cumsum(1)], 1)
    torch.testing.assert_close(windows.unit(walk, "displacement"), steps, rtol=0.1, atol=0)
    drift = torch.cat([start, torch.ones_like(noise).cumsum(1)], 1)
    torch.testing.assert_close(windows.unit(drift, "displacement"), steps.square())
    torch.testing.assert_close(windows.unit(drift, "increment"), torch.ones(64))


def test_nothing_changes_costs_one_after_every_number_of_steps():
    u = torch.randn(3, 65, 2, 8, 8, generator=torch.Generator().manual_seed(1)).cumsum(1)
    unit = windows.unit(u, "displacement")
    errors = torch.stack([(u[:, :-t:8] - u[:, t::8]).square().mean() for t in range(1, 65)])
    torch.testing.assert_close(errors / unit, torch.ones(64))


def test_windows_start_after_the_context_which_is_the_beginning_of_their_own_rollout():
    found = collected({(0, 0): 3}, context_steps=2)
    batch = windows.draw([found], 200, 2, 0.3, stream(0, "test"))
    start, seen = batch.start[:, 0, 0, 0] % 100, batch.context[..., 0, 0, 0]
    assert seen.shape == (200, 3)
    assert set((start % 10).tolist()) == {2.0, 3.0, 4.0}
    rollout = batch.target[:, -1, 0, 0, 0] // 10
    assert torch.equal(seen[:, -1] // 10, rollout)
    assert torch.equal(seen[:, -1] % 10, torch.full((200,), 2.0))
    assert (seen[:, 0] % 100 == 0).all()
    assert batch.split(2)[1].context.shape == (100, 3, 1, 2, 2)


def test_windows_come_from_all_sets_that_are_long_enough():
    longer, shorter = collected(), collected()
    shorter = replace(shorter, ids=shorter.ids + 1000, lengths=shorter.lengths.clip(max=2))
    found = windows.draw([longer, shorter], 200, 2, 0.5, stream(0, "test")).ids
    assert set(found.tolist()) == {0, 1, 2, 1000, 1001, 1002}
    found = windows.draw([longer, shorter], 200, 3, 0.5, stream(0, "test")).ids
    assert set(found.tolist()) == {0, 1, 2}


def test_windows_are_consecutive_frames_of_one_realization():
    found = collected()
    batch = windows.draw([found], 64, 3, 0.5, stream(0, "test"))
    start, target = batch.start[:, 0, 0, 0], batch.target[:, :, 0, 0, 0]
    torch.testing.assert_close(batch.ids * 100.0, (start // 100 * 100).double().numpy())
    torch.testing.assert_close(target[:, 1:] - target[:, :-1], torch.ones(64, 2))
    first = target[:, 0] - start
    assert set(first.tolist()) == {1.0, 11.0}  # 11: from u0 into realization 1
    assert len(set(target[:, 0].tolist())) > 10


def test_a_share_of_the_windows_starts_at_the_beginning():
    found = collected()
    for share in (0.0, 0.5, 1.0):
        batch = windows.draw([found], 400, 1, share, stream(1, "test"))
        initial = float((batch.start[:, 0, 0, 0] % 100 == 0).float().mean())
        assert abs(initial - (share + (1 - share) / STEPS)) < 0.08


def test_what_has_diverged_is_never_drawn():
    found = collected({(0, 0): 3, (1, 0): 1, (1, 1): 1})
    batch = windows.draw([found], 200, 2, 0.0, stream(2, "test"))
    assert batch.target.isfinite().all()
    assert set(batch.ids.tolist()) == {0, 2}


def test_a_horizon_that_no_rollout_reaches_is_refused():
    early = {(n, r): 4 for n in range(COUNT) for r in range(REALIZATIONS)}
    with pytest.raises(Refusal, match="no rollout has 4 steps"):
        windows.draw([collected(early)], 8, 4, 0.0, stream(0, "test"))


def test_a_batch_is_a_function_of_its_stream():
    found = collected()
    first, again, other = (
        windows.draw([found], 16, 2, 0.25, stream(0, "test", step=step)) for step in (1, 1, 2)
    )
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, other.target)


def test_parts_put_together_are_the_batch():
    batch = windows.draw([collected()], 8, 2, 0.25, stream(0, "test"))
    parts = batch.split(4)
    assert torch.equal(torch.cat([part.target for part in parts]), batch.target)
    assert torch.equal(torch.cat([part.scale for part in parts]), batch.scale)
    assert np.array_equal(np.concatenate([part.ids for part in parts]), batch.ids)


def test_an_empty_split_is_refused():
    nobody = evaluation_case.table().take([])
    with pytest.raises(Refusal, match="a split is empty"):
        windows.collect(nobody, torch.zeros(0, 1), [], "increment", 0)
