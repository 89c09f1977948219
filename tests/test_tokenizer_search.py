"""Beam search with tables: nearest codes, best sums, and the same as the search on residuals."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock.tokenizer import search as search_module
from spinlock.tokenizer.quantizer import Beam, look_up

seeds = st.integers(0, 2**16)


def latents(seed: int, rows: int = 20, groups: int = 3, width: int = 4) -> torch.Tensor:
    return torch.randn(rows, groups, width, generator=torch.Generator().manual_seed(seed))


def costs(
    points: torch.Tensor, codebooks: list[torch.Tensor], tokens: torch.Tensor
) -> torch.Tensor:
    chosen = [look_up(codes, tokens[..., level]) for level, codes in enumerate(codebooks)]
    return (points - torch.stack(chosen).sum(0)).square().sum(-1)


def search(points: torch.Tensor, codebooks: list[torch.Tensor], width: int) -> torch.Tensor:
    """All groups have all levels."""
    everyone = torch.arange(points.shape[1])
    return search_module.search(points, codebooks, [everyone] * len(codebooks), width)


def books(seed: int, sizes: tuple[int, ...]) -> list[torch.Tensor]:
    return [latents(seed + i, 3, k).transpose(0, 1).reshape(3, k, 4) for i, k in enumerate(sizes)]


@given(seed=seeds)
def test_of_one_level_the_nearest_code_is_chosen(seed):
    points, codebooks = latents(seed), books(seed + 1, (7,))
    every = (points[:, :, None] - codebooks[0]).square().sum(-1)
    chosen = search(points, codebooks, 1)
    torch.testing.assert_close(costs(points, codebooks, chosen), every.amin(-1))


@given(seed=seeds)
def test_with_width_one_each_level_takes_the_code_nearest_to_the_residual(seed):
    residual, codebooks = latents(seed), books(seed + 1, (5, 6, 4))
    chosen = search(residual, codebooks, 1)
    for level, codes in enumerate(codebooks):
        nearest = (residual[:, :, None] - codes).square().sum(-1).argmin(-1)
        assert torch.equal(chosen[..., level], nearest)
        residual = residual - look_up(codes, nearest)


@given(seed=seeds)
def test_a_search_as_wide_as_there_are_sums_finds_the_best_of_all(seed):
    points, codebooks = latents(seed), books(seed + 1, (4, 3))
    sums = codebooks[0][:, :, None] + codebooks[1][:, None]
    best = (points[:, :, None] - sums.flatten(1, 2)).square().sum(-1).amin(-1)
    found = costs(points, codebooks, search(points, codebooks, 12))
    torch.testing.assert_close(found, best)
    greedy = costs(points, codebooks, search(points, codebooks, 1))
    assert (found <= greedy + 1e-5).all()
    assert (found < greedy - 1e-5).any()


@given(seed=seeds, width=st.integers(1, 9))
def test_tables_find_the_sums_that_the_search_on_residuals_finds(seed, width):
    points, codebooks = latents(seed), books(seed + 1, (5, 6, 4, 3))
    beam = Beam.of(points)
    for codes in codebooks:
        beam = beam.extend(codes, width)
    found = costs(points, codebooks, search(points, codebooks, width))
    on_residuals = costs(points, codebooks, beam.tokens[:, :, 0].transpose(0, 1))
    torch.testing.assert_close(found, on_residuals, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("width", [1, 4])
def test_blocks_of_rows_change_nothing(monkeypatch, width):
    points, codebooks = latents(1, rows=50), books(2, (7, 5))
    whole = search(points, codebooks, width)
    monkeypatch.setattr(search_module, "BLOCK", 100)
    assert torch.equal(search(points, codebooks, width), whole)


def test_places_that_do_not_fit_beside_a_cost_are_not_cut_off():
    points, codebooks = latents(1, rows=50), books(2, (300, 400))
    best = (points[:, :, None] - codebooks[0]).square().sum(-1).argmin(-1)
    assert torch.equal(search(points, codebooks[:1], 1)[..., 0], best)
    wide = search(points, codebooks, 20)
    assert (
        costs(points, codebooks, wide)
        <= costs(points, codebooks, search(points, codebooks, 1)) + 1e-5
    ).all()
    assert int(wide.max()) > 255


@given(seed=seeds)
def test_groups_of_unequal_depth_are_searched_as_if_alone(seed):
    points, codebooks = latents(seed), books(seed + 1, (6, 5, 4))
    members = [torch.tensor([0, 1, 2]), torch.tensor([0, 2]), torch.tensor([2])]
    ragged = [codes[places] for codes, places in zip(codebooks, members, strict=True)]
    found = search_module.search(points, ragged, members, 4)
    for group, depth in enumerate((2, 1, 3)):
        own = [codes[[group]] for codes in codebooks[:depth]]
        assert torch.equal(found[:, [group], :depth], search(points[:, [group]], own, 4))
        assert (found[:, group, depth:] == 0).all()
