"""Trajectories on which every column of the registry must obey its laws."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spinlock import randomness
from spinlock.features import extract, names
from spinlock.features.column import Column
from spinlock.features.summary.trajectories import Step
from spinlock.initial_conditions import families

REACH = 5  # wavenumbers of a smooth field: its cube has waves up to 15, which 32² resolves
STEPS = 24
GROUPS = [(family, group) for family, groups in names.GROUPS.items() for group in groups]
COLUMNS = {column.name: column for family in names.GROUPS for column in names.columns(family)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Some trajectories and the map that made their last step."""

    u: Tensor  # [B, T, C, H, W]
    u0: Tensor  # [B, C, H, W]
    step: Step


def describe(case: Case) -> dict[str, Tensor]:
    """Every column of the registry by name: [B], or [B, T] if it has one value a step."""
    initial = extract.initial(case.u0)
    groups = tuple(names.SUMMARY), tuple(names.TEMPORAL)
    summary, temporal = extract.describe(case.u, case.u0, *groups, case.step)
    found = {"initial": initial, "summary": summary, "temporal": temporal}
    return {
        name: values
        for family in names.GROUPS
        for name, values in zip(names.names(family), found[family].unbind(-1), strict=True)
    }


def of_group(family: str, group: str) -> tuple[Column, ...]:
    return names.columns(family, [group])


def series(seed: int, shape: tuple[int, ...], size: int, reach: int = REACH) -> Tensor:
    """Random Fourier series: the same functions on a grid of any size, float64."""
    rng = randomness.stream(seed, "test")
    waves = np.arange(-reach, reach + 1)
    drawn = rng.standard_normal((*shape, len(waves), reach + 1, 2)) @ np.array([1, 1j])
    spectrum = np.zeros((*shape, size, size // 2 + 1), dtype=complex)
    falloff = 1 + waves[:, None] ** 2 + waves[None, reach:] ** 2
    spectrum[..., waves[:, None], waves[None, reach:]] = drawn / falloff
    return torch.from_numpy(np.fft.irfft2(spectrum, s=(size, size), norm="forward"))


def low_passed(u: Tensor) -> Tensor:
    spectrum = torch.fft.rfft2(u)
    ky = torch.fft.fftfreq(u.shape[-1], 1 / u.shape[-1]).abs()
    kx = torch.arange(spectrum.shape[-1])
    inside = (ky[:, None] <= REACH) & (kx <= REACH)
    return torch.fft.irfft2(spectrum * inside, s=u.shape[-2:])


def reaction(u: Tensor) -> Tensor:
    """A map that commutes with translation and rotation, the same on every grid from 32² on."""
    v = low_passed(u)
    return low_passed(1.2 * v - 0.1 * v**3) + 0.1 * v.roll(1, -3)


def trajectories(seed: int, size: int = 32, steps: int = STEPS) -> Case:
    """Three trajectories of a field with memory: one that wanders, one that fades, one pushed."""
    memory = torch.tensor([0.95, 0.8, 1.02], dtype=torch.float64)[:, None, None, None]
    kick = torch.tensor([0.3, 0.05, 0.02], dtype=torch.float64)[:, None, None, None]
    pushes = kick * series(seed, (steps + 1, 3, 3), size)
    u = [series(seed + 1, (3, 3), size) + 0.2]
    for push in pushes[:-1]:
        u.append(memory * u[-1] + push)
    u[-1] = reaction(u[-2]) + pushes[-1]
    return Case(
        u=torch.stack(u[1:], 1), u0=u[0], step=lambda v: reaction(v) + pushes[-1].to(v.dtype)
    )


def of_initial_conditions(grid_size: int = 32, steps: int = 16) -> Case:
    """One trajectory from an initial condition of each variant, the first step at rest."""
    draws = [
        families.draw(variant, 3, grid_size, randomness.stream(number, "test"))
        for number, variant in enumerate(families.VARIANTS)
    ]
    u = [torch.stack(draws)] * 2
    for _ in range(steps - 1):
        u.append(0.9 * u[-1] + 0.05 * reaction(u[-1]))
    return Case(u=torch.stack(u[1:], 1), u0=u[0], step=lambda v: 0.9 * v + 0.05 * reaction(v))


def extremes(size: int = 16, steps: int = 16) -> dict[str, Case]:
    """Trajectories without some of what columns measure, each [1, T, 3, H, W], float32."""
    usual = trajectories(3, 32, steps).u[:1, ..., ::2, ::2].float()
    point = torch.zeros(1, 1, 1, size, size)
    point[..., 0, 0] = 1
    places = torch.arange(size)
    board = ((-1.0) ** (places[:, None] + places)).expand_as(usual)
    wave = torch.cos(2 * torch.pi * places / size).expand_as(usual)
    time = torch.arange(1.0, steps + 1)[None, :, None, None, None]
    broken = usual.clone()
    broken[:, 5, 1, 2, 3] = torch.nan
    partly = usual.clone()
    partly[:, 4:7] = 2.5
    fields = {
        "zero": torch.zeros_like(usual),
        "constant": torch.full_like(usual, 1.7),
        "constant but moving": (1.7 + 0.1 * time.sin()).expand_as(usual),
        "frozen": usual[:, :1].expand_as(usual),
        "constant for some steps": partly,
        "one value not a number": broken,
        "infinite": torch.full_like(usual, torch.inf),
        "point": point.expand_as(usual),
        "growing point": time * point.expand_as(usual),
        "plane wave": wave,
        "growing plane wave": time * wave,
        "checkerboard": board,
        "alternating checkerboard": (-1.0) ** time * board,
        "two levels": usual.sign(),
        "equal channels": usual[:, :, :1].expand_as(usual),
        "faint": 1e-4 * usual + 1,
        "tiny": 1e-12 * usual,
        "huge": 1e12 * usual,
        "one channel": usual[:, :, :1],
        "one step": usual[:, :1],
        "two steps": usual[:, :2],
        "one channel, one step": usual[:, :1, :1],
    }
    return {
        name: Case(u=u, u0=torch.zeros_like(u[:, 0]) if name == "zero" else u[:, 0], step=reaction)
        for name, u in fields.items()
    }


def transformed(case: Case, there: Callable[[Tensor], Tensor], back: Callable) -> Case:
    """The trajectories seen through a map of fields, and their step between such views."""
    step = case.step
    return Case(u=there(case.u), u0=there(case.u0), step=lambda v: there(step(back(v))))


def taken(case: Case, rows: Tensor | int) -> Case:
    """Some of the trajectories; their step is that of all, asked for them only."""

    def step(v: Tensor) -> Tensor:
        everything = case.u0.clone()
        everything[rows] = v
        return case.step(everything)[rows]

    return Case(u=case.u[rows], u0=case.u0[rows], step=step)


def single_precision(case: Case) -> Case:
    return replace(case, u=case.u.float(), u0=case.u0.float())
