"""Small operator tables for tests, made without a design."""

from dataclasses import replace

import numpy as np
import pytest

from spinlock.operators import draws, weights
from spinlock.randomness import Streams, stream
from spinlock.rollout import engine
from spinlock.rollout.config import Config
from spinlock.rollout.engine import Rollout
from spinlock.sampling import space
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import RULES, Theta

THETA = Theta(
    operator_type="cnn",
    num_layers=3,
    base_channels=4,
    kernel_size=3,
    encoder_levels=2,
    mode_share=1.0,
    afno_blocks=2,
    blocks_per_level=1,
    activation="gelu",
    dropout_rate=0.2,
    normalization="instance",
    noise_type="gaussian",
    noise_scale=0.1,
    noise_schedule="constant",
    schedule_period=100.0,
    spatial_correlation=0.1,
    update_policy="convex",
    dt=0.05,
    alpha=0.5,
)
VARYING = {
    "num_layers": space.Integer(name="num_layers", kind="integer", low=1, high=5),
    "base_channels": space.Integer(name="base_channels", kind="integer", low=2, high=8),
    "kernel_size": space.Choice(
        name="kernel_size", kind="choice", choices=(1, 3, 5, 7), weights=(1.0, 1.0, 1.0, 1.0)
    ),
    "encoder_levels": space.Integer(name="encoder_levels", kind="integer", low=1, high=2),
    "afno_blocks": space.Integer(name="afno_blocks", kind="integer", low=1, high=3),
    "blocks_per_level": space.Integer(name="blocks_per_level", kind="integer", low=1, high=2),
}
DIMENSIONS = tuple(VARYING.values()) + tuple(
    space.Fixed(name=name, kind="fixed", value=getattr(THETA, name))
    for name in RULES
    if name not in VARYING
)


def theta(**changes: object) -> Theta:
    """`THETA` with some parameters changed."""
    return replace(THETA, **changes)


def table(*thetas: Theta, z: np.ndarray | None = None, **changes: object) -> Operators:
    """Operators of some parameters, with ids from 0; by default one, with one weight set."""
    rows = thetas or (THETA,)
    count = len(rows)
    weights_z = np.ones((count, 1), dtype=np.float32) if z is None else z
    operators = Operators(
        seed=7,
        ids=np.arange(count),
        channels=3,
        grid_size=8,
        max_width=16,
        weights="basis",
        unit=np.random.default_rng(0).random((count, len(VARYING))),
        weights_z=weights_z,
        dimensions=DIMENSIONS,
        theta=rows,
        ic_types=("localized",) * count,
        split=("train",) * count,
        held_out=np.zeros((count, 0), dtype=bool),
        held_out_groups=(),
    )
    return replace(operators, **changes)


def variety() -> Operators:
    """Six operators that differ in architecture, policy and noise."""
    return table(
        theta(num_layers=2, update_policy="autoregressive"),
        theta(num_layers=5, kernel_size=5, update_policy="residual", activation="tanh"),
        theta(base_channels=8, dropout_rate=0.0, spatial_correlation=0.0),
        theta(num_layers=4, normalization="layer", activation="silu"),
        theta(normalization="none", activation="relu", update_policy="residual", dt=1.0),
        theta(noise_scale=1.0, kernel_size=7),
    )


def u_theta(**changes: object) -> Theta:
    """`THETA` as a U-AFNO with a bottleneck of four cells a side, with some parameters changed."""
    return theta(**{"operator_type": "u_afno", "encoder_levels": 1} | changes)


def variety_u_afno() -> Operators:
    """Six U-AFNOs that differ in architecture, policy and noise."""
    return table(
        u_theta(update_policy="autoregressive", mode_share=0.3),
        u_theta(encoder_levels=2, update_policy="residual", activation="tanh"),
        u_theta(base_channels=7, dropout_rate=0.0, spatial_correlation=0.0, activation="relu"),
        u_theta(blocks_per_level=2, normalization="layer", activation="silu"),
        u_theta(normalization="none", update_policy="residual", dt=0.1),
        u_theta(noise_scale=1.0, noise_type="multiplicative", afno_blocks=3, encoder_levels=2),
    )


# changes of one parameter that act on operators of both types as they are by default
CHANGES = [
    {"base_channels": 5},
    {"activation": "relu"},
    {"activation": "silu"},
    {"activation": "tanh"},
    {"dropout_rate": 0.1},
    {"normalization": "none"},
    {"normalization": "layer"},
    {"noise_type": "laplace"},
    {"noise_type": "multiplicative"},
    {"noise_scale": 0.2},
    {"noise_schedule": "annealing"},
    {"noise_schedule": "periodic"},
    {"spatial_correlation": 0.2},
    {"update_policy": "autoregressive"},
    {"update_policy": "residual"},
    {"alpha": 0.6},
]
# parameters that act where another one switches them on, and two values of each
SWITCHED = [
    ({"update_policy": "residual"}, "dt", (0.01, 0.02)),
    ({"noise_schedule": "periodic"}, "schedule_period", (50.0, 100.0)),
]
# what may be asked of intermediate features, of two levels, and the names that come
PLACES = [
    ("bottleneck", None, {"bottleneck"}),
    ("skips", None, {"skip_0", "skip_1"}),
    ("skips", (1,), {"skip_1"}),
    ("all", (0,), {"bottleneck", "skip_0"}),
]


def record_streams(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int, int]]:
    """A list that grows by (purpose, operator, realization, step) of every stream used."""
    used = []

    def recorded(seed, purpose, operator=-1, realization=0, step=0):
        used.append((purpose, operator, realization, step))
        return stream(seed, purpose, operator, realization, step)

    class Recorded(Streams):
        def __init__(self, seed, purpose, operator):
            super().__init__(seed, purpose, operator)
            self.place = (purpose, operator)

        def at(self, realization, step):
            used.append((*self.place, realization, step))
            return super().at(realization, step)

    monkeypatch.setattr(draws, "Streams", Recorded)
    for module in (weights, engine):
        monkeypatch.setattr(module, "stream", recorded)
    return used


def roll_out(
    operators: Operators,
    index: int,
    steps: int,
    realizations: int,
    bound: float,
    *,
    precision: str = "float32",
    draw: int = 0,
) -> Rollout:
    """A rollout whose settings are written out."""
    settings = Config(
        steps=steps,
        realizations=realizations,
        bound=bound,
        store="none",
        precision=precision,
        shard_size=1,
    )
    return engine.roll_out(operators, index, settings, draw)
