"""What the U-shaped networks of the agent and of the data share: widths, and a look inside."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

MAX_WIDENING = 8  # widths double from level to level, up to this multiple of the first
Place = Literal["bottleneck", "skips", "all"]


def width(base_channels: int, level: int) -> int:
    """Channels at a level."""
    return base_channels * min(2**level, MAX_WIDENING)


def features(
    skips: Sequence[Tensor],
    bottleneck: Tensor,
    extract_from: Place,
    skip_levels: Sequence[int] | None,
) -> dict[str, Tensor]:
    """What a network sees inside, by name: `bottleneck`, `skip_0`, `skip_1` …

    Args:
        skips: of all levels, finest first.
        bottleneck: below the last level.
        extract_from: the bottleneck, the skips, or all of them.
        skip_levels: levels whose skips are wanted; None, all.

    Raises:
        ValueError: a level does not exist.
    """
    levels = range(len(skips)) if skip_levels is None else skip_levels
    if not set(levels) <= set(range(len(skips))):
        raise ValueError(f"skip_levels: allowed 0 … {len(skips) - 1}, got {skip_levels}")
    found = {} if extract_from == "skips" else {"bottleneck": bottleneck}
    if extract_from != "bottleneck":
        found |= {f"skip_{level}": skips[level] for level in levels}
    return found
