"""What a trained tokenizer leaves behind: metrics of its best epoch, tokens of every operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from spinlock import artifacts
from spinlock.cleaning import metadata
from spinlock.cleaning.cleanset import CleanSet
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.sets import Cleaned
from spinlock.refusals import Refusal
from spinlock.tokenizer import scores
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.examples import Examples, examples
from spinlock.tokenizer.model import Tokenizer

NONE = -1  # the token of an operator without features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """Tokens of N operators in the aggregated view; `NONE` for an invalid operator."""

    tokens: Int[np.ndarray, "N S"]
    names: tuple[str, ...]  # category/level of each of the S tokens
    metadata: Metadata


def check(config: Config, source: CleanSet) -> None:
    """Refuse, before any work, settings that cannot be right for a set.

    Raises:
        Refusal: as `Config.check_data`.
    """
    config.check_data(config.views(source.realizations), source.aggregated.fields.shape[-1])


def training_examples(model: Tokenizer, source: CleanSet, *further: CleanSet) -> Examples:
    """Both views of the valid training operators, and of further draws of them as operators.

    Raises:
        Refusal: there is no such operator.
    """
    if not len(source.rows("train")):
        raise Refusal("train_vqvae: no valid training operator")
    weight = model.config.single_view_weight
    several = [_training_views(each, singles=bool(weight)) for each in (source, *further)]
    views = [first.join(*others) for first, *others in zip(*several, strict=True)]
    return examples(model, views, weight)


def _training_views(source: CleanSet, *, singles: bool) -> list[Cleaned]:
    """The aggregated view of the valid training operators, and their single views."""
    drawn = range(source.realizations if singles else 0)
    views = [source.aggregated, *(source.single(realization) for realization in drawn)]
    return [view.take(source.rows("train")) for view in views]


def validation_examples(model: Tokenizer, source: CleanSet) -> Examples:
    """The aggregated view of the valid validation operators."""
    return examples(model, [source.aggregated.take(source.rows("validation"))], 0.0)


@torch.no_grad()
def encode(model: Tokenizer, source: CleanSet) -> Tokens:
    """Tokens of all operators."""
    found = model.tokens(model.latents(source.aggregated)).numpy()
    tokens = np.where(source.metadata.valid[:, None], found, NONE).astype(np.int32)
    return Tokens(tokens=tokens, names=model.token_names, metadata=source.metadata)


def metrics(
    model: Tokenizer,
    tokens: Tokens,
    history: Sequence[Mapping[str, float]],
    finished: Mapping[str, float],
) -> dict[str, float | int]:
    """Metrics of the tokenizer of the best epoch, its readout corrected.

    * `vqvae/val_loss`: weighted sum of all losses on validation; no unit, compare runs with equal
      weights only. Bad case: it grows while `reconstruction` of the training operators falls.
    * `vqvae/reconstruction`, `vqvae/quality`: `scores.reconstruction` on validation, in train
      variances (0 perfect, 1 no better than the mean), and 1 minus it (bad case: 0 or less).
    * `vqvae/topo_pre`, `vqvae/topo_post`, `vqvae/topo_tokens`: `scores.topographic_similarity` on
      validation, input ↔ latent, latent ↔ quantized and input ↔ tokens (Hamming). Bad case: 0.
    * `vqvae/utilization`, `vqvae/perplexity`, `vqvae/perplexity_normalized`: `scores.utilization`
      and `scores.perplexity` of the aggregated view of the training operators.
    * `vqvae/bits`: bits of an operator's tokens if all codes were equally likely.
    * `vqvae/epochs`, `vqvae/best_epoch`: quantized or not, counted from 1; the best by
      `scores.cost` before `readout.fit`, of what the curves show.

    Args:
        model: the trained tokenizer.
        tokens: of every operator.
        history: scores of each epoch.
        finished: `training.validation_scores` of the trained tokenizer.
    """
    last = model.config.warmup_epochs
    costs = [scores.cost(record, model.config.losses.symbols) for record in history[last:]]
    epoch = last + costs.index(min(costs))
    used = _used(model, tokens)
    return {
        "vqvae/val_loss": finished["val_loss"],
        "vqvae/reconstruction": finished["reconstruction"],
        "vqvae/quality": 1 - finished["reconstruction"],
        "vqvae/topo_pre": finished["topo_pre"],
        "vqvae/topo_post": finished["topo_post"],
        "vqvae/topo_tokens": finished["topo_tokens"],
        "vqvae/utilization": scores.utilization(used),
        "vqvae/perplexity": scores.perplexity(used, normalized=False),
        "vqvae/perplexity_normalized": scores.perplexity(used, normalized=True),
        "vqvae/bits": model.bits,
        "vqvae/epochs": len(history),
        "vqvae/best_epoch": epoch + 1,
    }


def _used(model: Tokenizer, tokens: Tokens) -> list[torch.Tensor]:
    rows = torch.from_numpy(tokens.tokens[tokens.metadata.rows("train")]).long()
    return scores.counts(rows, model.sizes)


def write(path: Path, tokens: Tokens, provenance: object) -> None:
    """Write `data/tokens.h5`."""
    with artifacts.writing(path, "tokens", provenance) as sink:
        sink.put("tokens", tokens.tokens, "N S", columns=tokens.names, units=["code"])
        metadata.write(sink, tokens.metadata)


def read(path: Path) -> Tokens:
    """Read `data/tokens.h5`.

    Raises:
        Refusal: the file is missing, damaged or of another kind.
    """
    with artifacts.reading(path, "tokens") as source:
        return Tokens(
            tokens=source.get("tokens", "N S"),
            names=source.columns("tokens"),
            metadata=metadata.read(source),
        )
