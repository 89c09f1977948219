"""Every column of the groups initial, temporal, spatial and spectral against an oracle, to 1e-5."""

from functools import cache

import numpy as np
import pytest
import torch

import law_cases as cases
from oracles_field import SPATIAL, SPECTRAL
from oracles_initial import INITIAL
from oracles_series import SERIES
from spinlock import randomness
from spinlock.features import extract, names

OF_FIELD = {f"temporal.spatial.{name}": oracle for name, oracle in SPATIAL.items()}
OF_FIELD |= {f"temporal.spectral.{name}": oracle for name, oracle in SPECTRAL.items()}
OF_START = {f"initial.{name}": oracle for name, oracle in INITIAL.items()}
OF_TRAJECTORY = {f"summary.temporal.{name}": oracle for name, oracle in SERIES.items()}
GROUPS = {
    "initial": ("initial",),
    "summary": ("temporal",),
    "temporal": ("spatial", "spectral"),
}


def noise(seed, size):
    return randomness.stream(seed, "test").standard_normal((2, size, size))


def gaussian(seed, size, exponent):
    """A Gaussian field whose power falls as k to an exponent."""
    k = np.fft.fftfreq(size, 1 / size)
    length = np.hypot(k[:, None], k)
    length[0, 0] = np.inf
    return np.fft.ifft2(np.fft.fft2(noise(seed, size)) * length ** (exponent / 2)).real


@cache
def fields():
    """Fields [C, H, W] of two channels: skewed, white, striped, of two phases, rough, smooth."""
    x = np.arange(32) / 32
    stripes = np.cos(2 * np.pi * (3 * x[:, None] + 5 * x))
    smooth = cases.series(1, (2,), 32).numpy()
    return {
        "skewed": np.exp(smooth),
        "white": noise(2, 32) + 3,
        "stripes": 0.01 * stripes + 1e-4 * noise(3, 32),
        "two phases": np.tanh(5 * cases.series(4, (2,), 32).numpy()),
        "rough": gaussian(5, 64, -2),
        "smooth": gaussian(6, 64, -4),
    }


@cache
def columns_of_fields(kind):
    u = torch.from_numpy(fields()[kind])
    found = dict(zip(names.names("initial"), extract.initial(u).tolist(), strict=True))
    temporal = extract.temporal(u[None], GROUPS["temporal"])[0]
    return found | dict(
        zip(names.names("temporal", GROUPS["temporal"]), temporal.tolist(), strict=True)
    )


@cache
def paths():
    """Trajectories u_0 … u_T, [T + 1, C, H, W]: with memory, of other lengths, one that jumps."""
    found = {}
    for steps in (16, 23, 40):
        case = cases.trajectories(steps, 32, steps)
        for row, kind in enumerate(("wandering", "fading", "pushed")):
            frames = torch.cat([case.u0[row][None], case.u[row]])
            found[f"{kind}, {steps} steps"] = frames.numpy()
    jumping = found["fading, 40 steps"].copy()
    jumping[25:] *= 3
    return found | {"jumping": jumping}


@cache
def columns_of_paths(kind):
    u = torch.from_numpy(paths()[kind])
    found = extract.summary(u[1:], u[0], GROUPS["summary"])
    return dict(zip(names.names("summary", GROUPS["summary"]), found.tolist(), strict=True))


def test_no_column_is_without_an_oracle():
    columns = {name for family, groups in GROUPS.items() for name in names.names(family, groups)}
    assert set(OF_FIELD | OF_START | OF_TRAJECTORY) == columns


def check(oracle, found, cases_of):
    """Compare over cases that differ."""
    expected = {kind: oracle(u) for kind, u in cases_of.items()}
    assert len(set(expected.values())) > 2
    for kind, value in expected.items():
        assert found(kind) == pytest.approx(value, rel=1e-5, abs=1e-9), kind


@pytest.mark.parametrize("name", OF_FIELD | OF_START)
def test_columns_of_a_field_are_those_of_the_oracle(name):
    oracle = (OF_FIELD | OF_START)[name]
    check(
        lambda u: np.mean([oracle(channel) for channel in u]),
        lambda kind: columns_of_fields(kind)[name],
        fields(),
    )


@pytest.mark.parametrize("name", OF_TRAJECTORY)
def test_columns_of_a_trajectory_are_those_of_the_oracle(name):
    check(OF_TRAJECTORY[name], lambda kind: columns_of_paths(kind)[name], paths())
