"""The scorecard judges by values alone."""

import pytest

from spinlock.evaluation import criteria, scorecard
from spinlock.evaluation.criteria import Criterion


def judged(goal, better, **metrics):
    criterion = Criterion(
        name="x", source="here", value="value", better=better, goal=goal, floor="floor"
    )
    return scorecard.judge(criterion, {"floor": 0.0, **metrics})


@pytest.mark.parametrize(
    ("better", "value", "met"),
    [
        ("above", 0.9, True),
        ("above", 0.8, True),
        ("above", 0.7, False),
        ("below", 0.7, True),
        ("below", 0.8, False),
        ("below", 0.9, False),
    ],
)
def test_a_number_is_to_be_reached_or_stayed_below(better, value, met):
    assert judged(0.8, better, value=value).met is met


def test_every_rival_must_be_beaten():
    row = judged(("a", "b"), "below", value=0.5, a=0.7, b=0.6)
    assert row.met is True
    assert row.goal == 0.6
    assert judged(("a", "b"), "below", value=0.6, a=0.7, b=0.6).met is False
    assert judged(("a", "b"), "above", value=0.65, a=0.7, b=0.6).met is False


def test_what_is_not_known_is_not_judged():
    assert judged(0.8, "above", value=None).met is None
    assert judged(("a",), "above", value=0.5, a=None).met is None
    assert judged(("a", "b"), "above", value=0.5, a=None, b=0.4).met is True
    with pytest.raises(KeyError):
        judged(("forgotten",), "above", value=0.5)


def test_intervals_and_empty_cells_reach_the_table():
    row = judged(0.8, "above", value=0.9, value_low=0.85, value_high=0.95)
    assert (row.low, row.high) == (0.85, 0.95)
    line = scorecard.table([row])[0]
    assert line["met"] == "yes"
    assert line["ceiling"] == ""
    assert list(line) == [
        *("criterion", "source", "value", "low", "high", "floor", "ceiling", "goal", "met")
    ]


def test_the_text_is_aligned_and_says_all():
    names = criteria.references([1, 8]) | {"tokenizer/reconstruction": "", "noa/vrmse_1": ""}
    names |= {f"tokenizer/quality_{code}": "" for code in criteria.CODES}
    metrics = dict.fromkeys(names, 0.25) | {"tokenizer/quality": 0.75, "noa/vrmse_8": None}
    rows = [judged(0.8, "above", value=0.912345), judged(0.8, "above", value=None)]
    blocks = scorecard.text(rows, metrics, [1, 8]).split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [3, 11, 9]
    for block in blocks:
        assert len({len(line) for line in block.splitlines()}) == 1
    first, second = blocks[0].splitlines()[1:]
    assert "0.912" in first
    assert first.endswith("yes")
    assert second.endswith("-")
    assert blocks[1].splitlines()[1].split() == ["tokenizer", "0.25", "0.75"]
    assert blocks[2].splitlines()[1].split() == ["agent", "0.25", "-"]


def test_references_ask_nothing():
    row = scorecard.reference("a/b", "a", {"a/b": 0.5, "a/b_low": 0.4})
    assert (row.value, row.low, row.goal, row.met) == (0.5, 0.4, None, None)
