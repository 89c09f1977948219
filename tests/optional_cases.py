"""What the tests of the optional groups of TEMPORAL share: values by name, oracles, laws."""

from collections.abc import Callable, Mapping
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from feature_cases import noise, smooth
from spinlock.features import fields
from spinlock.features.declare import statistic

Oracle = Callable[[np.ndarray], float]


def statistics(group: ModuleType) -> list[str]:
    """Names of the statistics of a group, in order."""
    return [statistic(column) for column in group.COLUMNS]


def values(group: ModuleType, u: Tensor) -> Tensor:
    """The columns of fields [B, C, H, W], averaged over the channels; [B, D]."""
    return group.compute(fields.measure(u)).nanmean(-2)


def describe(group: ModuleType, u: Tensor) -> dict[str, float]:
    """The columns of one field [C, H, W], by statistic."""
    return dict(zip(statistics(group), values(group, u[None])[0].tolist(), strict=True))


def fields_of_all_kinds(seed: int, channels: int = 1) -> dict[str, Tensor]:
    """Fields [C, 32, 32] in float64: Gaussian, lopsided, with plateaus, with lone peaks."""
    gaussian = smooth(seed, (channels,), 32, reach=7)
    gaussian = gaussian - gaussian.mean((-2, -1), keepdim=True)
    return {
        "gaussian": gaussian,
        "lopsided": smooth(seed + 1, (channels,), 32, reach=3).exp(),
        "plateaus": (3 * gaussian).tanh(),
        "peaks": gaussian**5,
        "white": smooth(seed + 2, (channels,), 32, reach=15)
        + noise(seed, (channels, 32, 32), torch.float64),
    }


def standardized(u: np.ndarray) -> np.ndarray:
    """Mean 0 and mean square 1 of a field [H, W]."""
    return (u - u.mean()) / u.std()


def wavenumbers(size: int) -> tuple[np.ndarray, np.ndarray]:
    """ky [H, 1] and kx [1, W] of the full spectrum, both signs."""
    k = np.fft.fftfreq(size, 1 / size)
    return k[:, None], k[None, :]


def filtered(u: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A field times a response of the full spectrum."""
    return np.fft.ifft2(np.fft.fft2(u) * response).real


def gradient(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(∂u/∂y, ∂u/∂x) of the Fourier series, per domain; odd at the grid's own wavenumber."""
    return tuple(
        filtered(u, 2j * np.pi * np.where(2 * abs(k) == len(u), 0, k)) for k in wavenumbers(len(u))
    )


def agree(found: Mapping[str, float], expected: Mapping[str, float], case: str) -> None:
    """Compare to a relative 1e-5."""
    for name, value in expected.items():
        assert np.isclose(found[name], value, rtol=1e-5, atol=1e-9), (
            case,
            name,
            found[name],
            value,
        )


def obeys_its_laws(group: ModuleType, seed: int) -> None:
    """Bits whatever the batch; origin, scale, offset and quarter turns; bounds."""
    kinds = [u for k in range(2) for u in fields_of_all_kinds(seed + k, 3).values()]
    u = torch.stack(kinds).float()
    found = values(group, u)
    alone = torch.cat([values(group, field[None]) for field in u])
    assert torch.equal(alone, found)
    assert torch.equal(values(group, u.flip(0)), found.flip(0))
    assert torch.equal(values(group, u.clone().requires_grad_()), found)
    torch.testing.assert_close(values(group, u.roll((5, 11), (-2, -1))), found, rtol=0, atol=2e-5)
    torch.testing.assert_close(values(group, 37 * u), found, rtol=0, atol=2e-5)
    torch.testing.assert_close(values(group, u + 1), found, rtol=0, atol=1e-4)
    turned = values(group, u.rot90(1, (-2, -1)))
    for j, column in enumerate(group.COLUMNS):
        assert bool((found[:, j] >= column.low).all() and (found[:, j] <= column.high).all())
        if column.rotation != "other":
            sign = -1 if column.rotation == "negated" else 1
            torch.testing.assert_close(turned[:, j], sign * found[:, j], rtol=0, atol=2e-5)


def knows_no_grid(group: ModuleType, tolerance: Mapping[str, float]) -> None:
    """The same series on 32², 64² and 128² points: to 1e-9, or as stated."""
    coarse, middle, fine = (
        values(group, smooth(4, (3, 2), size, reach=7)) for size in (32, 64, 128)
    )
    for j, name in enumerate(statistics(group)):
        atol = tolerance.get(name, 1e-9)
        torch.testing.assert_close(coarse[:, j], fine[:, j], rtol=0, atol=atol, msg=name)
        torch.testing.assert_close(middle[:, j], fine[:, j], rtol=0, atol=atol, msg=name)


def knows_no_origin_scale_offset_direction_or_grid(
    group: ModuleType, seed: int, dy: int, dx: int
) -> None:
    """Every column of each channel stays as it is, to 1e-9, in float64."""
    u = smooth(seed, (1, 2), 32)
    still = group.compute(fields.measure(u))
    others = (
        u.roll((dy, dx), (-2, -1)), 3.7 * u - 2, u.rot90(1, (-2, -1)), smooth(seed, (1, 2), 64),
    )  # fmt: skip
    for other in others:
        found = group.compute(fields.measure(other))
        for name, one, two in zip(
            statistics(group), found.unbind(-1), still.unbind(-1), strict=True
        ):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9, msg=name)


def has_the_same_bits_in_any_batch(group: ModuleType, size: int) -> None:
    """Alone, among others, and in another order."""
    u = noise(2, (5, 3, size, size))
    together = group.compute(fields.measure(u))
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.equal(group.compute(fields.measure(u[order])), together[order])
    for row in range(5):
        assert torch.equal(group.compute(fields.measure(u[row])), together[row])


def has_its_gradients(group: ModuleType, u: Tensor) -> None:
    """Those of finite differences, for every column that says to have one; none for others."""
    smooth_columns = torch.tensor([column.differentiable for column in group.COLUMNS])
    u = u.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: values(group, x)[:, smooth_columns], u, fast_mode=True, atol=1e-4
    )
    for j, column in enumerate(group.COLUMNS):
        if not column.differentiable:
            assert not group.compute(fields.measure(u))[..., j].sum().isnan()
            (sent,) = torch.autograd.grad(values(group, u)[..., j].sum(), u)
            assert bool((sent == 0).all())


def extremes() -> dict[str, Tensor]:
    """Fields [3, 32, 32] at the edge of what is defined."""
    points = torch.arange(32)
    peak = torch.zeros(32, 32)
    peak[3, 5] = 1
    return {
        "constant": torch.full((3, 32, 32), 2.0),
        "zero": torch.zeros(3, 32, 32),
        "not a number": torch.full((3, 32, 32), torch.nan),
        "infinite": torch.full((3, 32, 32), torch.inf),
        "checkerboard": ((-1.0) ** (points[:, None] + points)).repeat(3, 1, 1),
        "wave": (2 * torch.pi * points / 32).cos().expand(3, 32, 32).clone(),
        "step": (points < 16).float().expand(3, 32, 32).clone(),
        "peak": peak.repeat(3, 1, 1),
        "tiny": 1e-8 * noise(3, (3, 32, 32)),
        "huge": 1e8 * noise(3, (3, 32, 32)),
    }


def missing(group: ModuleType, u: Tensor) -> set[str]:
    """Which columns are NaN; the others keep their bounds, and all gradients are finite."""
    u = u.clone()[None].requires_grad_()
    found = values(group, u)
    assert not found.isinf().any()
    for j, column in enumerate(group.COLUMNS):
        if not found[:, j].isnan().any():
            assert column.low - 1e-6 <= found[0, j].item() <= column.high + 1e-6, column.name
        (sent,) = torch.autograd.grad(found[:, j].nansum(), u, retain_graph=True)
        assert sent.isfinite().all(), column.name
    names = np.array(statistics(group))
    return set(names[found[0].isnan().numpy()].tolist())
