"""What the tokenizer costs: an epoch beside the library of the field, and encoding.

An epoch is one pass over 10 000 rows of the default set's columns in 12 categories of 3 levels,
batches of 1024, the default's losses, `vq` and the topographic one, jitter and the scores of the
epoch included; without the losses that reach the codes, which the library's are not made for. The
library's model is the same but for its quantizer, vector-quantize-pytorch's `GroupedResidualVQ`
with the same sizes, moving averages and search, and for a plain topographic term: each category
draws its own pairs, for each of the two comparisons.
"""

import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from unittest import mock

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from vector_quantize_pytorch import GroupedResidualVQ

from clock import timed
from spinlock import params
from spinlock.cleaning import cleanset, raw
from spinlock.cleaning import report as cleaner_report
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import Cleaned
from spinlock.tokenizer import initialization, losses, model, objective, training
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.examples import Examples, examples
from spinlock.tokenizer.grid import Quantized, TokenGrid
from spinlock.tokenizer.quantizer import ResidualQuantizer

CATEGORIES, LEVELS, ROWS, BATCH = 12, 3, 10_000, 1024  # of the model whose epochs are timed
TOPOGRAPHIC = 0.3  # weight of that loss, which is off by default as `vq` is
ENCODED = 4096  # operators encoded at a time
REPETITIONS = 3


def measure() -> dict[str, float]:
    """All figures.

    `tokenizer/epoch_ratio`: processor seconds of an epoch of the library's model over those of
    ours, both with the default width of the search; > 1 is faster. `…_greedy`: both choose level
    after level. `tokenizer/epoch_s`: ours. `tokenizer/quantizer_ratio`: the same as the epoch's of
    the quantizers alone, with gradient and moving averages. `tokenizer/encode_per_second`:
    operators per second and core that the trained tokenizer encodes from cleaned features, the
    dimensions of their fields known. `tokenizer/encode_end_to_end_per_second`: from raw features.
    """
    wide = params.load("train_vqvae", Config).search_width
    return {**of_epochs("", wide), **of_epochs("_greedy", 1), **encoding(wide)}


def of_epochs(name: str, width: int) -> dict[str, float]:
    """Figures of training with one width of the search."""
    loaded = params.load("train_vqvae", Config)
    sizes = {"levels": "uniform", "num_levels": LEVELS, "batch_size": BATCH}
    timed_epochs = {"warmup_epochs": 0, "epochs": 1 + REPETITIONS}
    losses_on = replace(loaded.losses, vq=1.0, topographic=TOPOGRAPHIC, codebook=0.0, symbols=0.0)
    config = replace(loaded, **sizes, **timed_epochs, search_width=width, losses=losses_on)
    ours, theirs = medians(epochs(config))
    alone, library = medians(steps(config))
    return {
        f"tokenizer/epoch_ratio{name}": theirs / ours,
        f"tokenizer/epoch_s{name}": ours,
        f"tokenizer/quantizer_ratio{name}": library / alone,
    }


def medians(pairs: Iterator[tuple[float, float]]) -> tuple[float, float]:
    """Of both sides, the first pair apart."""
    _, *rest = pairs
    ours, theirs = zip(*rest, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def epochs(config: Config) -> Iterator[tuple[float, float]]:
    """Seconds of an epoch of our model and of the library's, in turn."""
    cleaner, views = cleaner_report.read("models/cleaner.h5"), rows()
    made = [build(config, cleaner, views[0]) for _ in range(2)]
    made[1].quantizer = Library(CATEGORIES, config)
    train, few = examples(made[0], views, 1.0), views[0].take(torch.arange(16))
    held = examples(made[0], [few], 0.0)
    ours, theirs = (training.fit(each, train, held, 0, None) for each in made)
    with (
        mock.patch.object(initialization, "start_codes", start_codes),
        mock.patch.object(initialization, "JITTERED_COPIES", 0),
    ):
        for _ in range(1 + REPETITIONS):
            spent = timed(partial(next, ours))[0]
            with mock.patch.object(objective, "_topographic", plain_topographic):
                yield spent, timed(partial(next, theirs))[0]


def rows() -> list[Cleaned]:
    """The default operators over and over, in all views."""
    source = cleanset.read("data/clean.h5")
    views = [source.aggregated, *map(source.single, range(source.realizations))]
    chosen = torch.arange(ROWS // len(views)) % len(source.aggregated)
    return [view.take(chosen) for view in views]


def build(config: Config, cleaner: Cleaner, view: Cleaned) -> model.Tokenizer:
    """A tokenizer with one category of all INITIAL columns and the others dealt out in turn."""
    kept = cleaner.kept
    others = [*kept["summary"], *kept["temporal"]]
    dealt = {str(i): others[i :: CATEGORIES - 1] for i in range(CATEGORIES - 1)}
    mapping = {"initial": kept["initial"], **dealt}
    channels, steps = view.fields.shape[1], view.temporal.shape[1]
    return model.Tokenizer(cleaner, mapping, config, (LEVELS,) * CATEGORIES, channels, steps)


def start_codes(
    made: model.Tokenizer, latents: Tensor, weights: Tensor, rows_per_step: float, seed: int
) -> None:
    """Codes that are projections of random rows, instead of k-means."""
    if isinstance(made.quantizer, ResidualQuantizer):
        fill(made.quantizer, latents)


def fill(quantizer: ResidualQuantizer, latents: Float[Tensor, "n G E"]) -> None:
    """The projections of some latents as codes of every level."""
    with torch.no_grad():
        for level, size in enumerate(quantizer.sizes):
            chosen = latents[torch.randint(len(latents), (size,))].transpose(0, 1)
            quantizer.codes(level).copy_(torch.bmm(chosen, quantizer.down[level]) / 2**level)
            quantizer.counts(level).fill_(BATCH / size)


def plain_topographic(
    made: model.Tokenizer,
    batch: Examples,
    pairs: Int[Tensor, "2 p"],
    found: objective.Pass,
) -> Float[Tensor, ""]:
    """The topographic loss category by category, with pairs of its own for each comparison."""
    latents, read = found.latents, found.read
    share, total = made.config.losses.topographic_pre, latents.new_zeros(())
    cells = (batch.inputs.cells * (batch.inputs.exists > 0)).split(made.layout.sizes, 1)
    for group, own in enumerate(cells):
        before, after = latents[:, group], read[:, group]
        for weight, one, two in ((share, own, before), (1 - share, before, after)):
            i, j = torch.randint(len(latents), pairs.shape)
            d, e = ((x[i] - x[j]).square().sum(1).clamp_min(1e-12).sqrt() for x in (one, two))
            total = total + weight * (1 - torch.corrcoef(torch.stack([d, e]))[0, 1])
    return total / len(cells)


class Library(TokenGrid):
    """The library's grouped residual quantizer behind the interface of ours."""

    def __init__(self, groups: int, config: Config) -> None:
        super().__init__((LEVELS,) * groups, config.sizes(LEVELS))
        self.inner = GroupedResidualVQ(
            dim=groups * config.group_embedding_dim,
            groups=groups,
            num_quantizers=LEVELS,
            codebook_size=config.sizes(1)[0],
            codebook_dim=config.dims(1)[0],
            decay=config.ema_decay,
            commitment_weight=1.0,
            beam_size=config.search_width if config.search_width > 1 else None,
        )

    def forward(self, latents: Float[Tensor, "n G E"]) -> Quantized:
        """Quantize; in training the codes follow at once."""
        found, tokens, distances = self.inner(latents.flatten(1)[:, None])
        return Quantized(
            latents=found[:, 0].unflatten(1, latents.shape[1:]),
            tokens=tokens[:, :, 0].transpose(0, 1),
            projected=(),
            commitment=distances.flatten(1).mean(1).expand(len(latents), -1),
        )


def steps(config: Config) -> Iterator[tuple[float, float]]:
    """Seconds of a step of our quantizer and of the library's for a batch, in turn."""
    width = config.group_embedding_dim
    latents = torch.randn(BATCH, CATEGORIES, width, requires_grad=True)
    ours = ResidualQuantizer(
        (LEVELS,) * CATEGORIES,
        width,
        config.sizes(LEVELS),
        config.dims(LEVELS),
        config.search_width,
    )
    initialization.draw(ours, 0)
    fill(ours, latents.detach())
    theirs = Library(CATEGORIES, config)
    for _ in range(1 + 3 * REPETITIONS):
        spent = timed(partial(step, ours, latents, config))[0]
        yield spent, timed(partial(step, theirs, latents, config))[0]


def step(quantizer: nn.Module, latents: Tensor, config: Config) -> None:
    """Quantize a batch, its gradient, and the moving averages."""
    weights = torch.ones(latents.shape[:2])
    found = quantizer(latents)
    loss = found.latents.square().mean() + losses.commitment(found.commitment, weights)
    torch.autograd.grad(loss, latents)
    if isinstance(quantizer, ResidualQuantizer):
        quantizer.follow(found, weights, config.ema_decay)


def encoding(wide: int) -> dict[str, float]:
    """Operators per second; `_width…` for other widths of the search."""
    learned, features = model.load("models/tokenizer.pt"), raw.read("data/features.h5").aggregated
    features = features.take(torch.arange(ENCODED) % len(features))
    cleaned = learned.cleaner.apply(features, smooth=False)
    with torch.no_grad():
        known = learned.encoder.dimensions(cleaned.fields)
    found = {"end_to_end": partial(learned.encode, features)}
    for width in sorted({1, 2, 4, wide}):
        found[f"width{width}"] = partial(encode, learned, cleaned, known, width)
    speeds = {}
    for name, work in found.items():
        spent = statistics.median(timed(work)[0] for _ in range(1 + REPETITIONS))
        speeds[name] = ENCODED / spent
    named = {f"tokenizer/encode_{name}_per_second": speed for name, speed in speeds.items()}
    return {"tokenizer/encode_per_second": speeds[f"width{wide}"], **named}


def encode(learned: model.Tokenizer, cleaned: Cleaned, known: Tensor | None, width: int) -> Tensor:
    """Tokens of cleaned features."""
    if isinstance(learned.quantizer, ResidualQuantizer):
        learned.quantizer.search_width = width
    with torch.no_grad():
        return learned.tokens(learned.latents(cleaned, known))
