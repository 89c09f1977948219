"""What an experiment may change about the tokenizer; section `train_vqvae` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock import randomness
from spinlock.params import STRICT
from spinlock.refusals import Refusal

Size = Annotated[int, Field(ge=1, le=2**20)]
Levels = Annotated[int, Field(ge=1, le=256)]
SizeOrNone = Annotated[int, Field(ge=0, le=2**20)]
Weight = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=1e-6, le=1e12)]  # from nothing to more than any set has

OF_CODES = ("vq", "codebook", "symbols")  # the losses that only learned codes have


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class LossConfig:
    """Weights of the losses; 0 switches one off."""

    reconstruction: Weight  # mean squared error of the target's cells, all tokens of a block
    vq: Weight  # commitment of the projected residuals to their codes
    codebook: Weight  # squared distance of the latents to what codes decode to; latents stand still
    symbols: Weight  # 1 - correlation of distances with the tokens expected to differ
    symbols_temperature: Annotated[
        float, Field(ge=1e-3)
    ]  # of that expectation: near 0, by the nearest code
    orthogonality: Weight  # correlation between the latents of two categories
    orthogonality_target: Share  # the correlation that costs nothing
    informativeness: Weight  # reconstruction of each category from its own tokens alone
    topographic: Weight  # 1 - correlation of distances
    topographic_pre: Share  # share of input ↔ latent; the rest is latent ↔ quantized
    topographic_pairs: Size  # pairs of rows drawn per step
    families: Weight  # reconstruction from the family embeddings


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class FamilyConfig:
    """Family embeddings; they serve probes and heads, never the tokens."""

    summary_hidden: tuple[Size, ...]  # widths of the MLP over the SUMMARY columns
    summary_dim: Size
    temporal_channels: Size  # of the 1-D ResNet along the TEMPORAL cells
    temporal_blocks: Size
    temporal_dim: Size


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class ReadoutConfig:
    """The linear correction of the trained decoder, see `readout.fit`."""

    copies: Annotated[int, Field(ge=0, le=10_000)]  # of the training rows; 0 = no correction
    own: Penalty  # on what a category's own latent says, operators
    others: Penalty  # and on what those of the other categories say


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `train_vqvae` of params.yaml."""

    seed: Annotated[int, Field(ge=0)]  # another one makes another tokenizer of the same data
    group_embedding_dim: Size  # width of a category's latent
    group_hidden_dim: SizeOrNone  # of its MLP over the SUMMARY and INITIAL columns; 0 = no MLP
    group_temporal_channels: SizeOrNone  # of its 1-D ResNet along the TEMPORAL cells; 0 = none
    group_temporal_blocks: SizeOrNone  # of that network; 0 if there is none
    field_channels: tuple[Size, ...]  # of the periodic CNN over u0, one strided layer each
    field_dim: Size  # learned dimensions of u0
    decoder_hidden_dim: Size  # of the non-linear path that joins the categories of a block
    temporal_bins: (
        Size  # equal windows of time, whose means of a TEMPORAL column are read and written
    )
    quantizer: Literal["residual", "fsq"]  # learned codes, or a grid: sizes and levels alone count
    levels: Literal["uniform", "allocated"]  # the same for all categories, or by gain
    num_levels: Levels  # residual, coarse to fine; if allocated, the mean over categories
    codebook_size: Size | tuple[Size, ...]  # K, codes per level
    latent_dim: Size | tuple[Size, ...]  # width of the codes per level
    search_width: Size  # partial sums kept while codes are chosen; 1 = level after level
    ema_decay: Annotated[float, Field(gt=0, lt=1)]  # weight of the past in the moving average
    commitment: Weight  # β of the loss `vq`, van den Oord et al. 2017, eq. 3
    reset_below: Weight  # replace a code used by fewer rows a step than this; 0 = never
    losses: LossConfig
    families: FamilyConfig
    readout: ReadoutConfig
    jitter: Weight  # share h of the difference of two operators that is added to a third
    single_view_weight: Weight  # of all single views of an operator together; aggregated has 1
    learning_rate: Annotated[float, Field(gt=0)]  # of decoders and family embeddings
    encoder_learning_rate: Annotated[float, Field(gt=0)]  # of encoder and projections
    code_learning_rate: Annotated[float, Field(gt=0)]  # of codes, by the losses that reach them
    weight_decay: Weight
    batch_size: Size  # rows of a step at most, every view of an operator being one
    warmup_epochs: Annotated[int, Field(ge=0)]  # without quantization, before the k-means
    epochs: Size  # with quantization, at most
    patience: Size  # epochs without a better `scores.cost` on validation before stopping

    def __post_init__(self) -> None:
        for name in ("codebook_size", "latent_dim"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.num_levels:
                raise ValueError(
                    f"{name}: allowed one number or {self.num_levels} (num_levels), got {value}"
                )
            if isinstance(value, tuple) and self.levels == "allocated":
                raise ValueError(f"{name}: allowed one number if levels are allocated, got {value}")
        if bool(self.group_temporal_channels) != bool(self.group_temporal_blocks):
            raise ValueError(
                "group_temporal_channels, group_temporal_blocks: allowed both 0 or both at least "
                f"1, got {self.group_temporal_channels} and {self.group_temporal_blocks}"
            )
        weights = {name: getattr(self.losses, name) for name in OF_CODES}
        given = ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)
        if self.quantizer == "fsq" and given:
            raise ValueError(
                f"losses: {', '.join(OF_CODES)}: allowed 0 if quantizer is fsq, which has no codes "
                f"to learn, got {given}"
            )
        if max(self.dims(self.num_levels)) > self.group_embedding_dim:
            raise ValueError(
                f"latent_dim: allowed at most group_embedding_dim = {self.group_embedding_dim}, "
                f"got {self.latent_dim}"
            )

    def views(self, realizations: int) -> int:
        """Rows of an operator in training: the aggregated one, and single ones if they weigh."""
        return 1 + realizations * bool(self.single_view_weight)

    def check_data(self, views: int, grid_size: int) -> None:
        """Refuse a batch without room for an operator, and a CNN that leaves nothing of u0.

        Args:
            views: rows of an operator in training.
            grid_size: H = W of u0.

        Raises:
            Refusal: naming the key.
        """
        if self.batch_size < views:
            raise Refusal(
                f"train_vqvae.batch_size: must be at least {views}, the views of an operator "
                f"(aggregated, and of each of generate.realizations), got {self.batch_size}"
            )
        deepest = grid_size.bit_length() - 1
        if len(self.field_channels) > deepest:
            raise Refusal(
                f"train_vqvae.field_channels: at most {deepest} layers, each of which halves the "
                f"grid of {grid_size}, got {len(self.field_channels)}"
            )

    def own_seed(self, seed: int) -> int:
        """Seed of the tokenizer's random streams, of the root seed and its own."""
        return randomness.integer_seed(seed, f"tokenizer/{self.seed}")

    def sizes(self, depth: int) -> tuple[int, ...]:
        """Codes of each of the first levels."""
        return _per_level(self.codebook_size, depth)

    def dims(self, depth: int) -> tuple[int, ...]:
        """Width of the codes of each of the first levels."""
        return _per_level(self.latent_dim, depth)


def _per_level(value: int | tuple[int, ...], depth: int) -> tuple[int, ...]:
    return value[:depth] if isinstance(value, tuple) else (value,) * depth
