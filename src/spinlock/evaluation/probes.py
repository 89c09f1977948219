"""What a linear map can read from tokens: θ, and what they should not know."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import RidgeClassifierCV, RidgeCV

from spinlock.evaluation.intervals import Bootstrap, Interval
from spinlock.evaluation.resampling import Estimate, one_hot, times
from spinlock.initial_conditions.families import family
from spinlock.sampling import encoding, space
from spinlock.sampling.space import Choice, Continuous, Dimension
from spinlock.sampling.table import Operators

PENALTIES = tuple(10.0**power for power in range(-1, 5))
COLUMNS = ("count", "floor", "value", "low", "high", "gain", "gain_low", "gain_high", "features")
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of every operator."""

    name: str
    numeric: bool
    answers: Float[np.ndarray, " N"]  # numbers, or labels as integers from 0
    asked: Bool[np.ndarray, " N"]  # an operator without the parameter has no answer


def questions(operators: Operators) -> list[Question]:
    """The family of the initial condition, and each parameter of θ that varies.

    A parameter on a logarithmic scale is asked for as log10; one that an operator does not use,
    such as dt of a convex one, is not asked of it.
    """
    families = [family(name) for name in operators.ic_types]
    asked = [_labels("ic_family", families, np.ones(len(families), dtype=bool))]
    return asked + [_parameter(d, operators) for d in space.varying(operators.dimensions)]


def rows(
    tokens: Int[np.ndarray, "N S"],
    features: Float[np.ndarray, "N M"],
    asked: Sequence[Question],
    split: tuple[Int[np.ndarray, " t"], Int[np.ndarray, " n"]],
    how: Bootstrap,
) -> list[Row]:
    """Rows of `probes.csv`: one a question, answered from the tokens of operators never seen.

    `value` is the share of right labels, or R² of a number against the mean of the training
    operators, with its interval; `floor` what the commonest label of the training operators, or
    their mean, gives on the same operators; `gain` the paired difference of the two: at most 0 if
    the tokens tell nothing. `features` is the ceiling: the same probe on what the tokens encode.

    Args:
        tokens: of all operators.
        features: the cells that they encode, of all operators.
        asked: the questions.
        split: training operators, to which the ridge is fitted and whose leave-one-out error
            chooses its penalty, and those on which it is judged.
        how: resamples and the smallest group.
    """
    sizes = tokens.max(0) + 1
    shown = [one_hot(token, size) for token, size in zip(tokens.T, sizes, strict=True)]
    sources = (np.concatenate(shown, axis=1), features)
    return [_row(question, sources, split, how) for question in asked]


def _row(
    question: Question,
    sources: tuple[np.ndarray, np.ndarray],
    split: tuple[np.ndarray, np.ndarray],
    how: Bootstrap,
) -> Row:
    train, judged = (group[question.asked[group]] for group in split)
    row: Row = {"question": question.name, "score": "R2" if question.numeric else "accuracy"}
    row |= dict.fromkeys(COLUMNS, "")
    row["count"] = len(judged)
    if min(len(train), len(judged)) < how.min_operators:
        return row
    truth = question.answers[judged]
    if question.numeric and truth.std() == 0:
        return row
    score = _explained if question.numeric else _right
    plain = _floor(question, train)
    own, ceiling = (
        score(_answers(question, source, train, judged), truth, plain, how) for source in sources
    )
    floor = score(np.full(len(truth), plain), truth, plain, how)
    cells = {"floor": floor.value, "features": ceiling.value}
    gain = own.minus(floor).interval()
    return row | cells | _ends("value", own.interval()) | _ends("gain", gain)


def _answers(question: Question, source: np.ndarray, train: np.ndarray, judged: np.ndarray):
    """Answers for some operators of a ridge regression, or a ridge classifier."""
    given, wanted = source[train], question.answers[train]
    if len(np.unique(wanted)) == 1:
        return np.full(len(judged), wanted[0])
    kind = RidgeCV if question.numeric else RidgeClassifierCV
    scale = math.sqrt(given.var(0).sum()) or 1.0  # penalties mean the same for all inputs
    model = kind(alphas=[p / len(train) for p in PENALTIES]).fit(given / scale, wanted)
    return model.predict(source[judged] / scale)


def _floor(question: Question, train: np.ndarray) -> float:
    """The mean, or the commonest label, of the training operators."""
    answers = question.answers[train]
    return float(answers.mean() if question.numeric else np.bincount(answers.astype(int)).argmax())


def _right(guess: np.ndarray, truth: np.ndarray, plain: float, how: Bootstrap) -> Estimate:
    """Share of right labels."""
    right = (guess == truth).astype(np.float64)
    drawn = times(len(truth), how) @ right / len(truth)
    return Estimate(float(right.mean()), drawn, len(truth))


def _explained(guess: np.ndarray, truth: np.ndarray, plain: float, how: Bootstrap) -> Estimate:
    r"""$1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$, with the mean of the training operators."""
    lost, spread = np.square(truth - guess), np.square(truth - plain)
    many = times(len(truth), how)
    total = many @ spread
    drawn = 1 - np.divide(many @ lost, total, np.full(len(many), np.nan), where=total > 0)
    return Estimate(float(1 - lost.sum() / spread.sum()), drawn, len(truth))


def _parameter(dimension: Dimension, operators: Operators) -> Question:
    name = dimension.name
    asked = np.ones(len(operators.theta), dtype=bool)
    if name in encoding.SWITCHES:
        switch, on = encoding.SWITCHES[name]
        asked = np.array([getattr(theta, switch) == on for theta in operators.theta])
    values = [getattr(theta, name) for theta in operators.theta]
    if isinstance(dimension, Choice):
        return _labels(name, [str(value) for value in values], asked)
    log = isinstance(dimension, Continuous) and dimension.scale == "log"
    numbers = [math.log10(v) if log else float(v) for v in values]
    return Question(name=name, numeric=True, answers=np.array(numbers), asked=asked)


def _labels(name: str, words: Sequence[str], asked: np.ndarray) -> Question:
    codes = np.unique(words, return_inverse=True)[1].astype(np.float64)
    return Question(name=name, numeric=False, answers=codes, asked=asked)


def _ends(name: str, found: Interval) -> Row:
    names = (name, f"{name}_low", f"{name}_high") if name != "value" else (name, "low", "high")
    values = (found.value, found.low, found.high)
    return {key: "" if v is None else v for key, v in zip(names, values, strict=True)}
