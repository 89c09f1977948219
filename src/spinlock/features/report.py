"""What `extract` reports: how many columns there are, what is missing, how much they say."""

import numpy as np
from jaxtyping import Float

from spinlock.features import files
from spinlock.features.config import Config
from spinlock.features.shards import Described
from spinlock.sampling.table import Operators


def metrics(
    operators: Operators, described: Described, drawn: Described, config: Config
) -> dict[str, float | int | None]:
    """Flat metrics of the aggregated view.

    * `extract/num_operators`, `extract/num_valid`: operators; those that were described and no
      realization of which diverged. `extract/num_further`, `extract/num_further_valid`: the same
      of further draws. Bad case: few are valid.
    * `extract/<family>_columns`; `extract/<family>_masked`: values of valid operators that do not
      exist; `extract/<family>_nonfinite`: infinite ones, which must not be.
    * `extract/masked/<column>`: those that do not exist by column, where there are any.
    * `extract/<family>_constant`: columns with one value on the valid training operators.
    * `extract/<family>_effective_rank`: of the others on the same operators, see `effective_rank`.

    Args:
        operators: the table.
        described: its operators.
        drawn: further draws; their values are in none but their own two metrics.
        config: section `extract`.
    """
    valid = described.valid
    train = valid & (np.array(operators.split) == "train")
    found: dict[str, float | int | None] = {
        "extract/num_operators": len(operators),
        "extract/num_valid": int(valid.sum()),
        "extract/num_further": len(drawn.known),
        "extract/num_further_valid": int(drawn.valid.sum()),
    }
    for family, values in files.aggregated(described).items():
        rows = values[train].reshape(-1, values.shape[-1])
        found |= {
            f"extract/{family}_columns": values.shape[-1],
            f"extract/{family}_masked": int(np.isnan(values[valid]).sum()),
            f"extract/{family}_nonfinite": int(np.isinf(values).sum()),
            f"extract/{family}_constant": int((~varying(rows)).sum()),
            f"extract/{family}_effective_rank": effective_rank(rows),
        }
        masked = np.isnan(values[valid]).reshape(-1, values.shape[-1]).sum(0)
        columns = files.columns(family, config)
        found |= {
            f"extract/masked/{column}": int(count)
            for column, count in zip(columns, masked, strict=True)
            if count
        }
    return found


def varying(rows: Float[np.ndarray, "n D"]) -> np.ndarray:
    """Which columns have at least two values, [D]; missing ones do not count."""
    exists = ~np.isnan(rows)
    low = np.where(exists, rows, np.inf).min(0, initial=np.inf)
    high = np.where(exists, rows, -np.inf).max(0, initial=-np.inf)
    return low < high


def effective_rank(rows: Float[np.ndarray, "n D"]) -> float | None:
    r"""Roy & Vetterli 2007: $\exp(-\sum_i p_i \ln p_i)$, $p_i$ the shares of the eigenvalues.

    Of the correlation matrix of the varying columns; a missing value stands at its column's mean.
    Between 1 (all columns say the same) and D; null without a varying column.
    """
    columns = rows[:, varying(rows)].astype(np.float64)
    if not columns.shape[1]:
        return None
    centered = np.nan_to_num(columns - np.nanmean(columns, axis=0))
    scaled = centered / np.sqrt(np.square(centered).mean(0))
    share = np.linalg.eigvalsh(scaled.T @ scaled / len(scaled)).clip(min=0) / scaled.shape[1]
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
