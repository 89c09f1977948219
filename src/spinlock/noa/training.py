"""Training the agent: a generator of scores, resumable to the bit."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import runtime
from spinlock.artifacts import load_checkpoint, save_checkpoint
from spinlock.noa import losses, validation
from spinlock.noa.config import Config
from spinlock.noa.losses import Space
from spinlock.noa.model import Agent, Hooks
from spinlock.noa.parallel import Part, gradients
from spinlock.noa.windows import Batch, Windows, draw
from spinlock.randomness import stream
from spinlock.refusals import Refusal

KIND = "train_noa"
SAVE_EVERY = 1  # validations between two checkpoints of a run; it cannot change a result
SELECTION_STEPS = 32  # at least so long are the rollouts that choose the weights
GRID_WEIGHT = 0.5  # of L_traj beside L_vq, seed 004
MASKED = "masked_predictions"  # a count, where the other numbers of a record are losses
BETAS = (0.9, 0.99)  # a short memory of squares: the curriculum changes their size

Record = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What training reads."""

    train: Windows  # the operators of the table
    extra: Windows | None  # further ones, with shorter rollouts
    validation: Windows
    space: Space

    @property
    def windows(self) -> list[Windows]:
        """All to learn from."""
        return [self.train] if self.extra is None else [self.train, self.extra]

    @property
    def whole(self) -> int:
        """Steps that the agent predicts of a whole rollout: T − c."""
        return self.train.steps - self.train.context_steps


def fit(
    agent: Agent, data: Data, seed: int, executor: Executor, folder: Path | None
) -> Iterator[Record]:
    """Train; yield the scores at every validation, those of a resumed run's past first.

    When the generator ends, the agent has the weights of its best validation.

    Args:
        agent: as `model.initialized` made it.
        data: training and validation rollouts, and the frozen tokenizer.
        seed: root seed; every draw is a function of it and of the update.
        executor: from `parallel.threads`; the number of threads changes no bit.
        folder: where to keep the state of the run and find it again; None: nowhere.

    Raises:
        Refusal: a loss that is not finite, or no operator to learn from or to judge by.
    """
    run = _Run(agent, data, seed, executor)
    path = folder / "run.pt" if folder else None
    if path and path.is_file():
        run.restore(load_checkpoint(path, KIND))
        runtime.note(f"train-noa: goes on after update {run.update}")
    yield from list(run.history)
    while run.update < agent.config.updates:
        yield run.interval()
        if path and len(run.history) % SAVE_EVERY == 0:
            save_checkpoint(path, KIND, run.state())
    agent.load_state_dict(run.best)
    agent.eval()


class _Run:
    """A training run between two validations."""

    def __init__(self, agent: Agent, data: Data, seed: int, executor: Executor) -> None:
        self.agent, self.data, self.seed, self.executor = agent, data, seed, executor
        self.config = agent.config
        self.parameters = list(agent.parameters())
        self.optimizer = _optimizer(agent)
        self.update = 0
        self.history: list[Record] = []
        self.best: dict[str, Tensor] = {}

    def interval(self) -> Record:
        """Train up to the next validation; the scores there."""
        self.agent.train()
        reports: list[Record] = []
        last = next(at for at in self.config.validations if at > self.update)
        while self.update < last:
            reports += self._step()
            self.update += 1
        self.agent.eval()
        record = {"update": float(self.update), **_summary(reports), **self._validate()}
        self.history.append(record)
        if chosen(self.history, self.config) is record:
            self.best = {k: v.clone() for k, v in self.agent.state_dict().items()}
        return record

    def _step(self) -> list[Record]:
        """One update of the weights."""
        found, reports = gradients(self._parts(), self.parameters, self.executor)
        for parameter, gradient in zip(self.parameters, found, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.update)
        self.optimizer.step()
        return reports

    def _parts(self) -> list[Part]:
        """The losses of this update, part by part."""
        config, count = self.config, self.config.microbatches
        rng = stream(self.seed, "noa/batch", step=self.update)
        horizon = config.horizon(self.update)
        batch = draw(self.data.windows, config.batch_size, horizon, config.initial_share, rng)
        generators = self._generators()
        leads = config.objective == "mse" or not config.aligns(self.update)
        weight = (1.0 if leads else GRID_WEIGHT) / count
        parts: list[Part] = [
            partial(supervised, self.agent, part, generator, weight)
            for part, generator in zip(batch.split(count), generators, strict=True)
        ]
        if config.aligns(self.update):
            rng = stream(self.seed, "noa/alignment", step=self.update)
            whole = draw([self.data.train], config.alignment.batch_size, self.data.whole, 1.0, rng)
            parts += [
                partial(aligned, self.agent, part, self.data.space, 1 / count)
                for part in whole.split(count)
            ]
        return parts

    def _generators(self) -> list[torch.Generator]:
        """Sources of dropout and injected noise, one for each part of the batch."""
        seeds = stream(self.seed, "noa/noise", step=self.update).integers(
            2**62, size=self.config.microbatches
        )
        return [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def _validate(self) -> Record:
        horizon = self.config.curriculum[-1].horizon
        windows = self.data.validation
        steps = min(self.data.whole, max(horizon, SELECTION_STEPS))
        return validation.scores(self.agent, windows, horizon, steps, self.executor)

    def state(self) -> dict[str, object]:
        """Everything that the rest of the run depends on."""
        return {
            "update": self.update,
            "agent": self.agent.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "best": self.best,
        }

    def restore(self, state: dict) -> None:
        """Continue where `state` was taken."""
        self.agent.load_state_dict(state["agent"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.update, self.history = state["update"], state["history"]
        self.best = state["best"]


def chosen(history: Sequence[Mapping[str, float]], config: Config) -> Mapping[str, float]:
    """The validation whose weights the agent ends with: of the lowest error, or a later one.

    Alignment may raise the error, which it is not about, by the tolerance: of its validations the
    last that does not raise it by more is taken.
    """
    best, lowest = history[0], history[0]["val_error"]
    for record in history[1:]:
        aligned = record["update"] > config.lessons
        share = 1 + config.alignment.tolerance if aligned else 1.0
        if record["val_error"] < share * lowest:
            best = record
        lowest = min(lowest, record["val_error"])
    return best


def supervised(
    agent: Agent, batch: Batch, generator: torch.Generator, weight: float
) -> tuple[Tensor, Record]:
    """L_traj of one of the parts of a batch, weighted.

    Raises:
        Refusal: the loss of an operator is not finite.
    """
    noise = torch.randn(batch.start.shape, generator=generator)
    size = agent.config.noise_injection * batch.scale[:, 0].sqrt()
    start = batch.start + size[:, None, None, None] * noise
    predicted = agent.unroll(
        batch.given,
        start,
        steps=batch.target.shape[1],
        gradient_steps=agent.config.gradient_steps,
        hooks=Hooks(generator=generator),
    )
    each = losses.trajectory(predicted, batch.target, batch.scale)
    bad = sorted(set(batch.ids[~each.detach().isfinite().numpy()].tolist()))
    if bad:
        raise Refusal(f"train_noa: L_traj is not finite for operators {bad}")
    loss = each.mean()
    return weight * loss, {"trajectory_loss": float(loss.detach())}


def aligned(agent: Agent, batch: Batch, space: Space, weight: float) -> tuple[Tensor, Record]:
    """λ₁ L_latent + λ₂ L_commit of one of the parts of a batch of whole rollouts, weighted.

    If the codes lead (`objective: vq`), it is L_vq instead. The gradient passes through the last
    `gradient_steps` of the rollout only.
    """
    config = agent.config.alignment
    predicted, target, u0 = (
        _late_gradient(agent, batch, config.gradient_steps),
        batch.target,
        batch.start,
    )
    if batch.context is not None:  # features are those of rollouts from their beginning
        u0, seen = batch.context[:, 0], batch.context[:, 1:]
        predicted, target = torch.cat([seen, predicted], 1), torch.cat([seen, target], 1)
    found = losses.alignment(predicted, target, u0, space)
    loss = config.latent_weight * found.latent + config.commitment_weight * found.commitment
    if agent.config.objective == "vq":
        loss = found.code
    report = {
        "code_loss": float(found.code.detach()),
        "latent_loss": float(found.latent.detach()),
        "commitment_loss": float(found.commitment.detach()),
        MASKED: float(found.masked),
    }
    return weight * loss, report


def _late_gradient(agent: Agent, batch: Batch, last: int) -> Float[Tensor, "n T C H W"]:
    """Whole rollouts whose gradient passes through the last steps only."""
    first = max(0, batch.target.shape[1] - last)
    unroll = partial(agent.unroll, batch.given)
    u, frames = batch.start, []
    if first:
        with torch.no_grad():
            frames.append(unroll(u, steps=first, gradient_steps=first))
        u = frames[0][:, -1]
    rest = batch.target.shape[1] - first
    frames.append(unroll(u, steps=rest, gradient_steps=rest, age=first))
    return torch.cat(frames, 1)


def _optimizer(agent: Agent) -> torch.optim.Optimizer:
    config = agent.config
    return torch.optim.AdamW(
        agent.parameters(), lr=config.learning_rate, betas=BETAS, weight_decay=config.weight_decay
    )


def _summary(reports: list[Record]) -> Record:
    """Mean of each loss over the reports that have it, and the sum of the counts."""
    names = dict.fromkeys(name for report in reports for name in report)
    values = {name: [report[name] for report in reports if name in report] for name in names}
    return {
        name: sum(found) / (1 if name == MASKED else len(found)) for name, found in values.items()
    }
