"""What `import spinlock` offers beside plain readers: on one thread, as in stages.

The last bits of all that is computed here depend on the number of threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits
from torch import Tensor

from spinlock.cleaning.raw import Features
from spinlock.cleaning.sets import FAMILIES, FeatureSet
from spinlock.evaluation.views import aggregated_view
from spinlock.features import extract as features
from spinlock.features import names
from spinlock.features.summary.trajectories import Step
from spinlock.noa.losses import groups
from spinlock.refusals import Refusal
from spinlock.rollout import last_step as steps
from spinlock.rollout import stream
from spinlock.rollout.config import Config, Settings
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import open_rollouts
from spinlock.sampling.table import Operators
from spinlock.tokenizer import model, report

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def rollouts(
    operators: Operators,
    folder: Path | str | None,
    config: Config | None = None,
    draw: int = 0,
    workers: int = 1,
) -> Iterator[Rollout]:
    """The rollouts of some operators, in their order, to the bits that `generate` stored.

    Arguments and refusals are those of `rollout.stream.rollouts`. The `config` of a replay without
    a folder is `params.load("generate", Config)`. With more than one of `workers`, a script must
    stand under `if __name__ == "__main__":`, because each process imports it again.
    """
    made = stream.rollouts(operators, folder, config, draw, workers)
    while True:
        with one_thread():
            rollout = next(made, None)
        if rollout is None:
            return
        yield rollout


def extract(
    u: Float[Tensor, "*B R T C H W"], u0: Float[Tensor, "*B C H W"], step: Step | None = None
) -> dict[str, Float[Tensor, "..."]]:
    """The default features of some operators; see `features.extract.extract`."""
    with one_thread():
        return features.extract(u, u0, step)


def last_step(
    operators: Operators,
    row: int,
    settings: Settings | Path | str,
    draw: int = 0,
    realization: int | None = None,
) -> Step:
    """The one-step map that a rollout ended with; see `rollout.last_step.last_step`.

    Args:
        operators: the table, or some of its rows.
        row: position in `operators` (not id).
        settings: T, R and precision of the rollout, or the folder of rollouts that has them.
        draw: that of the rollout.
        realization: the only one that is mapped, [1, C, H, W]; all R if none is given.

    Raises:
        Refusal: there is no such realization; of the map, if it is given another number of them.
    """
    known = open_rollouts(settings) if isinstance(settings, Path | str) else settings
    count = known.realizations
    if realization is not None and not 0 <= realization < count:
        raise Refusal(f"realization: expected one of 0 to {count - 1}, got {realization}")
    with one_thread():
        advance = steps.last_step(operators, row, known, draw)

    def mapped(u: Tensor) -> Tensor:
        expected = count if realization is None else 1
        if len(u) != expected:
            raise Refusal(
                f"step: maps {expected} of {count} realizations, got {len(u)}; `last_step` makes "
                "that of all, or of one `realization`"
            )
        if realization is None:
            return advance(u)
        return advance(u.expand(count, -1, -1, -1))[realization : realization + 1]

    return mapped


class Tokenizer:
    """A trained tokenizer: features or rollouts in, tokens out, and back to features."""

    def __init__(self, model: model.Tokenizer) -> None:
        self.model = model

    @property
    def token_names(self) -> tuple[str, ...]:
        """`category/level` of each of the S tokens, levels from coarse (0) to fine."""
        return self.model.token_names

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The columns of each category."""
        return self.model.mapping

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of features that it takes, by family, in order."""
        cleaner = self.model.cleaner
        return {family: cleaner.family(family).names for family in FAMILIES}

    def encode(self, given: Features | FeatureSet) -> Int[Tensor, "n S"]:
        """Tokens of features.

        Args:
            given: as `cleaning.raw.read` reads them: their names are checked, the aggregated view
                is encoded, and an operator that diverged has tokens −1, as in `data/tokens.h5`.
                Or a set of features in either view, row by row; one without any value but those of
                u0 has tokens −1.

        Raises:
            Refusal: other columns, steps or channels than the tokenizer was made for; names them.
                An initial condition that is not finite. What is no set of features.
        """
        if isinstance(given, FeatureSet):
            return self._encode(given).where(_described(given)[:, None], report.NONE)
        if not isinstance(given, Features):
            raise Refusal(
                "features: expected what spinlock.cleaning.raw.read returns, or one of its views, "
                f"got {type(given).__name__}"
            )
        self.model.cleaner.check(given.names, "features")
        found = self._encode(given.aggregated)
        valid = torch.from_numpy(given.metadata.valid)
        return found.where(valid[:, None], report.NONE)

    def encode_rollout(
        self, u: Float[Tensor, "R T C H W"], u0: Float[Tensor, "C H W"], step: Step | None
    ) -> Int[Tensor, "1 S"]:
        """Tokens of one operator from its rollout: features, cleaner, tokens, as in the stages.

        Args:
            u: all realizations; with one alone they are the tokens of the single view.
            u0: the state before.
            step: the map u_(T-1) → u_T of these realizations with the noise of step T, see
                `last_step`; None: operator sensitivity is missing, and imputed, and tokens that
                tell of it are others.

        Raises:
            Refusal: another shape, T or C than the tokenizer was made for, a value that is not
                finite, or columns that this version does not compute; names them.
        """
        self._check(u, u0)
        none = torch.zeros(len(u), dtype=torch.int64)
        with one_thread(), torch.no_grad():
            rollout = Rollout(operator=0, u0=u0, u=u, diverged_at=none)
            return self.model.encode(aggregated_view(rollout, self.model.cleaner, step))

    def decode(self, tokens: Int[Tensor, "n S"]) -> dict[str, Float[Tensor, "n *bins"]]:
        """Features that tokens stand for, in the unit of each column, by its name.

        A column is one number an operator; a TEMPORAL one the means over equal windows of time.
        What the cleaner dropped, as unreliable or as a repetition, is not among them.

        Raises:
            Refusal: other than integers, another number of tokens, or a token outside its codebook.
        """
        if not isinstance(tokens, Tensor) or tokens.ndim != 2 or tokens.dtype not in INTEGERS:
            got = f"{tokens.dtype} {list(tokens.shape)}" if isinstance(tokens, Tensor) else tokens
            raise Refusal(
                f"tokens: expected a tensor of integers [n, S = {len(self.token_names)}], got {got}"
            )
        with one_thread():
            decoded = self.model.decode(tokens)
        found: dict[str, Tensor] = {}
        for family, kept in self.model.cleaner.kept.items():
            values = self.model.cleaner.restore(getattr(decoded, family), family)
            found |= dict(zip(kept, values.unbind(-1), strict=True))
        return found

    def _encode(self, given: FeatureSet) -> Tensor:
        finite = given.fields.flatten(1).isfinite().all(1)
        if not finite.all():
            row = int((~finite).nonzero()[0])
            raise Refusal(f"features: fields: expected finite values, got others in row {row}")
        with one_thread():
            return self.model.encode(given)

    def _check(self, u: Tensor, u0: Tensor) -> None:
        made, channels = self.model.num_steps, self.model.channels
        known = u.ndim == 5 and len(u) > 0 and u.shape[1:3] == (made, channels)
        if not known or u.shape[-1] != u.shape[-2]:
            raise Refusal(
                f"u: expected [R, T = {made}, C = {channels}, H, H], as in training, "
                f"got {list(u.shape)}"
            )
        if u0.shape != u.shape[2:]:
            raise Refusal(f"u0: expected {list(u.shape[2:])}, as u says, got {list(u0.shape)}")
        finite = torch.cat([u0[None], u.flatten(0, 1)]).isfinite().flatten(1).all(1)
        if not finite.all():
            bad = int((~finite).nonzero()[0])
            place = f"step {(bad - 1) % made + 1}" if bad else "u0"
            raise Refusal(f"u: expected finite values, got others at {place}; did it diverge?")
        summary = [name for name in groups(self.columns["summary"]) if name in names.SUMMARY]
        temporal = [name for name in groups(self.columns["temporal"]) if name in names.TEMPORAL]
        self.model.cleaner.check(
            {
                "initial": names.names("initial"),
                "summary": names.aggregated(names.names("summary", summary)),
                "temporal": names.names("temporal", temporal),
            },
            "this version of the features",
        )


def _described(given: FeatureSet) -> Bool[Tensor, " n"]:
    """Which rows have a finite value that is not one of u0, if there are columns of others."""
    later = torch.cat([given.summary, given.temporal.flatten(1)], 1)
    return (later if later.shape[1] else given.initial).isfinite().any(1)


def load_tokenizer(path: Path | str) -> Tokenizer:
    """Read a tokenizer that stage `train-vqvae` wrote.

    Raises:
        Refusal: the file is missing, damaged or of another kind.
    """
    return Tokenizer(model.load(path))


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, and leave the caller's number as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
