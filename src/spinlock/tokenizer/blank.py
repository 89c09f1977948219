"""A tokenizer before training."""

from collections.abc import Mapping, Sequence

from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.cleanset import CleanSet
from spinlock.refusals import Refusal
from spinlock.tokenizer import allocation
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.layout import assign
from spinlock.tokenizer.model import Tokenizer


def build(
    source: CleanSet,
    cleaner: Cleaner,
    mapping: Mapping[str, Sequence[str]],
    config: Config,
    seed: int,
) -> Tokenizer:
    """A tokenizer before training, its levels those of all training operators.

    Args:
        source: cleaned features.
        cleaner: which cleaned them.
        mapping: category name to its columns.
        config: how.
        seed: root seed.

    Raises:
        Refusal: source, cleaner and mapping do not have the same columns, or the windows do not
            divide T.
    """
    if source.columns != cleaner.kept:
        raise Refusal(
            "train-vqvae: the columns of the cleaned features are not those that the cleaner "
            "keeps; they are of different runs (dvc repro)"
        )
    channels, steps = source.aggregated.fields.shape[1], source.aggregated.temporal.shape[1]
    layout = assign(mapping, cleaner.kept, config.temporal_bins, steps)
    levels = allocation.levels(source.aggregated.take(source.rows("train")), layout, config, seed)
    return Tokenizer(cleaner, mapping, config, levels, channels, steps)
