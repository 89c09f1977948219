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


def paired(better, value, rivals, differences):
    criterion = Criterion(
        name="x",
        source="here",
        value="value",
        better=better,
        goal=tuple(rivals),
        paired=tuple(f"value_minus_{name}" for name in rivals),
    )
    ends = {
        f"value_minus_{name}{end}": number
        for name, interval in differences.items()
        for end, number in zip(("", "_low", "_high"), interval, strict=True)
    }
    return scorecard.judge(criterion, {"value": value, **rivals, **ends})


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rival_is_beaten_if_the_paired_interval_leaves_no_doubt(sign):
    better = "above" if sign > 0 else "below"

    def judge(*intervals):
        rivals = {"a": 0.4 * sign, "b": 0.3 * sign}
        found = {
            name: (sign * middle, *sorted((sign * low, sign * high)))
            for name, (middle, low, high) in zip(rivals, intervals, strict=True)
        }
        return paired(better, 0.5 * sign, rivals, found)

    sure = judge((0.1, 0.05, 0.2), (0.2, 0.1, 0.3))
    assert sure.met is True
    assert sure.difference == pytest.approx(0.1 * sign)  # to the rival that comes closest
    assert {sure.difference_low, sure.difference_high} == {0.05 * sign, 0.2 * sign}
    assert judge((0.1, -0.01, 0.2), (0.2, 0.1, 0.3)).met is False
    assert judge((0.1, 0.05, 0.2), (0.2, -0.1, 0.3)).met is False  # the other one is in doubt


def test_a_pairing_that_is_not_known_leaves_a_doubt_unless_there_is_no_rival():
    nothing = {"a": (None, None, None)}
    assert paired("above", 0.3, {"a": 0.4}, nothing).met is False
    assert paired("above", 0.5, {"a": 0.4}, nothing).met is False
    sure = {**nothing, "b": (0.1, 0.05, 0.2)}
    assert paired("above", 0.5, {"a": None, "b": 0.4}, sure).met is True
    assert paired("above", 0.5, {"a": 0.3, "b": 0.4}, sure).met is False


def test_a_rival_that_is_infinitely_far_is_beaten_for_certain():
    far = float("-inf")
    row = paired("below", 0.5, {"a": -far}, {"a": (far, far, far)})
    assert row.met is True
    assert row.difference is None  # as every infinite score is written
    assert paired("below", 0.5, {"a": -far}, {"a": (far, far, 0.1)}).met is False


def test_every_paired_metric_of_a_criterion_is_named():
    for criterion in (*criteria.TOKENIZER, *criteria.agent_criteria([1], ["convex"])):
        if isinstance(criterion.goal, tuple) and criterion.paired:
            assert len(criterion.paired) == len(criterion.goal)


def test_gaps_of_held_out_groups_are_printed_by_code():
    gaps = {"gap": 0.1, "gap_low": 0.05, "gap_high": 0.2, "gap_product": 0.3}
    metrics = {f"held_out/ic:x/tokenizer/{name}": value for name, value in gaps.items()}
    metrics |= {f"held_out/ic:x/tokenizer/gap_product{end}": None for end in ("_low", "_high")}
    metrics |= dict.fromkeys(criteria.references([1]), 0.25)
    metrics |= {f"tokenizer/quality_{code}": 0.1 for code in criteria.CODES}
    metrics |= {"tokenizer/quality": 0.75, "tokenizer/reconstruction": 0.25, "noa/vrmse_1": 1.0}
    blocks = scorecard.text([judged(0.8, "above", value=0.9)], metrics, [1]).split("\n\n")
    assert len(blocks) == 4
    lines = [line.split() for line in blocks[2].splitlines()[1:]]
    assert lines == [
        ["ic:x:", "tokenizer", "0.1", "0.05", "0.2"],
        ["ic:x:", "product", "0.3", "-", "-"],
    ]


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
        *("criterion", "source", "value", "low", "high", "floor", "ceiling", "goal", "met"),
        *("difference", "difference_low", "difference_high"),
    ]
    assert line["difference"] == ""


def test_the_text_is_aligned_and_says_all():
    names = criteria.references([1, 8]) | {"tokenizer/reconstruction": "", "noa/vrmse_1": ""}
    names |= {f"tokenizer/quality_{code}": "" for code in criteria.CODES}
    metrics = dict.fromkeys(names, 0.25) | {"tokenizer/quality": 0.75, "noa/vrmse_8": None}
    rows = [judged(0.8, "above", value=0.912345), judged(0.8, "above", value=None)]
    blocks = scorecard.text(rows, metrics, [1, 8]).split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [3, 13, 10]
    for block in blocks:
        assert len({len(line) for line in block.splitlines()}) == 1
    first, second = blocks[0].splitlines()[1:]
    assert "0.912" in first
    assert first.split()[-4:] == ["yes", "-", "-", "-"]
    assert second.split()[-4:] == ["-"] * 4
    assert blocks[1].splitlines()[1].split() == ["tokenizer", "0.25", "0.75"]
    assert blocks[2].splitlines()[1].split() == ["agent", "0.25", "-"]


def test_references_ask_nothing():
    row = scorecard.reference("a/b", "a", {"a/b": 0.5, "a/b_low": 0.4})
    assert (row.value, row.low, row.goal, row.met) == (0.5, 0.4, None, None)


@pytest.mark.parametrize("better", ["below", "above"])
def test_an_infinite_score_meets_no_goal_and_an_infinite_rival_is_beaten(better):
    worst = float("inf") if better == "below" else float("-inf")
    row = judged(0.5, better, value=worst)
    assert row.met is False
    assert row.value is None
    assert judged(("rival",), better, value=0.5, rival=worst).met is True
