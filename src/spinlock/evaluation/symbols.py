"""Do the agent's rollouts carry the tokens of the truth?"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int

from spinlock.cleaning.cleanset import CleanSet
from spinlock.evaluation import information
from spinlock.evaluation.intervals import Bootstrap, interval
from spinlock.tokenizer.model import Tokenizer

Metrics = dict[str, float | int | None]


def truth(tokenizer: Tokenizer, cleaned: CleanSet) -> list[Int[np.ndarray, "N S"]]:
    """Tokens of the single views of realization 0 and, if there is one, of realization 1."""
    with torch.no_grad():
        return [
            tokenizer.tokens(tokenizer.latents(cleaned.single(realization))).numpy()
            for realization in range(min(2, cleaned.realizations))
        ]


def commonest(
    tokens: Int[np.ndarray, "N S"],
    policies: Int[np.ndarray, " N"],
    train: Int[np.ndarray, " t"],
    rows: Int[np.ndarray, " n"],
) -> Int[np.ndarray, "n S"]:
    """What is guessed if an operator's update policy alone is known: a floor of the agent.

    Of each token the code that most training operators of the policy have, the lowest of equals;
    of all training operators, if none has it.

    Args:
        tokens: of all operators.
        policies: of all operators, as integers from 0.
        train: training operators.
        rows: operators whose tokens are guessed.
    """
    guess = {}
    for policy in np.unique(policies[rows]).tolist():
        own = train[policies[train] == policy]
        guess[policy] = [np.bincount(t).argmax() for t in tokens[own if len(own) else train].T]
    found = [guess[policy] for policy in policies[rows].tolist()]
    return np.array(found, dtype=np.int64).reshape(len(rows), tokens.shape[1])


def metrics(
    predicted: Mapping[str, Int[np.ndarray, "n S"]],
    real: Sequence[Int[np.ndarray, "n S"]],
    isolated: Bool[np.ndarray, " S"],
    how: Bootstrap,
) -> Metrics:
    """Agreement of tokens of predicted trajectories with those of realization 0 of the truth.

    `token_agreement` is the share of equal tokens, mean over operators, `token_kappa` the same
    beyond chance (`information.kappa`); INITIAL categories are left out, since u0 is given, and
    stand apart as `token_agreement_initial`. Beside them the floors `_persistence` and `_policy`
    (see `commonest`), and the ceiling `_ceiling`: tokens of another realization of the truth.

    Args:
        predicted: tokens by predictor, "agent" first.
        real: tokens of the truth, realization 0 first.
        isolated: tokens of INITIAL categories.
        how: resamples and the smallest group.
    """
    compared = beside(predicted, real)
    ends = ("", "_low", "_high")
    names = [f"token_agreement{suffix}{end}" for suffix in compared for end in ends]
    names += [f"token_kappa{suffix}" for suffix in compared]
    result: Metrics = dict.fromkeys([*names, "token_agreement_initial"])
    result["token_count"] = len(real[0])
    if len(real[0]) < how.min_operators:
        return result
    for suffix, tokens in compared.items():
        if not isolated.all():
            result |= _beside(suffix, tokens[:, ~isolated], real[0][:, ~isolated], how)
    if isolated.any():
        same = information.agreement(predicted["agent"][:, isolated], real[0][:, isolated])
        result["token_agreement_initial"] = float(same.mean())
    return result


def beside(
    predicted: Mapping[str, Int[np.ndarray, "n S"]], real: Sequence[Int[np.ndarray, "n S"]]
) -> dict[str, Int[np.ndarray, "n S"]]:
    """What is compared with realization 0 of the truth, by the suffix of its metrics."""
    compared = {"" if n == "agent" else f"_{n}": tokens for n, tokens in predicted.items()}
    return compared | ({"_ceiling": real[1]} if len(real) > 1 else {})


def _beside(suffix: str, tokens: np.ndarray, real: np.ndarray, how: Bootstrap) -> Metrics:
    found = interval(information.agreement(tokens, real), "mean", how)
    return {
        f"token_agreement{suffix}": found.value,
        f"token_agreement{suffix}_low": found.low,
        f"token_agreement{suffix}_high": found.high,
        f"token_kappa{suffix}": information.kappa(tokens, real),
    }
