"""The Neural Operator Agent: one network that rolls out any operator of the family."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spinlock import artifacts, params, randomness
from spinlock.noa import conditioning
from spinlock.noa.certainty import Certainty
from spinlock.noa.conditioning import Columns, ThetaEmbedding
from spinlock.noa.config import Config
from spinlock.noa.context import ContextEncoder
from spinlock.noa.heads import Embeddings, Heads, Inside, pooled
from spinlock.noa.windows import Given, coefficients
from spinlock.operators.u_afno import UAFNO, Shape
from spinlock.refusals import Refusal
from spinlock.rollout import policies
from spinlock.sampling.table import Operators

KIND = "noa"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Disturb(Protocol):
    """Noise of θ's law."""

    def __call__(self, output: Tensor, step: int) -> Tensor:
        """O(u) of step t in 1 … T, with noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What may happen on the way of a rollout."""

    generator: torch.Generator | None = None  # source of dropout; none, no dropout
    disturb: Disturb | None = None  # where noise enters
    watch: Callable[[dict[str, Tensor]], None] | None = None  # sees bottleneck and skips


NO_HOOKS = Hooks()


class Agent(nn.Module):
    r"""$\hat u_{t+1} = \mathrm{policy}_θ(\hat u_t, f(\hat u_t; θ))$ with f a U-AFNO.

    The update policy is part of θ and applied exactly; f emulates O(u). With `integrator: direct`
    f predicts the next field itself. The last normalization of f bounds its output, so that a
    rollout of a residual operator grows linearly at most and that of a convex one stays bounded.
    """

    theta_mean: Tensor
    theta_scale: Tensor
    neutral: Tensor  # of the columns of θ: their mean

    def __init__(self, config: Config, columns: Columns, channels: int) -> None:
        """Build with weights from torch's global generator; see `initialized`.

        Args:
            config: section `train_noa`.
            columns: the columns of θ, fitted on the training operators.
            channels: C.
        """
        super().__init__()
        self.config, self.names, self.channels = config, columns.names, channels
        self.heads: Heads | None = None  # added to the finished agent
        self.register_buffer("theta_mean", columns.mean)
        self.register_buffer("theta_scale", columns.scale)
        self.register_buffer("neutral", columns.neutral)
        self.embedding = ThetaEmbedding(len(columns.names), config.backbone.embedding_dim)
        self.backbone = UAFNO(_shape(config, channels))
        if config.context_steps:
            self.context = ContextEncoder(channels, config.backbone.embedding_dim)
        if config.certainty:
            self.certainty = Certainty(config.backbone.embedding_dim, channels)

    @property
    def columns(self) -> Columns:
        """The columns of θ."""
        return Columns(
            names=self.names,
            mean=self.theta_mean,
            scale=self.theta_scale,
            neutral=self.neutral,
        )

    def rollout(
        self,
        theta: Operators,
        u0: Float[Tensor, "n C H W"],
        steps: int,
        context: Float[Tensor, "n k C H W"] | None = None,
        *,
        age: int = 0,
        told: Float[Tensor, "n P"] | None = None,
        shown_by: Operators | None = None,
    ) -> Float[Tensor, "n T C H W"]:
        """Predict the T fields that follow u0.

        Args:
            theta: the operators, of which it reads nothing but θ and the basis coefficients.
            u0: a field of each to start from.
            steps: T.
            context: u_0 … u_c of a trajectory of each, if the agent was trained with
                `context_steps` c > 0, and only then.
            age: steps that u0 itself has been predicted for; 0 for a true field.
            told: what the network sees in place of θ, for ablations; None: `told(theta)`.
            shown_by: other operators, whose trajectories the context is, for ablations.

        Raises:
            Refusal: the operators have other columns of θ than the agent was trained with, the
                context is of another length, or the encoder levels do not divide the grid.
        """
        given = self.given(theta, context)
        if told is not None:
            given = replace(given, theta=told)
        if shown_by is not None:
            given = replace(given, shown=coefficients(shown_by))
        with torch.no_grad():
            return self.unroll(given, u0, steps=steps, gradient_steps=steps, age=age)

    def given(self, theta: Operators, context: Float[Tensor, "n k C H W"] | None) -> Given:
        """What the agent knows of some operators.

        Raises:
            Refusal: other columns of θ, or a context of another length, than in training.
        """
        found = 0 if context is None else context.shape[1] - 1
        if found != self.context_steps:
            raise Refusal(
                f"context: the agent was trained with {self.context_steps} transitions, got {found}"
            )
        own = coefficients(theta)
        return Given(theta=self.told(theta), coefficients=own, context=context, shown=own)

    @property
    def context_steps(self) -> int:
        """c, transitions that `rollout` asks for."""
        return self.config.context_steps

    def embeddings(
        self,
        theta: Operators,
        u0: Float[Tensor, "n C H W"],
        steps: int,
        context: Float[Tensor, "n k C H W"] | None = None,
    ) -> Embeddings:
        """What the tokenizer's family embeddings of such rollouts will be, by the feature heads.

        Of a rollout of unknown operator: they were trained without operator sensitivity, which the
        tokenizer imputes where it is missing.

        Raises:
            Refusal: the agent has no heads; and as `rollout`.
        """
        if self.heads is None:
            raise Refusal("embeddings: the agent was trained without heads (train_noa.heads)")
        with torch.no_grad():
            return self.heads(self.inside(self.given(theta, context), u0, steps))

    @torch.no_grad()
    def inside(self, given: Given, u0: Float[Tensor, "n C H W"], steps: int) -> Inside:
        """What the network sees on a rollout."""
        seen: list[dict[str, Tensor]] = []
        hooks = Hooks(
            watch=lambda found: seen.append({k: pooled(v.float()) for k, v in found.items()})
        )
        self.unroll(given, u0, steps=steps, gradient_steps=steps, hooks=hooks)
        skips = [torch.cat([v for k, v in at.items() if k != "bottleneck"], 1) for at in seen]
        return Inside(
            bottleneck=torch.stack([at["bottleneck"] for at in seen], 1),
            skips=torch.stack(skips, 1),
        )

    def told(self, theta: Operators) -> Float[Tensor, "n P"]:
        """The standardized columns of some operators, which the network sees."""
        return conditioning.standardized(theta, self.columns)

    def step_map(
        self, operators: Operators, age: int, context: Float[Tensor, "n k C H W"] | None = None
    ) -> Callable[[Float[Tensor, "n C H W"]], Float[Tensor, "n C H W"]]:
        """One step of some operators, all of them together, without gradient.

        Args:
            operators: which.
            age: steps that the fields have been predicted for.
            context: as in `rollout`.
        """
        return lambda u: self.rollout(operators, u, 1, context, age=age)[:, 0]

    def unroll(
        self,
        given: Given,
        u0: Float[Tensor, "n C H W"],
        *,
        steps: int,
        gradient_steps: int,
        age: int = 0,
        hooks: Hooks = NO_HOOKS,
    ) -> Float[Tensor, "n T C H W"]:
        """Roll out from u0, with gradient.

        Args:
            given: what is known of the operators.
            u0: fields to start from.
            steps: T.
            gradient_steps: the field is detached after every so many steps (truncated
                back-propagation through time), counted from the last one back.
            age: steps since u0 was a true field; it matters to `certainty` alone.
            hooks: what happens on the way.
        """
        dtype = PRECISIONS[self.config.precision]
        embedding = self.embedding(given.theta)
        if given.context is not None:
            embedding = embedding + self.context(given.context, given.shown)
        conditioned = self.backbone.condition(embedding)
        fading = self.certainty.coefficients(embedding) if self.config.certainty else None
        weights = {layer: weight.to(dtype) for layer, weight in conditioned.items()}
        own = given.coefficients[:, :, None, None, None].unbind(1)
        keep, gain = own if self.config.integrator == "policy" else (0.0, 1.0)
        u, frames = u0, []
        for step in range(steps):
            if (steps - step) % gradient_steps == 0:
                u = u.detach()
            if hooks.watch is not None:
                hooks.watch(self.backbone.intermediate_features(u.to(dtype), weights, "all"))
            output = self.backbone(u.to(dtype), weights, hooks.generator).float()
            if hooks.disturb is not None:
                output = self._noisy(output, u, own, partial(hooks.disturb, step=step + 1))
            elif fading is not None:
                output = self.certainty(output, fading, age + step)
            u = policies.advance(u, output, keep, gain)
            frames.append(u)
        return torch.stack(frames, 1)

    def _noisy(
        self,
        output: Float[Tensor, "n C H W"],
        u: Float[Tensor, "n C H W"],
        own: tuple[Tensor, ...],
        disturb: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "n C H W"]:
        """What f puts out, with noise where it enters O(u); `direct` predicts the field after."""
        if self.config.integrator == "policy":
            return disturb(output)
        keep, gain = own
        return policies.advance(u, disturb((output - keep * u) / gain), keep, gain)

    def save(self, path: Path) -> None:
        """Write everything `load` needs; the same bytes for the same content."""
        # As text, because pickle tells equal strings from identical ones: a loaded agent would
        # be saved with other bytes.
        about = {"config": asdict(self.config), "names": self.names, "channels": self.channels}
        about["heads"] = None if self.heads is None else [self.heads.inside, self.heads.dims]
        weights = {name: value.clone() for name, value in self.state_dict().items()}
        artifacts.save_checkpoint(path, KIND, {"about": json.dumps(about), "weights": weights})


def initialized(config: Config, columns: Columns, channels: int, seed: int) -> Agent:
    """An untrained agent; its weights are a function of the root seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.integer_seed(seed, "noa/weights"))
        return Agent(config, columns, channels)


@artifacts.refusing_incomplete
def load(path: Path | str) -> Agent:
    """Read an agent that `Agent.save` wrote.

    Raises:
        Refusal: the file is missing, damaged, incomplete or of another kind.
    """
    found = artifacts.load_checkpoint(path, KIND)
    about, weights = json.loads(found["about"]), found["weights"]
    columns = Columns(
        names=tuple(about["names"]),
        mean=weights["theta_mean"],
        scale=weights["theta_scale"],
        neutral=weights["neutral"],
    )
    agent = Agent(params.parse("config", about, Config, path), columns, about["channels"])
    if about["heads"] is not None:
        inside, dims = about["heads"]
        agent.heads = Heads(inside, dims, agent.config.heads.width)
    agent.load_state_dict(weights)
    return agent.eval()


def _shape(config: Config, channels: int) -> Shape:
    return Shape(in_channels=channels, out_channels=channels, **asdict(config.backbone))
