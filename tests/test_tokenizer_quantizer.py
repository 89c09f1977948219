"""Residual quantization of groups: nearest codes, sums of levels, gradients, moving averages."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock.tokenizer.quantizer import ResidualQuantizer, look_up

seeds = st.integers(0, 2**16)


def quantizer(seed: int = 0, sizes=(6, 5), dims=(3, 2), search_width: int = 1, levels=None):
    rng = torch.Generator().manual_seed(seed)
    made = ResidualQuantizer(levels or (len(sizes),) * 3, 4, sizes, dims, search_width)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng)
    for level in range(len(sizes)):
        made.codes(level).data = torch.randn(made.codes(level).shape, generator=rng)
        made.counts(level).fill_(1.0)
    return made


def latents(seed: int, rows: int = 20, groups: int = 3, width: int = 4) -> torch.Tensor:
    return torch.randn(rows, groups, width, generator=torch.Generator().manual_seed(seed))


@given(seed=seeds)
def test_tokens_decode_to_the_quantized_latents(seed):
    made = quantizer(seed)
    found = made(latents(seed))
    torch.testing.assert_close(made.decode(found.tokens), found.latents)


def test_given_tokens_replace_the_nearest():
    made, tokens = quantizer(), torch.ones(20, 3, 2, dtype=torch.int64)
    found = made(latents(1), tokens)
    assert torch.equal(found.tokens, tokens)
    torch.testing.assert_close(found.latents, made.decode(tokens))


def test_rows_and_groups_do_not_see_each_other():
    made, points = quantizer(), latents(1)
    alone = made(points[4:5]).latents
    changed = points.clone()
    changed[:, 1] += 1.0
    torch.testing.assert_close(alone, made(points).latents[4:5])
    torch.testing.assert_close(made(changed).latents[:, [0, 2]], made(points).latents[:, [0, 2]])


def test_one_level_that_spans_the_space_passes_the_gradient_on_unchanged():
    made = quantizer(sizes=(6,), dims=(4,))
    for parameter in (*made.down, *made.up):
        parameter.data = torch.eye(4).expand(3, 4, 4).clone()
    points = latents(1).requires_grad_()
    weights = latents(2)
    (made(points).latents * weights).sum().backward()
    torch.testing.assert_close(points.grad, weights)


def test_commitment_is_the_distance_to_the_codes_and_pulls_towards_them():
    made = quantizer(sizes=(6,), dims=(4,))
    for parameter in (*made.down, *made.up):
        parameter.data = torch.eye(4).expand(3, 4, 4).clone()
    points = latents(1).requires_grad_()
    found = made(points)
    codes = look_up(made.codes(0), found.tokens[..., 0])
    torch.testing.assert_close(found.commitment, (points - codes).square().sum(-1))
    found.commitment.sum().backward()
    torch.testing.assert_close(points.grad, 2 * (points - codes).detach())


def test_codes_converge_to_the_mean_of_the_rows_that_choose_them():
    made = quantizer(sizes=(3,), dims=(4,))
    points = latents(1, rows=30)
    found, weights = made(points), torch.ones(30, 3)
    for _ in range(400):
        made.follow(found, weights, 0.9)
    for group in range(3):
        for code in found.tokens[:, group, 0].unique():
            chosen = found.projected[0][found.tokens[:, group, 0] == code, group]
            torch.testing.assert_close(made.codes(0)[group, code], chosen.mean(0))
            assert float(made.counts(0)[group, code]) == pytest.approx(len(chosen), rel=1e-4)


def test_one_step_is_the_moving_average_of_sums_over_that_of_counts():
    made, points = quantizer(sizes=(3,), dims=(4,)), latents(1)
    old, count = made.codes(0).clone(), made.counts(0).clone()
    found = made(points)
    made.follow(found, torch.ones(20, 3), 0.9)
    chosen = torch.nn.functional.one_hot(found.tokens[..., 0], 3).float()
    sums = torch.einsum("ngk,ngd->gkd", chosen, found.projected[0])
    new_count = 0.9 * count + 0.1 * chosen.sum(0)
    expected = (0.9 * old * count[..., None] + 0.1 * sums) / new_count[..., None]
    torch.testing.assert_close(made.codes(0), expected)
    torch.testing.assert_close(made.counts(0), new_count)


def test_rows_without_weight_move_no_code():
    made, points = quantizer(), latents(1)
    before = made.codes(0).clone()
    made.follow(made(points), torch.zeros(20, 3), 0.9)
    assert torch.equal(made.codes(0), before)


def test_a_code_that_nothing_chooses_for_ever_stays_finite_and_in_its_place():
    made = quantizer(sizes=(3,), dims=(4,))
    made.codes(0).data[:, 0] = 1e3
    found = made(latents(1))
    for _ in range(2000):
        made.follow(found, torch.ones(20, 3), 0.9)
    assert made.codes(0).isfinite().all()
    torch.testing.assert_close(made.codes(0)[:, 0], torch.full((3, 4), 1e3))


def test_only_rare_codes_are_reset_and_onto_rows_of_the_batch():
    made = quantizer(sizes=(3,), dims=(4,))
    made.counts(0)[1, 2] = 0.01
    before, found = made.codes(0).clone(), made(latents(1))
    ((codes, moved),) = made.reset(found, torch.ones(20, 3), 0.5, np.random.default_rng(0))
    assert codes is made.codes(0)
    assert moved.nonzero().tolist() == [[1, 2]]
    same = (made.codes(0) == before).all(-1)
    assert not same[1, 2]
    assert int(same.sum()) == 8
    assert (found.projected[0][:, 1] == made.codes(0)[1, 2]).all(-1).any()


def test_two_rows_are_expected_to_share_more_tokens_the_more_they_share_at_any_scale():
    """Codes at the corners of a simplex, rows on them: every other code is 2 s² farther."""
    made = quantizer(sizes=(4, 4), dims=(4, 4), search_width=4)
    for parameter in (*made.down, *made.up):
        parameter.data = torch.eye(4).expand(3, 4, 4).clone()
    for level, scale in enumerate((1e3, 1.0)):
        made.codes(level).data = scale * torch.eye(4).expand(3, 4, 4).clone()
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, (20, 3, 2), generator=rng)
    found = made(made.decode(tokens).detach())
    assert torch.equal(found.tokens, tokens)
    soft = made.probabilities(found, slice(None), 0.25)
    chosen, other = np.exp([4.0, 0.0]) / (np.exp(4.0) + 3)  # exp(-0 / 0.25) and exp(-1 / 0.25)
    equal, unequal = chosen**2 + 3 * other**2, 2 * chosen * other + 2 * other**2
    shared = (made.flat(tokens)[:, None] == made.flat(tokens)[None]).sum(-1)
    expected = shared * equal + (6 - shared) * unequal
    torch.testing.assert_close(soft @ soft.T, expected.float(), atol=0, rtol=1e-2)
    some = made.probabilities(found, slice(0, 20, 4), 0.25)
    torch.testing.assert_close(some, soft[::4], atol=1e-3, rtol=0)


def test_the_likeliest_code_is_the_nearest_and_all_of_a_token_sum_to_one():
    made, points = quantizer(dims=(4, 4), levels=(2, 1, 2)), latents(1)
    for parameter in (*made.down, *made.up):
        parameter.data = torch.eye(4).expand(len(parameter), 4, 4).clone()
    soft = made.probabilities(made(points), slice(None), 0.25).split([6, 6, 6, 5, 5], 1)
    nearest = made(points).tokens
    assert torch.equal(soft[1].argmax(1), nearest[:, 1, 0])
    assert torch.equal(soft[4].argmax(1), nearest[:, 2, 1])
    for part in soft:
        torch.testing.assert_close(part.sum(1), torch.ones(20))


@pytest.mark.parametrize("codes", [1, 4])
def test_a_token_of_a_single_place_is_shared_alike_by_all(codes):
    made = quantizer(sizes=(codes,), dims=(4,))
    made.codes(0).data = made.codes(0).data[:, :1].expand(3, codes, 4).clone()
    soft = made.probabilities(made(latents(1)), slice(None), 0.25)
    torch.testing.assert_close(soft, torch.full((20, 3 * codes), 1 / codes))
    soft[:, ::codes].sum().backward()
    assert made.codes(0).grad.abs().max() < 1e3


def test_codes_in_one_place_leave_the_choice_between_places_as_soft_as_it_was():
    made = quantizer(sizes=(3,), dims=(4,))
    points, twice = latents(1), quantizer(sizes=(6,), dims=(4,))
    for name in ("down", "up"):
        getattr(twice, name)[0].data = getattr(made, name)[0].data
    near = 1 + 1e-6 * torch.rand(3, 6, 4, generator=torch.Generator().manual_seed(2))
    twice.codes(0).data = made.codes(0).data.repeat(1, 2, 1) * near
    one = made.probabilities(made(points), slice(None), 0.25).unflatten(1, (3, 3))
    two = twice.probabilities(twice(points), slice(None), 0.25).unflatten(1, (3, 2, 3))
    torch.testing.assert_close(two, (one[:, :, None] / 2).expand_as(two), atol=1e-4, rtol=0)


def test_a_far_code_makes_no_two_others_one_place():
    """The choice between two is as soft with a third that is far as without."""
    made, points = quantizer(sizes=(3,), dims=(4,)), latents(1)
    made.codes(0).data[:, 2] = 1e6
    made.codes(0).data[:, 1] = made.codes(0).data[:, 0] + 0.05
    pair = quantizer(sizes=(2,), dims=(4,))
    for name in ("down", "up"):
        getattr(pair, name)[0].data = getattr(made, name)[0].data
    pair.codes(0).data = made.codes(0).data[:, :2].clone()
    soft = made.probabilities(made(points), slice(None), 0.25).unflatten(1, (3, 3))
    two = pair.probabilities(pair(points), slice(None), 0.25).unflatten(1, (3, 2))
    torch.testing.assert_close(soft[:, :, :2], two, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize(("apart", "places"), [(1e-5, 2), (1e-2, 3)])
def test_what_is_one_place_depends_on_how_far_rows_are_spread(scale, apart, places):
    """Two codes about the origin and a third, from which the width is if the two are one place."""
    made = quantizer(sizes=(3,), dims=(4,))
    made.down[0].data = torch.eye(4).expand(3, 4, 4).clone()
    axis = torch.eye(4)[0]
    made.codes(0).data = scale * torch.tensor([0, apart, 2.0])[:, None].repeat(3, 1, 1) * axis
    rows = scale * torch.tensor([-1.0, 1.0])[:, None, None] * torch.eye(4)[1].expand(2, 3, 4)
    soft = made.probabilities(made(rows), slice(None), 1.0)[0, :3].detach()
    margin = 4.0 if places == 2 else apart**2  # of rows beside the first code, deviation 1
    shares = np.exp(-np.array([0, apart**2, 4.0]) / margin)
    np.testing.assert_allclose(soft, shares / shares.sum(), atol=2e-3)


def test_a_row_between_two_codes_has_no_margin():
    """Codes at -1, 1 and 5: rows at 0 choose the first two alike, and the third not at all."""
    made = quantizer(sizes=(3,), dims=(4,))
    made.down[0].data = torch.eye(4).expand(3, 4, 4).clone()
    made.codes(0).data = torch.tensor([-1.0, 1.0, 5.0])[:, None].repeat(3, 1, 1) * torch.eye(4)[0]
    found = made(torch.tensor([0.0, 0.5])[:, None, None] * torch.eye(4)[0].expand(2, 3, 4))
    soft = made.probabilities(found, slice(None), 1.0)
    # margins 0 and 2 by hand, so their mean is 1
    between = np.exp([-1.0, -1.0, -25.0])
    np.testing.assert_allclose(soft[0, :3].detach(), between / between.sum(), atol=1e-6)


def test_how_soft_the_choice_is_has_no_gradient_of_its_own():
    made, points = quantizer(sizes=(5,), dims=(4,)), latents(1)
    found = made(points)
    made.probabilities(found, slice(None), 0.25).square().sum().backward()
    point, codes = found.projected[0].detach(), made.codes(0).detach().requires_grad_()
    distance = (point[:, :, None] - codes).square().sum(-1)
    near = distance.detach().topk(2, largest=False).values
    width = 0.25 * (near[..., 1] - near[..., 0]).mean(0)
    (-distance / width[:, None]).softmax(-1).square().sum().backward()
    torch.testing.assert_close(made.codes(0).grad, codes.grad, rtol=1e-3, atol=1e-5)


def test_decoding_and_a_soft_choice_reach_the_codes_and_straight_through_latents_do_not():
    made = quantizer()
    found = made(latents(1))
    (found.latents.square().sum() + found.commitment.sum()).backward()
    assert all(made.codes(level).grad is None for level in range(2))
    made.decode(found.tokens).square().sum().backward()
    decoded = [made.codes(level).grad.clone() for level in range(2)]
    made.probabilities(made(latents(1)), slice(None), 0.25).square().sum().backward()
    for level, before in enumerate(decoded):
        assert (before != 0).any()
        assert not torch.equal(made.codes(level).grad, before)


def test_bits_are_the_logarithms_of_the_codebook_sizes():
    assert quantizer(sizes=(8, 4), dims=(2, 2)).bits == 15.0
    assert quantizer(sizes=(8, 4), dims=(2, 2), levels=(1, 2, 1)).bits == 11.0


@given(seed=seeds)
def test_a_group_with_fewer_levels_is_coded_as_if_it_were_alone(seed):
    sizes, dims, levels = (6, 5, 4), (3, 3, 3), (3, 1, 2)
    made, points = quantizer(seed, sizes, dims, 4, levels), latents(seed + 1)
    found = made(points)
    for group, depth in enumerate(levels):
        alone = ResidualQuantizer((depth,), 4, sizes[:depth], dims[:depth], 4)
        for level in range(depth):
            place = [group] if level == 0 else made.groups(level).tolist().index(group)
            alone.down[level].data = made.down[level].data[place].reshape(1, 4, 3)
            alone.up[level].data = made.up[level].data[place].reshape(1, 3, 4)
            own = made.codes(level).detach()[place].reshape(1, sizes[level], 3)
            alone.codes(level).data = own.clone()
        one = alone(points[:, [group]])
        assert torch.equal(one.tokens, found.tokens[:, [group], :depth])
        torch.testing.assert_close(one.latents[:, 0], found.latents[:, group])
        torch.testing.assert_close(one.commitment[:, 0], found.commitment[:, group])
        assert (found.tokens[:, group, depth:] == 0).all()


def test_only_the_tokens_of_levels_that_exist_are_given_out_and_they_are_enough():
    made = quantizer(sizes=(6, 5, 4), dims=(3, 3, 3), levels=(3, 1, 2))
    found = made(latents(1)).tokens
    assert made.flat(found).shape == (20, 6)
    assert torch.equal(made.grid(made.flat(found)), found)


def test_rows_move_the_codes_of_groups_that_have_the_level_and_no_others():
    made, points = quantizer(levels=(2, 1, 2)), latents(1)
    found, weights = made(points), torch.ones(20, 3)
    before = made.codes(1).clone()
    weights[:, 1] = 0.0
    made.follow(found, weights, 0.9)
    assert not torch.equal(made.codes(1)[0], before[0])
    assert made.codes(1).shape[0] == 2
    chosen = (found.tokens[:, 2, 1] == 0).float().sum()
    assert float(made.counts(1)[1, 0]) == pytest.approx(0.9 + 0.1 * float(chosen), rel=1e-5)
