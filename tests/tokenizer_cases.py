"""A small tokenizer on features whose hidden factors are known; see `synthetic_features`."""

from dataclasses import replace

import synthetic_features as synthetic
from spinlock.cleaning import cleanset, fitting
from spinlock.cleaning.cleanset import CleanSet
from spinlock.tokenizer import blank, initialization, report
from spinlock.tokenizer.config import Config, FamilyConfig, LossConfig, ReadoutConfig
from spinlock.tokenizer.model import Tokenizer

LOSSES = LossConfig(
    reconstruction=1.0,
    vq=1.0,
    codebook=1.0,
    symbols=0.1,
    symbols_temperature=0.25,
    orthogonality=0.1,
    orthogonality_target=0.15,
    informativeness=0.1,
    topographic=0.3,
    topographic_pre=0.3,
    topographic_pairs=64,
    families=1.0,
)
CONFIG = Config(
    seed=0,
    group_embedding_dim=6,
    group_hidden_dim=8,
    group_temporal_channels=4,
    group_temporal_blocks=1,
    field_channels=(4,),
    field_dim=3,
    decoder_hidden_dim=8,
    temporal_bins=4,
    quantizer="residual",
    levels="uniform",
    num_levels=2,
    codebook_size=(8, 6),
    latent_dim=(4, 3),
    search_width=3,
    ema_decay=0.9,
    commitment=0.25,
    reset_below=0.0,
    losses=LOSSES,
    families=FamilyConfig(
        summary_hidden=(8,), summary_dim=6, temporal_channels=4, temporal_blocks=1, temporal_dim=6
    ),
    readout=ReadoutConfig(copies=2, own=1.0, others=10.0),
    jitter=0.1,
    single_view_weight=1.0,
    learning_rate=1e-2,
    encoder_learning_rate=1e-3,
    code_learning_rate=1e-2,
    weight_decay=1e-2,
    batch_size=32,
    warmup_epochs=2,
    epochs=4,
    patience=10,
)
GRID = {"quantizer": "fsq", "losses": replace(LOSSES, vq=0.0, codebook=0.0, symbols=0.0)}


def source(count: int = 60, seed: int = 0) -> tuple[fitting.Cleaner, CleanSet]:
    """A cleaner and both cleaned views."""
    features = synthetic.features(count, seed)
    cleaner = fitting.fit(synthetic.train(features), features.names, synthetic.THRESHOLDS)
    return cleaner, cleanset.clean(features, cleaner)


def further(cleaner: fitting.Cleaner, count: int = 60) -> CleanSet:
    """Other rows in the columns of a cleaner, as if of further draws."""
    return cleanset.clean(synthetic.features(count, seed=1), cleaner)


def mapping(kept: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Two INITIAL categories, a mixed one, one of SUMMARY columns alone, one of TEMPORAL alone."""
    summary, temporal = kept["summary"], kept["temporal"]
    return {
        "initial_0": list(kept["initial"][:7]),
        "initial_1": list(kept["initial"][7:]),
        "mixed": [n for n in summary if "energy" in n] + [n for n in temporal if "spatial" in n],
        "numbers": [n for n in summary if "energy" not in n],
        "series": [n for n in temporal if "spectral" in n],
    }


def build(cleaner: fitting.Cleaner, cleaned: CleanSet, **changes: object) -> Tokenizer:
    """An untrained tokenizer with random weights."""
    config = replace(CONFIG, **changes)
    model = blank.build(cleaned, cleaner, mapping(cleaner.kept), config, 1)
    initialization.draw(model, 1)
    return model


def started(cleaner: fitting.Cleaner, cleaned: CleanSet, **changes: object) -> Tokenizer:
    """A tokenizer as it stands after k-means, before any step."""
    model = build(cleaner, cleaned, **changes)
    train = report.training_examples(model, cleaned)
    initialization.start_from_principal_axes(model, train.inputs.cells, train.inputs.exists)
    latents = model.encoder(train.inputs).detach()
    initialization.start_codes(model, latents, train.groups, len(latents), 1)
    return model.eval()
