"""How good the agent is on operators that it was not trained on; nothing here is random."""

from concurrent.futures import Executor

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.noa import losses
from spinlock.noa.model import Agent
from spinlock.noa.windows import Windows, take
from spinlock.refusals import Refusal

HEADLINE_STEPS = (1, 8, 32, 64)  # where the error curve is read
CHUNK = 8  # operators rolled out together
REALIZATION = 0  # the one that counts


def vrmse(
    predicted: Float[Tensor, "n T C H W"], target: Float[Tensor, "n T C H W"]
) -> Float[Tensor, "n T"]:
    r"""$\sqrt{\langle (\hat u - u)^2 \rangle / (\mathrm{var}\,u + 10^{-7})}$, mean over channels.

    Per frame and channel, as in The Well (Ohana et al. 2024); 1 is what the mean of the frame gets.
    """
    error = (predicted - target).square().mean((-2, -1))
    variance = target.var((-2, -1), correction=0)
    return (error / (variance + 1e-7)).sqrt().mean(-1)


def scores(
    agent: Agent, windows: Windows, horizon: int, steps: int, executor: Executor
) -> dict[str, float]:
    """Rollout errors from u0, or from u_c after the context, realization 0.

    Args:
        agent: as it stands.
        windows: validation operators; those that diverge within `steps` are left out.
        horizon: steps of the supervised loss.
        steps: length of the rollouts.
        executor: from `parallel.threads`.

    Returns:
        `val_loss`, the supervised loss over the first `horizon` steps, mean over operators;
        `val_vrmse_t`, the median over operators of the VRMSE at the headline steps t; and
        `val_error`, the mean over update policies, each counted once, of those medians.

    Raises:
        Refusal: there is no operator to judge by.
    """
    last = steps + windows.context_steps
    whole = torch.from_numpy(windows.lengths[:, REALIZATION] >= last).nonzero()[:, 0]
    if not len(whole):
        raise Refusal(f"train_noa: no validation operator stays bounded for {last} steps")
    found = executor.map(
        lambda rows: _errors(agent, windows, rows, horizon, steps), whole.split(CHUNK)
    )
    loss, errors = (torch.cat(parts) for parts in zip(*found, strict=True))
    medians = errors.quantile(0.5, dim=0).tolist()
    curve = {f"val_vrmse_{t}": medians[t - 1] for t in HEADLINE_STEPS if t <= steps}
    headline = errors[:, [t - 1 for t in HEADLINE_STEPS if t <= steps]]
    groups = _policies(windows.coefficients[whole])
    error = torch.stack([headline[rows].quantile(0.5, dim=0).mean() for rows in groups]).mean()
    return {"val_loss": float(loss.mean()), "val_error": float(error), **curve}


def _policies(coefficients: Float[Tensor, "n 2"]) -> list[Bool[Tensor, " n"]]:
    """The operators of each policy that occurs: keep is 0, 1, or between (`policies`)."""
    keep = coefficients[:, 0]
    groups = (keep == 0, keep == 1, (keep > 0) & (keep < 1))
    return [group for group in groups if group.any()]


@torch.no_grad()
def _errors(
    agent: Agent, windows: Windows, rows: Tensor, horizon: int, steps: int
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n steps"]]:
    """Supervised loss and VRMSE of some operators."""
    first = windows.context_steps
    batch = take([(windows, int(row), REALIZATION, first) for row in rows], steps)
    predicted = agent.unroll(batch.given, batch.start, steps=steps, gradient_steps=steps)
    near = slice(None), slice(horizon)
    loss = losses.trajectory(predicted[near], batch.target[near], batch.scale[near])
    return loss, vrmse(predicted, batch.target)
