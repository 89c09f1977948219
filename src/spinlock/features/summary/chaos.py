"""Whether a series is regular, random or chaotic; for the group nonlinear."""

import math

import numpy as np
from jaxtyping import Float

EQUAL = 1e-6  # nats; a smaller fall of x_t is rounding, and counts as none
PATTERNS = math.factorial(3)
TOLERANCE = 0.2  # standard deviations
BOXES = (4, 5, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128)  # steps, half octaves; up to T / 4
FREQUENCIES = np.linspace(math.pi / 5, 4 * math.pi / 5, 40)
LAGS = 8  # T over the longest lag of the 0-1 test


def permutation_entropy(x: Float[np.ndarray, "T"]) -> float:
    """Entropy of the order of three steps in sequence, as a share of that of random order."""
    first, second, third = x[:-2], x[1:-1], x[2:]
    falls, falls_again = first - second > EQUAL, second - third > EQUAL
    ends_lower = (first - third > EQUAL) & (falls | falls_again)
    count = np.bincount(4 * falls + 2 * falls_again + ends_lower)
    share = count[count > 0] / count.sum()
    return float((share * np.log(1 / share)).sum() / math.log(PATTERNS))


def sample_entropy(x: Float[np.ndarray, "T"]) -> float:
    r"""$-\ln \frac{A + 1}{B + 1}$: pairs of runs of length 2 that are close, and stay close.

    B counts the pairs of runs of two steps whose values differ by at most 0.2 standard deviations,
    A those of which the third step does, too. One pair is added to both, so that it exists.
    """
    close = np.abs(x[:, None] - x) <= TOLERANCE * x.std()
    pairs = np.triu(close[:-2, :-2] & close[1:-1, 1:-1], 1)
    return -math.log(((pairs & close[2:, 2:]).sum() + 1) / (pairs.sum() + 1))


def dfa_exponent(x: Float[np.ndarray, "T"]) -> float:
    """Slope of ln F(n) on ln n, F the rms of what lines leave of the summed series in n steps."""
    profile = np.cumsum(x - x.mean())
    boxes = [box for box in BOXES if 4 * box <= len(x)]
    left = []
    for box in boxes:
        inside = np.lib.stride_tricks.sliding_window_view(profile, box)
        inside = inside - inside.mean(1, keepdims=True)
        time = np.arange(box) - (box - 1) / 2
        slope = inside @ time / np.sum(time**2)
        left.append(np.mean((inside - slope[:, None] * time) ** 2))
    return float(np.polyfit(np.log(boxes), np.log(left) / 2, 1)[0])


def chaos_test(x: Float[np.ndarray, "T"]) -> float:
    r"""0-1 test: median over c of the correlation of n with the spread after n steps.

    The series drives a walk in the plane, $p_t = \sum_{j \le t} (x_j - \bar x) e^{i c j}$, which
    diffuses if the series is chaotic and stays bounded if it is regular.
    """
    steps = np.arange(1, len(x) + 1)
    longest = len(x) // LAGS
    walk = np.cumsum((x - x.mean()) * np.exp(1j * FREQUENCIES[:, None] * steps), 1)
    count = len(x) - longest
    spread = np.stack(
        [
            np.mean(np.abs(walk[:, lag : lag + count] - walk[:, :count]) ** 2, 1)
            for lag in steps[:longest]
        ],
        1,
    )
    lags = steps[:longest] - (longest + 1) / 2
    from_mean = spread - spread.mean(1, keepdims=True)
    scale = np.sqrt(np.sum(from_mean**2, 1) * np.sum(lags**2))
    return float(np.median(from_mean @ lags / scale))
