"""Categories: every column in one, by clusters that hold, by a mapping, or by names."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata, spearmanr
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score

import synthetic_features as synthetic
from spinlock import workers
from spinlock.categories import clustering, defining, mapping, naming, quality, selection
from spinlock.categories.discovery import discover, summaries
from spinlock.categories.partition import Config, Score
from spinlock.cleaning import cleanset
from spinlock.cleaning.fitting import fit
from spinlock.cleaning.sets import FAMILIES
from spinlock.refusals import Refusal

CONFIG = Config(
    method="clustering",
    mapping_file=None,
    isolated_families=("initial",),
    max_clusters=25,
    min_features_per_category=3,
    num_trees=5,
    num_resample_trees=4,
    num_bootstraps=5,
    min_stability=0.5,
)
SEED = 7
RUNTIME = {
    "executor": "sequential",
    "workers": 1,
    "batch_size": 1,
    "device": "cpu",
    "store": "s",
}
FEATURES = synthetic.features(240)
CLEANER = fit(synthetic.train(FEATURES), FEATURES.names, synthetic.THRESHOLDS)
COLUMNS = CLEANER.kept
KNOWN = [name for family in FAMILIES for name in COLUMNS[family]]
TRAIN = CLEANER.apply(synthetic.train(FEATURES), smooth=False)
TABLE = summaries(TRAIN, COLUMNS)
FOUND = discover(TRAIN, COLUMNS, CONFIG, SEED)
MAPPED = replace(CONFIG, method="mapping", mapping_file="mapping.json")
SEMANTIC = replace(CONFIG, method="semantic")


def blocks(sizes: list[int], seed: int, noise: float = 0.1) -> np.ndarray:
    """A table whose columns fall into blocks, each the copies of one factor, some turned over."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((200, len(sizes)))
    table = np.repeat(factors, sizes, axis=1)
    return rng.choice([-1, 1], table.shape[1]) * (table + noise * rng.standard_normal(table.shape))


def assert_complete(categories: dict[str, tuple[str, ...]]) -> None:
    assert sorted(name for names in categories.values() for name in names) == sorted(KNOWN)


def test_the_hidden_factors_are_found_and_nothing_else():
    groups = {tuple(sorted(names)) for names in FOUND.categories.values()}
    expected: dict[tuple[str, ...], list[str]] = {}
    for name in KNOWN:
        family, group, *rest = name.split(".")
        expected.setdefault((family, group, *rest[1:]), []).append(name)
    assert groups == {tuple(sorted(names)) for names in expected.values()}
    assert all(score.stability == 1.0 for score in FOUND.chosen.values())
    assert FOUND.held == dict.fromkeys(FOUND.categories, 1.0)


def test_initial_columns_stand_apart():
    for category, names in FOUND.categories.items():
        own = {name.split(".")[0] for name in names}
        assert (category in FOUND.isolated) == (own == {"initial"})
        assert own == {"initial"} or "initial" not in own


@pytest.mark.parametrize("config", [CONFIG, SEMANTIC])
@pytest.mark.parametrize(("largest", "least"), [(25, 3), (4, 3), (6, 5), (2, 1)])
def test_limits_of_number_and_size_hold_and_every_column_is_assigned(config, largest, least):
    config = replace(config, max_clusters=largest, min_features_per_category=least)
    if config.method == "semantic" and largest == 2:
        with pytest.raises(Refusal, match="max_clusters leaves 1"):
            discover(TRAIN, COLUMNS, config, SEED)
        return
    found = discover(TRAIN, COLUMNS, config, SEED)
    assert_complete(found.categories)
    assert len(found.categories) <= largest
    assert min(map(len, found.categories.values())) >= least


@pytest.mark.parametrize("config", [CONFIG, SEMANTIC, MAPPED])
def test_categories_larger_than_any_pool_are_refused_with_the_most_there_is(config):
    most = sum(map(len, COLUMNS.values())) - len(COLUMNS["initial"])
    config = replace(config, min_features_per_category=most + 1)
    allowed = f"min_features_per_category: expected at most {most}, .* found {most + 1}$"
    with pytest.raises(Refusal, match=allowed):
        discover(TRAIN, COLUMNS, config, SEED)


def test_a_category_may_have_all_columns_of_the_largest_pool():
    most = sum(map(len, COLUMNS.values())) - len(COLUMNS["initial"])
    found = discover(TRAIN, COLUMNS, replace(CONFIG, min_features_per_category=most), SEED)
    assert sorted(map(len, found.categories.values())) == sorted([len(COLUMNS["initial"]), most])


@given(sizes=st.lists(st.integers(3, 7), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_separate_blocks_are_recovered_whatever_the_signs(sizes, seed):
    table = blocks(sizes, seed)
    found = selection.cluster(table, CONFIG, 10, seed)
    assert found.labels.tolist() == np.repeat(np.arange(len(sizes)), sizes).tolist()
    assert found.judged.number == len(sizes)
    assert found.judged.stability == found.judged.stability_low == 1.0
    assert found.held == (1.0,) * len(sizes)


@given(seed=st.integers(0, 99))
def test_a_partition_does_not_depend_on_the_scale_or_sign_of_columns(seed):
    table = blocks([4, 3, 5], seed, noise=0.8)
    scale = np.random.default_rng(seed).uniform(-3, 3, table.shape[1])
    first, second = (clustering.distances(t) for t in (table, table * scale + 1))
    np.testing.assert_allclose(first, second, atol=1e-12)


@given(seed=st.integers(0, 99))
def test_a_partition_does_not_depend_on_monotone_maps_of_columns(seed):
    table = blocks([4, 3, 5], seed, noise=0.8)
    first, second = (clustering.distances(t) for t in (table, np.exp(table / 2)))
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_the_distance_is_one_less_the_square_of_spearmans_correlation():
    # ranks 1 2 3 4 5 and 2 1 4 3 5: rho = 1 - 6 * 4 / (5 * 24) = 0.8
    table = np.array([[1, 2, 0], [2, 1, 0], [3, 40, 0], [4, 3, 0], [50, 50, 0]], dtype=float)
    expected = [[0, 0.36, 1], [0.36, 0, 1], [1, 1, 0]]
    np.testing.assert_allclose(clustering.distances(table), expected, atol=1e-12)


def test_averaged_trees_hold_better_under_resampling_than_one_tree():
    table = blocks([8, 8, 8, 8], 1, noise=2.5)
    stable = {}
    for num_trees in (1, 30):
        config = replace(
            CONFIG, num_trees=num_trees, num_resample_trees=num_trees, num_bootstraps=10
        )
        scores = selection.cluster(table, config, 6, SEED).considered
        stable[num_trees] = next(s.stability for s in scores if s.number == 4)
    assert stable[30] > stable[1] + 0.05


def test_the_tree_merges_every_column_once_at_rising_heights():
    table = blocks([4, 3, 5], 2, noise=0.8)
    tree = selection.cluster(table, CONFIG, 6, SEED).tree
    merged = sorted(node for left, right, _ in tree for node in (left, right))
    assert merged == list(range(2 * 12 - 2))
    heights = [height for _, _, height in tree]
    assert heights == sorted(heights)
    assert heights[0] > 0
    assert heights[-1] <= 1


def test_orphans_join_the_cluster_they_are_nearest_to():
    table = blocks([4, 4, 1], seed=3)
    table[:, 8] = table[:, 5] + 2 * table[:, 8]
    labels = clustering.partitions(clustering.distances(table), min_size=3, max_number=5)[2]
    assert labels.tolist() == [0] * 4 + [1] * 5


def test_columns_outside_all_large_clusters_join_the_nearest():
    # The orphan meets both clusters after they have met each other: no cut has it in one of them.
    member = np.array([0, 0, 0, 1, 1, 1, 2])
    between = np.array([[0.1, 0.6, 0.95], [0.6, 0.1, 0.85], [0.95, 0.85, 0.0]])
    distance = between[member[:, None], member]
    np.fill_diagonal(distance, 0.0)
    assert clustering.partitions(distance, 3, 5)[2].tolist() == [0, 0, 0, 1, 1, 1, 1]
    distance[6, :3] = distance[:3, 6] = 0.8
    assert clustering.partitions(distance, 3, 5)[2].tolist() == [0, 0, 0, 1, 1, 1, 0]


def test_the_nearest_is_so_on_average_though_it_be_larger():
    member = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    between = np.array([[0.1, 0.6, 0.95], [0.6, 0.1, 0.85], [0.95, 0.85, 0.0]])
    distance = between[member[:, None], member]
    np.fill_diagonal(distance, 0.0)
    assert clustering.partitions(distance, 3, 5)[2].tolist() == [0] * 3 + [1] * 7


def test_stability_is_that_of_other_operators_not_of_other_trees():
    """Trees of one sample agree, though its clusters are chance and another sample has others."""
    config = replace(CONFIG, num_trees=100, num_resample_trees=100, num_bootstraps=10)
    table = np.random.default_rng(3).standard_normal((30, 24))
    reference, *others = (
        clustering.partitions(clustering.bagged(table, 100, np.random.default_rng(i)), 3, 3)
        for i in range(11)
    )
    of_trees = np.mean([adjusted_rand_score(reference[3], other[3]) for other in others])
    resamples = selection.resampled(table, reference, config, SEED, "choice")
    of_operators, _ = selection.stability(reference[3], [each.found for each in resamples])
    assert of_operators < of_trees - 0.2


def test_the_whole_table_and_each_resample_have_their_own_number_of_trees(monkeypatch):
    trees, bagged = [], clustering.bagged

    def counted(table, num_trees, rng):
        trees.append(num_trees)
        return bagged(table, num_trees, rng)

    monkeypatch.setattr(clustering, "bagged", counted)
    selection.cluster(blocks([4, 4], 0), replace(CONFIG, num_bootstraps=3), 4, SEED)
    assert trees == [CONFIG.num_trees] + [CONFIG.num_resample_trees] * (3 + 3)


def test_the_number_is_chosen_by_some_resamples_and_judged_by_others(monkeypatch):
    table = blocks([8, 8, 8, 8], 1, noise=3)
    asked, resampled = [], selection.resampled

    def known(table, reference, *arguments, run):
        made = resampled(table, reference, *arguments, run=run)
        asked.append((reference, arguments[-1], [each.found for each in made]))
        return made

    monkeypatch.setattr(selection, "resampled", known)
    found = selection.cluster(table, CONFIG, 6, SEED)
    (reference, first, choosing), (_, second, judging) = asked
    assert (first, second) == ("choice", "judgement")
    own = next(score for score in found.considered if score.number == found.judged.number)
    assert (own.stability, own.stability_low) == selection.stability(found.labels, choosing)
    judged = selection.stability(found.labels, judging)
    assert (found.judged.stability, found.judged.stability_low) == judged
    assert own.stability != found.judged.stability
    assert found.held == tuple(selection.jaccards(found.labels, judging))
    again = resampled(table, reference, CONFIG, SEED, "judgement")
    assert selection.stability(found.labels, [each.found for each in again]) == judged


def test_each_resample_draws_as_many_operators_with_replacement(monkeypatch):
    table, seen, bagged = blocks([4, 4], 0), [], clustering.bagged
    monkeypatch.setattr(clustering, "bagged", lambda t, *rest: seen.append(t) or bagged(t, *rest))
    whole = {1: np.zeros(8, dtype=int)}
    selection.resampled(table, whole, replace(CONFIG, num_bootstraps=4), SEED, "choice")
    rows = [np.searchsorted(np.sort(table[:, 0]), drawn[:, 0]) for drawn in seen]
    assert all(len(drawn) == len(table) for drawn in rows)
    assert len({tuple(drawn) for drawn in rows}) == 4
    assert all(0.55 < len(np.unique(drawn)) / len(table) < 0.72 for drawn in rows)  # 1 - 1/e


def test_a_bagged_distance_is_the_mean_height_of_trees_of_rank_correlations():
    table = np.exp(blocks([4, 3, 5], 2, noise=0.8))
    ranks, rng, heights = rankdata(table, axis=0), np.random.default_rng(4), []
    for _ in range(3):
        drawn = ranks[rng.integers(len(ranks), size=len(ranks))]
        apart = 1 - np.corrcoef(drawn.T) ** 2
        heights.append(cophenet(linkage(squareform(apart, checks=False), "average")))
    found = clustering.bagged(table, 3, np.random.default_rng(4))
    np.testing.assert_allclose(squareform(found), np.mean(heights, 0), atol=1e-5)


def test_a_stability_is_the_mean_index_and_its_lower_end_that_of_students_t():
    labels = np.array([0, 0, 0, 1, 1, 1])
    others = [np.array(other) for other in ([1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1])]
    resamples = [{2: others[0]}, {2: others[1]}, {3: others[0]}]  # the third has no two clusters
    values = [1.0, adjusted_rand_score(labels, others[1]), 0.0]
    mean, low = selection.stability(labels, resamples)
    assert mean == pytest.approx(np.mean(values))
    error = np.std(values, ddof=1) / np.sqrt(3)
    assert low == pytest.approx(np.mean(values) - 2.919986 * error)  # t of 0.95 and 2 degrees


def test_a_cluster_holds_by_its_jaccard_index_with_the_most_like_of_each_resample():
    labels = np.array([0, 0, 0, 0, 1, 1])
    same, other = np.array([1, 1, 1, 1, 0, 0]), np.array([0, 0, 0, 1, 1, 1])
    found = selection.jaccards(labels, [{2: same}, {2: other}, {1: same}])
    np.testing.assert_allclose(found, [(1 + 3 / 4 + 0) / 3, (1 + 2 / 3 + 0) / 3])
    labels, other = np.array([0, 0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 0, 0, 0, 1, 2])
    np.testing.assert_allclose(selection.jaccards(labels, [{3: other}]), [4 / 6, 2 / 6, 1 / 2])


def test_the_silhouette_is_of_the_columns_distances():
    table = blocks([4, 3, 5], 2, noise=0.8)
    found = selection.cluster(table, CONFIG, 6, SEED)
    distance = 1 - spearmanr(table).statistic ** 2
    expected = silhouette_score(distance, found.labels, metric="precomputed")
    own = next(score for score in found.considered if score.number == found.labels.max() + 1)
    assert own.silhouette == found.judged.silhouette == pytest.approx(expected)


def test_noise_is_not_stable_and_structure_is():
    noise = np.random.default_rng(0).standard_normal((200, 24))
    config = replace(CONFIG, num_bootstraps=10)
    of_noise = selection.cluster(noise, config, 6, SEED).considered
    of_blocks = selection.cluster(blocks([6, 6, 6, 6], 0), config, 6, SEED).considered
    assert max(score.stability for score in of_noise if score.number > 1) < 0.5
    assert next(score.stability for score in of_blocks if score.number == 4) == 1.0


def score(
    number: int,
    silhouette: float | None,
    stability: float | None,
    low: float | None,
    behind: float | None = None,
) -> Score:
    return Score(
        number=number,
        silhouette=silhouette,
        stability=stability,
        stability_low=low,
        behind=behind,
    )


SCORES = [
    score(1, None, None, None),
    score(2, 0.2, 0.95, 0.9),
    score(3, 0.4, 0.9, 0.85),
    score(4, 0.8, 0.9, 0.45),  # as stable as three, and less certainly
    score(5, 0.41, 0.85, 0.8),
]


def drawn_with(**silhouettes: list[float]) -> list[selection.Resample]:
    """Resamples in which two to five clusters have these silhouettes."""
    columns = {"two": 2, "three": 3, "four": 4, "five": 5}
    drawn = zip(*(silhouettes[name] for name in columns), strict=True)
    numbers = columns.values()
    return [
        selection.Resample(found={}, silhouettes={1: None, **dict(zip(numbers, row, strict=True))})
        for row in drawn
    ]


def test_the_certainly_stable_are_compared_with_the_best_of_them():
    rising = np.linspace(0, 1, 21)  # of which the percentile 5 is 0.05
    drawn = drawn_with(two=rising - 0.3, three=0 * rising, four=9 * rising, five=rising - 0.01)
    found = selection.compared(SCORES, drawn, 0.8)
    assert [s.number for s in found if s.behind is None] == [1, 4]
    assert [s.behind for s in found if s.behind is not None] == pytest.approx([0.29, 0.04, 0])
    assert [replace(s, behind=None) for s in found] == SCORES
    with_four = selection.compared(SCORES, drawn, 0.45)
    assert with_four[2].behind == pytest.approx(9 * 0.05)
    assert with_four[3].behind == 0
    only_two = selection.compared(SCORES, drawn, 0.86)
    assert [s.behind for s in only_two] == [None, 0, None, None, None]
    assert list(selection.compared(SCORES, drawn, 0.91)) == SCORES


def test_the_smallest_number_is_taken_that_is_not_certainly_behind():
    first, *several = SCORES
    behind = dict(zip((2, 3, 5), (0.1, -0.01, 0.0), strict=True))
    found = [first, *(replace(s, behind=behind.get(s.number)) for s in several)]
    assert selection.choose(found) == 3
    assert selection.choose([s for s in found if s.number != 3]) == 5
    assert selection.choose([replace(s, behind=s.behind and 0.0) for s in found]) == 2


def test_the_most_stable_is_taken_if_none_certainly_is():
    assert selection.choose(SCORES) == 2
    assert selection.choose([SCORES[0], *SCORES[3:1:-1]]) == 3  # of equals the smaller
    assert selection.choose([*SCORES, score(6, None, 1.0, 1.0)]) == 2
    assert selection.choose(SCORES[:1]) == 1


def test_the_silhouettes_of_a_resample_are_those_of_the_whole_tables_clusters(monkeypatch):
    table, seen, bagged = blocks([8, 8, 8], 1, noise=2.0), [], clustering.bagged
    monkeypatch.setattr(clustering, "bagged", lambda t, *rest: seen.append(t) or bagged(t, *rest))
    reference = clustering.partitions(clustering.distances(table), 3, 6)
    found = selection.resampled(table, reference, CONFIG, SEED, "choice")
    for resample, drawn in zip(found, seen, strict=True):
        apart = clustering.distances(drawn)
        assert resample.silhouettes == {
            number: clustering.silhouette(apart, labels) for number, labels in reference.items()
        }
    assert len({resample.silhouettes[3] for resample in found}) == CONFIG.num_bootstraps


def test_resamples_clustered_by_processes_are_the_same():
    here = selection.cluster(blocks([8, 8, 8], 1, noise=2.0), CONFIG, 6, SEED)
    with workers.side_by_side(2) as run:
        there = selection.cluster(blocks([8, 8, 8], 1, noise=2.0), CONFIG, 6, SEED, run)
    assert (there.labels == here.labels).all()
    assert there.considered == here.considered
    assert there.considered[1].stability < 1
    assert (there.judged, there.held, there.tree) == (here.judged, here.held, here.tree)


def test_pools_that_are_not_certainly_stable_are_told(root, tmp_path, capsys, monkeypatch):
    chosen = {"initial": score(1, None, None, None), "others": score(2, 0.1, 0.9, 0.8)}
    found = replace(FOUND, chosen=chosen)
    assert quality.unsure(found, 0.8) == {}
    assert quality.unsure(found, 0.81) == {"others": chosen["others"]}
    clean = cleanset.clean(FEATURES, CLEANER)
    run_stage(root, tmp_path / "run", clean, CONFIG)
    assert set(said(capsys)) == {"discover-categories: resamples"}
    monkeypatch.setattr(quality, "unsure", lambda *_: {"others": chosen["others"]})
    run_stage(root, tmp_path / "run", clean, CONFIG)
    assert said(capsys)[-1] == (
        "discover-categories: others: 2 categories have stability 0.900, certainly at least 0.800; "
        "min_stability is 0.5"
    )


def said(capsys) -> list[str]:
    """Lines on the way, without the counts of progress."""
    return [line.rpartition(": ")[0] if line[-1].isdigit() and "/" in line else line
            for line in capsys.readouterr().err.splitlines()]  # fmt: skip


def test_another_root_seed_draws_other_trees_and_other_resamples():
    table = blocks([8, 8, 8], 1, noise=2.0)
    first, other = (selection.cluster(table, CONFIG, 6, seed) for seed in (1, 2))
    assert first.tree != other.tree
    reference = clustering.partitions(clustering.distances(table), 3, 6)
    drawn = [
        [each.silhouettes[3] for each in selection.resampled(table, reference, CONFIG, seed, "x")]
        for seed in (1, 2)
    ]
    assert not set(drawn[0]) & set(drawn[1])


def test_redundancy_is_one_for_copies_and_small_for_independent_factors():
    copies = {name: TABLE[KNOWN[0]] for name in "abcdef"}
    assert quality.redundancy({"x": "abc", "y": "def"}, copies) == pytest.approx(1)
    assert quality.redundancy(FOUND.categories, TABLE) < 0.15
    assert quality.redundancy({"x": "abc"}, copies) is None


def test_redundancy_is_the_rank_correlation_of_first_components():
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 300))
    table = {"a": 5 + 3 * one, "b": 9 + two, "c": one + two, "d": 0.1 * rng.standard_normal(300)}
    values = np.stack([table["a"], table["b"]], 1)
    first = PCA(1).fit_transform(values)[:, 0]
    expected = abs(spearmanr(first, PCA(1).fit_transform(
        np.stack([table["c"], table["d"]], 1))[:, 0]).statistic)  # fmt: skip
    assert quality.redundancy({"x": "ab", "y": "cd"}, table) == pytest.approx(expected)


def test_what_is_published_is_what_was_judged_each_category_with_its_own():
    names = {"x": ("a", "b"), "y": ("c", "d")}
    judged, choosing = score(2, 0.3, 0.7, 0.6), score(2, 0.3, 0.9, 0.8)
    clusters = selection.Clusters(
        labels=np.array([0, 0, 1, 1]), considered=(choosing,), judged=judged, held=(0.25, 0.75),
        tree=(),
    )  # fmt: skip
    pool = {"others": ("a", "b", "c", "d")}
    table = dict(zip("abcd", np.random.default_rng(0).standard_normal((4, 50)), strict=True))
    found = quality.described(names, table, pool, {"others": clusters})
    assert found.chosen == {"others": judged}
    assert found.considered == {"others": (choosing,)}
    assert found.held == {"x": 0.25, "y": 0.75}


def test_the_stability_of_all_weighs_pools_by_their_columns():
    chosen = {pool: replace(score, number=2) for pool, score in FOUND.chosen.items()}
    initial = len(COLUMNS["initial"])
    share = initial / len(KNOWN)
    chosen["initial"] = replace(chosen["initial"], stability=0.25, stability_low=0.2)
    chosen["others"] = replace(chosen["others"], stability=0.75, stability_low=0.7)
    held = dict.fromkeys(FOUND.held, 0.9) | {next(iter(FOUND.held)): 0.6}
    found = quality.metrics(replace(FOUND, chosen=chosen, held=held), TABLE)
    assert (found["categories/stability_low"], found["categories/held_least"]) == (0.2, 0.6)
    assert found["categories/others/stability_low"] == 0.7
    assert found["categories/stability"] == pytest.approx(0.25 * share + 0.75 * (1 - share))


def test_the_columns_that_define_a_category_say_most_of_it():
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 400))
    near = {name: one + 0.5 * rng.standard_normal(400) for name in "cde"}
    values = {"b": 0.1 * two, **near, "a": one}
    found = quality.described({"x": tuple(values)}, values, {"others": tuple(values)}, {})
    assert (found.defining["x"][0], found.defining["x"][-1]) == ("a", "b")
    still = {"e": np.ones(400), "f": np.ones(400)}
    assert quality.telling(("e", "f"), still) == ("e",)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_first_defining_column_is_the_one_that_explains_the_others():
    factor = noise(500)
    others = factor[:, None] + 0.5 * noise(500, 5, seed=1)
    values = np.column_stack([noise(500, seed=2), others[:, :2], factor, others[:, 2:]])
    (first, share), (second, _) = defining.greedy(values, 2)
    assert first == 3
    residual = values - values.mean(0)
    one = residual[:, 3]
    left = residual - np.outer(one, one @ residual / (one @ one))
    assert share == pytest.approx(1 - np.square(left).sum() / np.square(residual).sum())
    assert second == 0


@given(seed=st.integers(0, 99), count=st.integers(1, 6), rank=st.integers(1, 6))
def test_defining_columns_explain_more_and_more_and_all_after_the_rank(seed, count, rank):
    values = noise(40, rank, seed=seed) @ noise(rank, 6, seed=seed + 1)
    found = defining.greedy(values, count)
    shares = [share for _, share in found]
    assert len({column for column, _ in found}) == len(found) == min(count, rank)
    assert shares == sorted(shares)
    assert (shares[-1] > 1 - 1e-6) == (count >= rank)


def test_columns_that_never_vary_define_nothing():
    assert defining.greedy(np.ones((9, 3)), 2) == []
    values = np.column_stack([np.ones(9), np.arange(9.0)])
    assert defining.greedy(values, 2) == [(1, 1.0)]


def test_a_series_counts_by_its_mean_over_time():
    name = COLUMNS["temporal"][0]
    series = TRAIN.temporal[:, :, 0].double()
    np.testing.assert_allclose(TABLE[name], series.mean(1), rtol=1e-6, atol=1e-6)
    assert not np.allclose(TABLE[name], series[:, 0], atol=0.01)


def test_metrics_account_for_every_category():
    found = quality.metrics(FOUND, TABLE)
    assert found["categories/number"] == len(FOUND.categories)
    assert found["categories/columns"] == len(KNOWN)
    assert found["categories/initial/number"] == len(FOUND.isolated) == 2
    assert found["categories/stability"] == 1.0
    assert 0.5 < found["categories/silhouette"] <= 1


@given(
    groups=st.lists(
        st.lists(
            st.sampled_from(
                ["temporal.spatial.mean", "summary.temporal.rate_1.std", "initial.a.b"]
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_names_are_unique(groups):
    found = naming.names(groups, [group[0] for group in groups])
    assert len(set(found)) == len(groups)
    assert all("/" not in name and " " not in name for name in found)


def test_names_say_what_marks_a_category():
    bands = ["temporal.spectral.band_1_mean", "temporal.spectral.band_2_mean"]
    others = ["temporal.spectral.flatness", "temporal.spatial.mean", "temporal.spectral.centroid"]
    first, second = naming.names([bands, others], [bands[0], others[1]])
    assert first == "temporal_spectral_band"
    assert second == "temporal_spatial_mean"


def test_further_words_follow_where_two_names_are_the_same_and_only_there():
    rest = [f"a.c.w{i}.{how}" for i in range(5) for how in ("std", "cv")]
    groups = [["a.b.x.std"], ["a.b.x.cv"], ["a.c.w.std", *rest]]
    found = naming.names(groups, ["a.b.x.std", "a.b.x.cv", "a.c.w.std"])
    assert found[:2] == ["a_b_x_std", "a_b_x_cv"]
    assert found[2].count("_") == 2


def test_a_category_is_named_by_the_column_that_says_most_of_it(monkeypatch):
    asked = []
    named = naming.names

    def known(groups, telling):
        asked.append((groups, telling))
        return named(groups, telling)

    monkeypatch.setattr(naming, "names", known)
    discover(TRAIN, COLUMNS, CONFIG, SEED)
    ((groups, telling),) = asked
    assert telling == [quality.telling(names, TABLE)[0] for names in groups]
    assert telling != [names[0] for names in groups]


def test_a_name_is_of_the_most_telling_column_whatever_most_columns_are():
    many = ["summary.drift.high_l1.mean", "summary.drift.high_l2.mean", "temporal.spatial.range"]
    rest = ["summary.drift.low_l1.mean", "summary.drift.low_l2.mean"]
    assert naming.names([many, rest], [many[2], rest[0]]) == [
        "temporal_spatial_range",
        "summary_drift_low",
    ]


def test_a_mapping_by_names_or_indices_is_taken_as_it_is():
    initial = list(COLUMNS["initial"])
    rest = list(range(14, len(KNOWN)))
    found = discover(TRAIN, COLUMNS, MAPPED, SEED, {"group_indices": {"b": initial, "a": rest}})
    assert found.categories == {"b": tuple(initial), "a": tuple(KNOWN[14:])}
    assert found.isolated == ("b",)
    assert found.chosen["others"].stability is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["a"].append("summary.energy.s0.men"), "did you mean 'summary.energy.s0.mean'"),
        (lambda g: g["a"].append(99), r"a: index 99; there are \d+"),
        (lambda g: g["a"].append(True), "True is not a cleaned column"),
        (lambda g: g["b"].append(KNOWN[-1]), f"{KNOWN[-1]} stands in a and again in b"),
        (lambda g: g["a"].remove(KNOWN[-1]), f"1 columns stand in no category: {KNOWN[-1]}"),
        (lambda g: g["b"].append(g["a"].pop()), "b: initial is isolated"),
        (lambda g: g.update(c=[]), "c: expected a list of columns"),
        (lambda g: g.update({"a/b": [g["a"].pop()]}), "names of categories .* got 'a/b'"),
        (lambda g: g.update({"": [g["a"].pop()]}), "names of categories .* got ''"),
        (lambda g: g.update({"a\0": [g["a"].pop()]}), r"names of categories .* got 'a\\x00'"),
        (lambda g: g.update({"\ud800": [g["a"].pop()]}), r"names of categories .* got '\\ud800'"),
        (lambda g: g.update({"..": [g["a"].pop()]}), r"names of categories .* got '\.\.'"),
        (lambda g: g.update({"x" * 61: [g["a"].pop()]}), "at most 60 letters.* got 'x{61}'"),
        (lambda g: g.update({"overview": [g["a"].pop()]}), "other than overview, got 'overview'"),
        (lambda g: g.update(a=KNOWN[18:]), f"4 columns .* {', '.join(KNOWN[14:17])} …$"),
        (
            lambda g: g.update(c=[g["a"].pop(), g["a"].pop()]),
            "c: expected at least 3 columns, found 2",
        ),
        (
            lambda g: g.update({str(i): [g["a"].pop() for _ in "abc"] for i in range(3)}),
            "expected at most discover_categories.max_clusters = 4 categories, found 5",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_the_columns_is_refused_by_name(change, message):
    groups = {"a": KNOWN[14:], "b": KNOWN[:14]}
    change(groups)
    with pytest.raises(Refusal, match=message):
        mapping.parse({"group_indices": groups}, COLUMNS, replace(MAPPED, max_clusters=4), "here")


def test_a_mapping_may_have_all_that_the_limits_allow():
    """As many categories, as few columns, and fewer where the pool has no more."""
    names = ("b.+-_9", "x" * 60, "overviews")
    groups = dict(zip(names, (KNOWN[:14], KNOWN[14:34], KNOWN[34:]), strict=True))
    config = replace(MAPPED, max_clusters=3, min_features_per_category=20)
    assert mapping.parse({"group_indices": groups}, COLUMNS, config, "here").keys() == set(names)


def test_a_mapping_file_that_is_not_there_is_named_with_its_key(tmp_path):
    key = "discover_categories.mapping_file"
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(Refusal, match=f"{key}: {path}: no such file"):
            mapping.read(path)


@pytest.mark.parametrize("tree", [None, [], {}, {"group_indices": []}, {"other": {}}])
def test_a_mapping_of_another_form_is_refused(tree):
    with pytest.raises(Refusal, match="expected one object under the key group_indices"):
        mapping.parse(tree, COLUMNS, MAPPED, "here")


@pytest.mark.parametrize(
    "change",
    [
        {"method": "mapping"},
        {"mapping_file": "x.json"},
        {"isolated_families": ["initial", "initial"]},
        {"isolated_families": ["architecture"]},
        {"max_clusters": 1},
        {"min_stability": 1.5},
        {"num_bootstraps": 1},
        {"mapping_file": ".", "method": "mapping"},
        {"isolated_families": list(FAMILIES), "max_clusters": 2},
    ],
)
def test_parameters_that_contradict_each_other_are_refused(change):
    tree = TypeAdapter(Config).dump_python(CONFIG, mode="json")
    whole = {"isolated_families": list(FAMILIES), "max_clusters": 3}
    for allowed in (tree, tree | whole):
        TypeAdapter(Config).validate_json(json.dumps(allowed))
    with pytest.raises(ValidationError):
        TypeAdapter(Config).validate_json(json.dumps(tree | change))


def test_a_single_operator_is_refused():
    with pytest.raises(Refusal, match="expected 2 training operators, found 1"):
        discover(TRAIN.take([0]), COLUMNS, CONFIG, SEED)


def run_stage(root: Path, folder: Path, found: cleanset.CleanSet, section: Config) -> list[bytes]:
    """Run the stage in its own folder and return what it wrote."""
    folder.mkdir(exist_ok=True)
    tree = {
        "seed": SEED,
        "discover_categories": TypeAdapter(Config).dump_python(section, mode="json"),
        "runtime": RUNTIME,
    }
    (folder / "params.yaml").write_text(json.dumps(tree))
    cleanset.write(folder / "clean.h5", found, {})
    spec = importlib.util.spec_from_file_location("stage", root / "stages/discover_categories.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = ("categories.json", "metrics.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        module.main(Path("clean.h5"), Path("mappings"), *map(Path, names))
    return [(folder / name).read_bytes() for name in names]


def test_rows_outside_training_change_no_byte(root, tmp_path):
    clean = cleanset.clean(FEATURES, CLEANER)
    others = torch.from_numpy(clean.metadata.split != "train")[:, None]
    whole = clean.aggregated
    shaken = replace(
        clean,
        aggregated=replace(
            whole,
            summary=torch.where(others, 3 - whole.summary**2, whole.summary),
            initial=torch.where(others, torch.zeros_like(whole.initial), whole.initial),
            temporal=torch.where(others[:, None], 3 - whole.temporal**2, whole.temporal),
        ),
    )
    first = run_stage(root, tmp_path / "first", clean, CONFIG)
    assert first == run_stage(root, tmp_path / "second", shaken, CONFIG)
    assert first == run_stage(root, tmp_path / "first", clean, CONFIG)


def test_what_the_stage_writes_is_a_mapping_file(root, tmp_path):
    clean = cleanset.clean(FEATURES, CLEANER)
    written, _ = run_stage(root, tmp_path / "run", clean, CONFIG)
    assert_complete(json.loads(written)["categories"])
    (tmp_path / "run" / "mappings").mkdir()
    (tmp_path / "run" / "mappings" / "mapping.json").write_bytes(written)
    again, _ = run_stage(root, tmp_path / "run", clean, MAPPED)
    assert json.loads(again)["categories"] == json.loads(written)["categories"]


def test_one_cluster_has_no_stability_and_does_not_lift_that_of_all():
    found = selection.cluster(blocks([5], 0), CONFIG, 1, 3)
    assert found.considered == (found.judged,) == (score(1, None, None, None),)
    assert found.held == (None,)


def test_a_single_column_is_a_category():
    found = selection.cluster(blocks([1], 0), CONFIG, 1, 3)
    assert found.labels.tolist() == [0]
    assert found.judged.stability is None
    assert found.tree == ()
