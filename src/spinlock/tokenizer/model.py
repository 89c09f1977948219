"""The tokenizer: features in, tokens out, and back; self-contained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spinlock import artifacts, params
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import Cleaned, FeatureSet
from spinlock.refusals import Refusal
from spinlock.tokenizer.blocks import RaggedReadout
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.decoders import Decoder
from spinlock.tokenizer.encoders import CategoryEncoder, Inputs, prepare
from spinlock.tokenizer.families import FamilyEncoder
from spinlock.tokenizer.fsq import ScalarQuantizer
from spinlock.tokenizer.grid import Quantized
from spinlock.tokenizer.layout import assign
from spinlock.tokenizer.quantizer import ResidualQuantizer

KIND = "tokenizer"
MANY = 32  # rows that take the same path of a matrix product as any more; fewer may round otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Standardized columns that tokens stand for; a TEMPORAL one by window of time."""

    initial: Float[Tensor, "n K0"]
    summary: Float[Tensor, "n K1"]
    temporal: Float[Tensor, "n bins K2"]


class Tokenizer(nn.Module):
    """Categorical hierarchical VQ-VAE with everything needed to use it on raw features.

    An operator has S tokens, one for each level of each of the G categories, in the order of
    `token_names`. Inside, they stand in a grid [G, L], L the most levels of a category.
    A category's tokens depend on its own columns alone (and on u0 if it has INITIAL columns).
    """

    members: Tensor  # weight of each cell in its category [Q, G]
    latent_mean: Tensor  # over the training rows [G, E]
    latent_std: Tensor

    def __init__(
        self,
        cleaner: Cleaner,
        mapping: Mapping[str, Sequence[str]],
        config: Config,
        levels: Sequence[int],
        channels: int,
        num_steps: int,
    ) -> None:
        """Build with all weights zero; `initialization.draw` or `load` fills them.

        Args:
            cleaner: fitted on the training operators.
            mapping: category name to its columns, every kept column in exactly one.
            config: section `train_vqvae`.
            levels: of each category, see `allocation.levels`.
            channels: C of the fields.
            num_steps: T of the series; other lengths are refused.

        Raises:
            Refusal: mapping and columns do not match, or the windows do not divide T.
        """
        super().__init__()
        self.cleaner, self.config = cleaner, config
        self.mapping = {name: tuple(columns) for name, columns in mapping.items()}
        self.channels, self.num_steps = channels, num_steps
        self.layout = assign(self.mapping, cleaner.kept, config.temporal_bins, num_steps)
        groups, width = len(self.categories), config.group_embedding_dim
        self.encoder = CategoryEncoder(self.layout, channels, config)
        self.quantizer = _quantizer(levels, config)
        self.decoder = Decoder(self.layout, width, config.decoder_hidden_dim)
        self.partial = RaggedReadout(width, self.layout.sizes)
        self.families = FamilyEncoder(self.layout, channels, config)
        self.register_buffer("members", self.layout.members(), persistent=False)
        self.register_buffer("latent_mean", torch.zeros(groups, width))
        self.register_buffer("latent_std", torch.ones(groups, width))

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories."""
        return tuple(category.name for category in self.layout.categories)

    @property
    def token_names(self) -> tuple[str, ...]:
        """`category/level`, levels from coarse (0) to fine."""
        return tuple(
            f"{name}/{level}"
            for name, sizes in zip(self.categories, self.sizes, strict=True)
            for level in range(len(sizes))
        )

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Codes of each level of each category."""
        return tuple(self.quantizer.sizes[:levels] for levels in self.quantizer.levels)

    @property
    def bits(self) -> float:
        """Bits of the tokens of one operator."""
        return self.quantizer.bits

    def inputs(self, cleaned: Cleaned) -> Inputs:
        """Cleaned features as the encoders read them.

        Raises:
            Refusal: other columns, steps or channels than the tokenizer was made for.
        """
        self._check(cleaned)
        return prepare(cleaned, self.layout)

    def encode(self, features: FeatureSet) -> Int[Tensor, "n S"]:
        """Tokens of raw features of either view, row by row."""
        count = len(features)
        if not count:
            return torch.zeros(0, len(self.token_names), dtype=torch.int64)
        if count < MANY:
            features = features.take(torch.arange(MANY) % count)
        with torch.no_grad():
            latents = self.latents(self.cleaner.apply(features, smooth=False))
            return self.tokens(latents)[:count]

    def decode(self, tokens: Int[Tensor, "n S"]) -> Decoded:
        """Standardized columns that the tokens stand for.

        Raises:
            Refusal: another number of tokens, or a token outside its codebook.
        """
        limits = torch.tensor([size for sizes in self.sizes for size in sizes])
        if tokens.shape[1] != len(limits):
            raise Refusal(f"tokens: expected [n, {len(limits)}], got {list(tokens.shape)}")
        for row, place in ((tokens < 0) | (tokens >= limits)).nonzero().tolist():
            raise Refusal(
                f"tokens: row {row}: {self.token_names[place]}: expected 0 to {limits[place] - 1}, "
                f"got {tokens[row, place]}"
            )
        with torch.no_grad():
            latents = self.quantizer.decode(self.quantizer.grid(tokens))
            return self.arrange(self.decoder(latents))

    def arrange(self, cells: Float[Tensor, "n Q"]) -> Decoded:
        """Cells in the layout's order as columns by family."""
        flat = torch.empty_like(cells).index_copy(1, self.layout.order(), cells)
        initial, summary, temporal = (len(self.layout.columns[f]) for f in self.layout.columns)
        bins = self.layout.temporal_bins
        parts = flat.split((initial, summary, temporal * bins), 1)
        return Decoded(
            initial=parts[0],
            summary=parts[1],
            temporal=parts[2].unflatten(1, (temporal, bins)).transpose(1, 2),
        )

    def latents(
        self, cleaned: Cleaned, known: Float[Tensor, "n dim"] | None = None
    ) -> Float[Tensor, "n G E"]:
        """Latents before quantization; differentiable in the cleaned values.

        Args:
            cleaned: features.
            known: `encoder.dimensions` of the fields, if they were computed before.
        """
        return self.encoder(self.inputs(cleaned), known)

    def quantize(self, latents: Float[Tensor, "n G E"]) -> Quantized:
        """Quantized latents (straight-through gradient), tokens [n, G, L], commitment."""
        return self.quantizer(latents)

    def tokens(self, latents: Float[Tensor, "n G E"]) -> Int[Tensor, "n S"]:
        """Tokens of latents, in the order of `token_names`."""
        return self.quantizer.flat(self.quantizer.choose(latents))

    def code_distance(
        self, latents: Float[Tensor, "n G E"], tokens: Int[Tensor, "n G L"] | None = None
    ) -> Float[Tensor, "n G"]:
        r"""Squared distance $\|z - \hat z\|^2$ of each latent to its quantized reconstruction.

        Differentiable in the latents; the codes stand still. The latents of a category have
        a total variance of about 1 by construction, so 1 is as bad as the mean for all.

        Args:
            latents: z, before quantization.
            tokens: the codes to measure against, such as those of a target; nearest if None.
        """
        quantized = (
            self.quantize(latents.detach()).latents
            if tokens is None
            else self.quantizer.decode(tokens)
        )
        return (latents - quantized.detach()).square().sum(-1)

    def standardize(self, latents: Float[Tensor, "n G E"]) -> Float[Tensor, "n G E"]:
        """Latents in standard deviations of the training operators."""
        return (latents - self.latent_mean) / self.latent_std

    def embeddings(self, cleaned: Cleaned) -> dict[str, Float[Tensor, "n dim"]]:
        """Family embeddings; that of INITIAL is its columns and the field's dimensions."""
        learned = self.families(self.inputs(cleaned))
        if "initial" in learned:
            learned["initial"] = torch.cat([cleaned.initial, learned["initial"]], 1)
        return learned

    def save(self, path: Path) -> None:
        """Write everything `load` needs; the same bytes for the same content."""
        payload = {
            "cleaner": self.cleaner.state(),
            "categories": {name: list(columns) for name, columns in self.mapping.items()},
            "config": asdict(self.config),
            "levels": list(self.quantizer.levels),
            "channels": self.channels,
            "num_steps": self.num_steps,
            "weights": {name: value.clone() for name, value in self.state_dict().items()},
        }
        artifacts.save_checkpoint(path, KIND, payload)

    def _check(self, cleaned: Cleaned) -> None:
        for family, names in self.layout.columns.items():
            found = getattr(cleaned, family).shape[-1]
            if found != len(names):
                raise Refusal(
                    f"tokenizer: {family}: expected the {len(names)} columns {_some(names)}, "
                    f"got {found}"
                )
        if self.layout.columns["temporal"] and cleaned.temporal.shape[1] != self.num_steps:
            raise Refusal(
                f"tokenizer: temporal: expected series of {self.num_steps} steps, as in training, "
                f"got {cleaned.temporal.shape[1]}"
            )
        if cleaned.fields.shape[1] != self.channels:
            raise Refusal(
                f"tokenizer: fields: expected {self.channels} channels, "
                f"got {cleaned.fields.shape[1]}"
            )


@artifacts.refusing_incomplete
def load(path: Path | str) -> Tokenizer:
    """Read a tokenizer that `Tokenizer.save` wrote, ready for use on raw features.

    Raises:
        Refusal: the file is missing, damaged, incomplete or of another kind.
    """
    found = artifacts.load_checkpoint(path, KIND)
    model = Tokenizer(
        Cleaner.from_state(found["cleaner"]),
        found["categories"],
        params.parse("config", found, Config, path),
        found["levels"],
        found["channels"],
        found["num_steps"],
    )
    model.load_state_dict(found["weights"])
    return model.eval()


def _quantizer(levels: Sequence[int], config: Config) -> ResidualQuantizer | ScalarQuantizer:
    width, depth = config.group_embedding_dim, max(levels)
    sizes, dims = config.sizes(depth), config.dims(depth)
    if config.quantizer == "fsq":
        return ScalarQuantizer(levels, width, sizes)
    return ResidualQuantizer(levels, width, sizes, dims, config.search_width)


def _some(names: Sequence[str]) -> str:
    return f"{names[0]} … {names[-1]}" if names else "(none)"
