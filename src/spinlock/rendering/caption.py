"""What stands above a picture: which operator it is, its θ, and what became of its rollout."""

from dataclasses import asdict

from spinlock.plots import style
from spinlock.rollout.engine import Rollout
from spinlock.sampling.encoding import SWITCHES
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta


def title(operator: Operators) -> str:
    """Id, update policy, initial condition and split of a table of one operator."""
    parts = (operator.theta[0].update_policy, operator.ic_types[0], operator.split[0])
    return f"Operator {int(operator.ids[0])}: " + ", ".join(
        part.replace("_", " ") for part in parts
    )


def parameters(operator: Operators) -> str:
    """θ without the parameters that do not act, the weights' coefficients, and held-out groups."""
    theta = operator.theta[0]
    parts = [
        f"{name} {_text(value)}" for name, value in asdict(theta).items() if _acts(name, theta)
    ]
    if operator.weights_z.shape[1] > 1:
        parts.append(f"weights_z ({', '.join(map(style.number, operator.weights_z[0]))})")
    groups = zip(operator.held_out_groups, operator.held_out[0], strict=True)
    parts += [f"held out by {name}" for name, inside in groups if inside]
    return " · ".join(part.replace("_", " ") for part in parts)


def fate(rollout: Rollout) -> str:
    """Which realizations diverged, and when."""
    steps = enumerate(rollout.diverged_at.tolist())
    ends = [f"realization {index} at step {step}" for index, step in steps if step]
    return f"diverged: {', '.join(ends)}" if ends else "no realization diverged"


def _acts(name: str, theta: Theta) -> bool:
    switch, value = SWITCHES.get(name, (name, getattr(theta, name)))
    return getattr(theta, switch) == value


def _text(value: str | int | float) -> str:
    return style.number(value) if isinstance(value, float) else str(value)
