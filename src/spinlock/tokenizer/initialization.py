"""Where training starts: seeded draws, principal axes, k-means on the whole training set."""

import numpy as np
import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from torch import Tensor, nn

from spinlock import randomness
from spinlock.tokenizer.fsq import ScalarQuantizer
from spinlock.tokenizer.model import Tokenizer
from spinlock.tokenizer.quantizer import Beam, ResidualQuantizer

SMALL = 0.01  # scale of the corrections beside an affine path, so that the affine path leads
CORRECTIONS = ("encoder.static_out", "encoder.series.out", "decoder.joint_out")
JITTERED_COPIES = 7  # of the training rows, for the k-means
EPSILON = 1e-6  # share of an axis, or of a row, that is nothing


def is_bias(name: str) -> bool:
    """True for the parameters that start at zero and are not decayed."""
    return "bias" in name


def draw(model: nn.Module, seed: int) -> None:
    """Fill every parameter from its own stream: normal with variance 1 / fan-in; biases zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_bias(name):
                parameter.zero_()
                continue
            kernel = "kernel" in name
            fan_in = parameter.shape[1:].numel() if kernel else parameter.shape[-2]
            rng = randomness.stream(seed, f"tokenizer/{name}")
            values = rng.standard_normal(tuple(parameter.shape), dtype=np.float32)
            scale = (SMALL if name.startswith(CORRECTIONS) else 1.0) / fan_in**0.5
            parameter.copy_(torch.from_numpy(values * np.float32(scale)))


@torch.no_grad()
def start_from_principal_axes(
    model: Tokenizer, cells: Float[Tensor, "n Q"], exists: Float[Tensor, "n Q"]
) -> None:
    r"""Set the affine paths to the principal axes of each category.

    With cell weights $w$ that sum to 1 in a category, $z = V^T \sqrt{w} x$ and
    $x = V z / \sqrt{w}$, V the leading eigenvectors of the second moments of $\sqrt{w} x$.
    Distances of latents then are root mean square differences of columns.
    """
    sizes = model.layout.sizes
    parts = zip(
        (cells * (exists > 0)).split(sizes, 1), model.layout.weights().split(sizes), strict=True
    )
    for group, (x, weights) in enumerate(parts):
        root = (weights / weights.sum()).double().sqrt()
        axes = principal_axes(x.double() * root, model.config.group_embedding_dim)
        size, dims = axes.shape
        affine, own = model.encoder.affine.weights[group], model.decoder.own.weights[group]
        affine.mul_(SMALL)
        affine[-size - model.layout.static_sizes[group] : -size] = 0.0  # the masks
        affine[-size:, :dims] = (root[:, None] * axes).float()
        own.mul_(SMALL)
        own[:dims] = (axes / root[:, None]).T.float()
        model.partial.weights[group].copy_(own)


def principal_axes(x: Float[Tensor, "n D"], width: int | None) -> Float[Tensor, "D d"]:
    """Leading axes of the second moments, at most `width`; the largest entry is positive."""
    _, vectors = torch.linalg.eigh(x.T @ x / len(x))
    axes = vectors.flip(1)[:, :width]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return axes * largest.sign()


@torch.no_grad()
def start_codes(
    model: Tokenizer,
    latents: Float[Tensor, "n G E"],
    weights: Float[Tensor, "n G"],
    rows_per_step: float,
    seed: int,
) -> None:
    """Projections from the principal axes of each residual, codes from k-means on all rows.

    A quantizer without codes starts as `start_scalars` says.

    Args:
        latents: of every training row.
        weights: of each row in each category, 0 where none of its columns exists.
        rows_per_step: rows of a step of the training, mean over an epoch; the codes' counts start
            as of so many.
        seed: root seed.
    """
    quantizer = model.quantizer
    if isinstance(quantizer, ScalarQuantizer):
        start_scalars(quantizer, latents, weights)
        return
    for group, levels in enumerate(quantizer.levels):
        beam = Beam.of(latents[:, [group]])
        for level in range(levels):
            name = f"k_means/{level}/{model.categories[group]}"
            place = int((quantizer.groups(level) < group).sum())
            _start_level(
                quantizer,
                (level, place),
                beam.residual[0, :, 0],
                weights[:, group],
                randomness.integer_seed(seed, name),
            )
            codes = quantizer.codes(level)[place] @ quantizer.up[level][place]
            beam = beam.extend(codes[None], quantizer.search_width)
    tokens = quantizer.choose(latents)
    for level, size in enumerate(quantizer.sizes):
        groups = quantizer.groups(level)
        chosen = nn.functional.one_hot(tokens[:, groups, level], size) * weights[:, groups, None]
        quantizer.counts(level).copy_(chosen.mean(0) * rows_per_step)


def _start_level(
    quantizer: ResidualQuantizer,
    where: tuple[int, int],
    residual: Float[Tensor, "n E"],
    weights: Float[Tensor, " n"],
    seed: int,
) -> None:
    """Fill the projections and the codebook of a level of one group."""
    level, place = where
    rows = weights > 0
    points, shares = residual[rows].double(), weights[rows].double()
    axes = principal_axes(points * shares.sqrt()[:, None], quantizer.dims[level])
    quantizer.down[level][place] = axes.float()
    quantizer.up[level][place] = axes.T.float()
    centers = k_means((points @ axes).numpy(), shares.numpy(), quantizer.sizes[level], seed)
    quantizer.codes(level)[place] = torch.from_numpy(centers).float()


@torch.no_grad()
def start_scalars(
    quantizer: ScalarQuantizer, latents: Float[Tensor, "n G E"], weights: Float[Tensor, "n G"]
) -> None:
    """Scalars from the principal axes in standard deviations, latents from their steps by ridge.

    Args:
        quantizer: to fill.
        latents: of every training row.
        weights: of each row in each category, 0 where none of its columns exists.
    """
    for group, points in enumerate(latents.double().unbind(1)):
        share = (weights[:, group] / weights[:, group].sum()).double()[:, None]
        mean = (points * share).sum(0)
        centered = (points - mean) * share.sqrt()
        axes = principal_axes(centered * len(points) ** 0.5, quantizer.down.shape[2])
        scale = (centered @ axes).square().sum(0).sqrt()
        down = torch.where(scale > EPSILON * scale.max(), axes / scale, 0.0)
        quantizer.down[group, :, : down.shape[1]] = down.float()
        quantizer.down_bias[group, 0, : down.shape[1]] = -(mean @ down).float()
    quantizer.up.zero_()
    quantizer.up_bias.zero_()
    unit = quantizer.unit(quantizer(latents).tokens)
    for group, points in enumerate(latents.double().unbind(1)):
        share = weights[:, group].double().sqrt()[:, None]
        x = torch.cat([unit[:, group].double(), torch.ones_like(share)], 1) * share
        penalty = EPSILON * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        up = torch.linalg.solve(x.T @ x + penalty, x.T @ (points * share)).float()
        quantizer.up[group] = up[:-1]
        quantizer.up_bias[group] = up[-1:]


def k_means(points: np.ndarray, weights: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Centers [size, d]; where there are fewer distinct points than centers, some repeat."""
    distinct = len(np.unique(points, axis=0))
    fit = KMeans(min(size, distinct), n_init=1, random_state=seed, algorithm="lloyd")
    centers = fit.fit(points, sample_weight=weights).cluster_centers_
    return np.resize(centers, (size, points.shape[1]))
