"""Everything the tokenizer's scores read: the target, the tokenizer, and its rivals on all rows."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int

from spinlock.cleaning.sets import Cleaned
from spinlock.evaluation import bound, codes, readout
from spinlock.evaluation.bound import Coordinates
from spinlock.evaluation.codes import Coded, Fit, Target
from spinlock.evaluation.criteria import BOUNDS
from spinlock.tokenizer import initialization, scores
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.encoders import Inputs
from spinlock.tokenizer.layout import Layout
from spinlock.tokenizer.model import Tokenizer

START = "residual_beam"  # the rival that is how the tokenizer starts
RIDGE = 1e-3  # penalty on the refitted decoder, as a share of the mean variance of its inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaces:
    """An encoder's view of N operators; the latents of all categories side by side."""

    latents: Float[np.ndarray, "N d"]
    quantized: Float[np.ndarray, "N d"]
    tokens: Int[np.ndarray, "N S"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Target, tokenizer and rivals on the N rows of the aggregated view."""

    target: Target
    fitted: Target  # what the rivals are fitted to: the training operators, and further draws
    layout: Layout
    sizes: tuple[tuple[int, ...], ...]  # codes of each level, by category
    own: Spaces
    untrained: Spaces
    values: dict[str, Float[np.ndarray, "N M"]]  # reconstructed cells: "tokenizer" and the rivals
    tokens: dict[str, Int[np.ndarray, "N S"]]  # of the rivals that have a token for each of ours
    bounds: dict[str, Coordinates]  # by the names of `criteria.BOUNDS`

    @property
    def isolated(self) -> np.ndarray:
        """Whether each token belongs to an INITIAL category, [S]."""
        flags = [category.isolated for category in self.layout.categories]
        return np.repeat(flags, [len(levels) for levels in self.sizes])


def describe(
    tokenizer: Tokenizer,
    cleaned: Cleaned,
    train: Int[np.ndarray, " t"],
    fit: Fit,
    further: Cleaned | None = None,
) -> Vocabulary:
    """Encode all rows, and fit every rival on the training rows, those of further draws included.

    Args:
        tokenizer: the trained one.
        cleaned: aggregated view of all operators.
        train: positions of the valid training operators.
        fit: root seed and starts of the k-means.
        further: aggregated view of further draws of training operators, if the tokenizer had any.
    """
    inputs = tokenizer.inputs(cleaned)
    target = make_target(inputs, tokenizer.layout)
    sizes = tokenizer.sizes
    with torch.no_grad():
        latents = tokenizer.encoder(inputs)
        quantized = tokenizer.quantize(latents)
        values = {
            "tokenizer": _double(tokenizer.decoder(quantized.latents)),
            "unquantized": _double(tokenizer.decoder(latents)),
        }
    tokens = tokenizer.quantizer.flat(quantized.tokens).numpy()
    own = _spaces(latents, quantized.latents, tokens, tokenizer.layout)
    more = [further] if further else []
    fitted = make_target(tokenizer.inputs(cleaned.take(train).join(*more)), tokenizer.layout)
    rivals = {}
    for name, code in by_category(tokenizer.config, max(map(len, sizes))).items():
        if name == START:
            rivals[name], last = readout.beside(code, fitted, target, tokenizer, fit.named(name))
        else:
            rivals[name] = codes.by_category(code, fitted, target, sizes, fit.named(name))
    water = codes.pca_waterfill(fitted, target, codes.bits(sizes), fit.named("pca_waterfill"))
    untrained, guess = without_training(tokenizer, inputs, train, fit.named("untrained"), *more)
    values |= {name: coded.values for name, coded in rivals.items()}
    values |= {f"{START}_readout": last.values}
    values |= {"pca_waterfill": water.values, "untrained": guess.values}
    values["train_mean"] = train_mean(target, train)
    parts = np.zeros_like(target.category), target.category  # all cells together, by category
    return Vocabulary(
        target=target,
        fitted=fitted,
        layout=tokenizer.layout,
        sizes=sizes,
        own=own,
        untrained=untrained,
        values=values,
        tokens={name: coded.tokens for name, coded in rivals.items()},
        bounds={
            name: bound.coordinates(fitted, target, part)
            for name, part in zip(BOUNDS, parts, strict=True)
        },
    )


def by_category(config: Config, depth: int) -> dict[str, codes.Code]:
    """The equal-bit codes that keep the categories.

    Args:
        config: of the tokenizer.
        depth: levels of the category that has most.
    """
    beam = partial(codes.ResidualBeam, width=config.search_width, jitter=config.jitter)
    return {
        "pca_kmeans": codes.pca_kmeans,
        "residual_kmeans": codes.residual_kmeans,
        START: beam(axes=config.group_embedding_dim, dims=config.dims(depth)),
        "residual_beam_wide": beam(axes=None, dims=(None,) * depth),
        "product": codes.product,
    }


def make_target(inputs: Inputs, layout: Layout) -> Target:
    """The cells that the tokenizer reconstructs, as the classical codes take them."""
    return Target(
        values=_double(inputs.cells),
        exists=(inputs.exists > 0).numpy(),
        weight=_double(layout.weights()),
        category=np.repeat(np.arange(len(layout.sizes)), layout.sizes),
        column=layout.column_of_cell().numpy(),
    )


def train_mean(target: Target, train: Int[np.ndarray, " t"]) -> Float[np.ndarray, "N M"]:
    """The mean of each cell over the training rows in which it exists, for every row."""
    exists = target.exists[train]
    total = np.where(exists, target.values[train], 0.0).sum(0)
    return np.broadcast_to(total / np.maximum(exists.sum(0), 1), target.values.shape)


def without_training(
    tokenizer: Tokenizer,
    inputs: Inputs,
    train: Int[np.ndarray, " t"],
    fit: Fit,
    *further: Cleaned,
) -> tuple[Spaces, Coded]:
    """The same encoder with random weights that were never fitted to anything.

    Its latents are quantized by residual k-means with as many codes in as many levels, fitted on
    the training rows and further draws, and decoded by a ridge regression per category fitted
    there too: what training the encoder adds is the difference to this.
    """
    random = Tokenizer(
        tokenizer.cleaner,
        tokenizer.mapping,
        tokenizer.config,
        tokenizer.quantizer.levels,
        tokenizer.channels,
        tokenizer.num_steps,
    )
    initialization.draw(random, fit.seed)
    others = [tokenizer.inputs(each) for each in further]
    with torch.no_grad():
        latents, *more = [random.encoder(each) for each in (inputs, *others)]
    target, layout = make_target(inputs, tokenizer.layout), tokenizer.layout
    taught = [target.take(train).values, *(_double(each.cells) for each in others)]
    quantized, tokens = torch.empty_like(latents), []
    values = np.zeros_like(target.values)
    for group in range(len(tokenizer.categories)):
        points, cells = _double(latents[:, group]), target.category == group
        fitted = np.concatenate([points[train], *(_double(each[:, group]) for each in more)])
        sizes, rows = tokenizer.sizes[group], np.concatenate([points, fitted])
        coded = codes.residual_kmeans(fitted, rows, sizes, fit.named(group))
        found, learned = np.split(coded.values, [len(points)])
        wanted = np.concatenate([each[:, cells] for each in taught])
        values[:, cells] = ridge(learned, wanted, found)
        quantized[:, group] = torch.from_numpy(found)
        tokens.append(coded.tokens[: len(points)])
    together = np.concatenate(tokens, axis=1)
    return _spaces(latents, quantized, together, layout), Coded(values, together)


def ridge(
    inputs: Float[np.ndarray, "t d"],
    outputs: Float[np.ndarray, "t m"],
    asked: Float[np.ndarray, "N d"],
) -> Float[np.ndarray, "N m"]:
    """Predictions for some rows of an affine map fitted on others."""
    mean, offset = inputs.mean(0), outputs.mean(0)
    x, y = inputs - mean, outputs - offset
    gram = x.T @ x
    penalty = RIDGE * max(np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y)
    return (asked - mean) @ weights + offset


def _spaces(
    latents: torch.Tensor, quantized: torch.Tensor, tokens: np.ndarray, layout: Layout
) -> Spaces:
    return Spaces(
        latents=_double(scores.joint(latents, layout)),
        quantized=_double(scores.joint(quantized, layout)),
        tokens=tokens,
    )


def _double(values: torch.Tensor) -> np.ndarray:
    return values.double().numpy()
