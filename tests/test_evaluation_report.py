"""The whole evaluation of a small run: perfect and idle agents, groups, processes, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import evaluation_case as case
import noa_cases
from spinlock import workers
from spinlock.evaluation import (
    ablations,
    consistency,
    cost,
    criteria,
    emulation,
    fields,
    views,
)
from spinlock.evaluation.agent import ABLATIONS, BASELINES, PREDICTORS
from spinlock.evaluation.report import Evaluation
from spinlock.plots import dashboards, files
from spinlock.refusals import Refusal
from spinlock.rollout.last_step import last_step


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return case.sources(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def evaluation(sources):
    return Evaluation(sources, case.CONFIG)


@pytest.fixture(scope="module")
def report(evaluation):
    return evaluation.run()


@pytest.fixture(scope="module")
def idle(sources):
    return Evaluation(case.with_agent(sources, case.idle()), case.CONFIG).run()


GROUPS = ("", "val/", "held_out/theta_corner/")


@pytest.mark.parametrize("group", GROUPS)
def test_an_agent_that_is_the_truth_has_no_error_and_the_truths_tokens(report, group):
    found = report.metrics
    assert found[f"{group}noa/count"] == 12
    for name in ("vrmse_1", "vrmse_4", "mse_4", "spectral_error_high", "vrmse_2_to_5"):
        assert found[f"{group}noa/{name}"] == 0
    assert found[f"{group}noa/valid_steps"] == case.STEPS + 1
    assert found[f"{group}noa/bounded"] == 1
    assert found[f"{group}noa/token_agreement"] == 1
    assert found[f"{group}noa/token_agreement_initial"] == 1
    assert found[f"{group}noa/token_kappa"] == pytest.approx(1)
    assert found[f"{group}noa/token_kappa_ceiling"] < 1


@pytest.mark.parametrize("group", GROUPS)
def test_an_idle_agent_is_persistence(idle, group):
    found = idle.metrics
    for name in ("vrmse_1", "vrmse_4", "mse_1", "valid_steps", "spectral_octaves_low"):
        assert found[f"{group}noa/{name}"] == found[f"{group}noa/{name}_persistence"]
    assert found[f"{group}noa/vrmse_4"] > 0
    assert found[f"{group}noa/token_kappa"] == found[f"{group}noa/token_kappa_persistence"]
    assert found[f"{group}noa/token_kappa"] < 1


def test_nothing_but_the_agents_scores_depends_on_the_agent(report, idle):
    agents = {name for name in report.metrics if report.metrics[name] != idle.metrics[name]}
    endings = tuple(f"_{name}" for name in (*BASELINES, "policy", "possible", "ceiling"))
    assert agents
    differs = {name for name in agents if "_minus_" not in name}  # the agent's less a baseline's
    assert all("noa/" in name and not name.endswith(endings) for name in differs)


def test_what_stands_beside_the_scores_is_wired_to_them(report, sources):
    found, vocabulary = report.metrics, report.vocabulary
    assert found["noa/vrmse_1_frame_mean"] == pytest.approx(1, abs=1e-3)
    operators = sources.operators
    agents = cost.agent_flops(sources.agent, operators)
    own = [cost.operator_flops(operators, row) for row in operators.rows("test")]
    assert found["noa/step_flops_cheaper"] == np.mean([each < agents for each in own])
    plain, told = (vocabulary.values[f"residual_beam{end}"] for end in ("", "_readout"))
    assert np.abs(plain - told).max() > 1e-3
    count = found["held_out/theta_corner/tokenizer/gap_count"]
    assert count == len(sources.cleaned.rows("theta_corner"))


def test_who_is_in_two_held_out_groups_is_in_the_gap_of_neither(sources):
    members = np.stack([sources.operators.held_out[:, 0]] * 2, axis=1)
    first, second, *_ = np.flatnonzero(members[:, 0])
    members[first, 0] = members[second, 1] = False
    operators = replace(sources.operators, held_out=members, held_out_groups=("a", "b"))
    metadata = replace(sources.cleaned.metadata, held_out=members, held_out_groups=("a", "b"))
    cleaned = replace(sources.cleaned, metadata=metadata)
    changed = Evaluation(replace(sources, operators=operators, cleaned=cleaned), case.CONFIG)
    found = changed._lexicon(None, {})
    assert found.alone("held_out/a/").tolist() == [second]
    assert found.alone("held_out/b/").tolist() == [first]
    assert len(found.rows("held_out/a/")) > 1
    scored = changed.run().metrics
    assert scored["held_out/a/tokenizer/gap_count"] == 1
    assert scored["held_out/a/tokenizer/count"] == len(found.rows("held_out/a/"))


@pytest.mark.parametrize("group", GROUPS)
def test_an_agent_that_asks_for_no_theta_is_its_own_ablation(report, group):
    found = report.metrics
    for name in ("vrmse_4", "vrmse_2_to_5", "mse_1"):
        for ablation in ABLATIONS:
            assert found[f"{group}noa/{name}_{ablation}"] == found[f"{group}noa/{name}"]
    assert found[f"{group}noa/code_error"] == 0
    assert found[f"{group}noa/code_error_persistence"] > 0
    assert found[f"{group}noa/entropy_ratio"] == 1
    assert found[f"{group}noa/cluster_agreement"] == 1


def test_policies_share_out_the_operators_and_small_groups_are_null(report):
    counts = [report.metrics[f"noa/{policy}/count"] for policy in ("convex", "residual")]
    assert sum(counts) == report.metrics["noa/count"]
    assert max(counts) < case.CONFIG.min_operators
    assert report.metrics["noa/residual/vrmse_1"] is None
    assert report.metrics["noa/vrmse_64"] is None


def test_the_floors_are_where_they_must_be(report):
    found = report.metrics
    assert 0 < found["noa/vrmse_1_noise_floor"] < found["noa/vrmse_1_persistence"]
    assert found["tokenizer/reconstruction"] < found["tokenizer/reconstruction_train_mean"]
    assert found["tokenizer/identity_count"] == 10
    assert found["tokenizer/identity_within"] > found["tokenizer/identity_between"]
    assert found["all/tokenizer/entropy_joint"] > 0
    assert found["noa/parameters"] == 9
    assert found["noa/step_flops"] == 2 * 9 * case.GRID**2


def test_the_same_rollouts_give_the_tokens_of_the_data(sources, report):
    rows = sources.cleaned.rows("test")
    for row in rows.tolist():
        rollout = sources.index.read(sources.operators, row)
        step = last_step(sources.operators, row, sources.index)
        view = views.aggregated_view(rollout, sources.tokenizer.cleaner, step)
        tokens = sources.tokenizer.encode(view).numpy()[0]
        np.testing.assert_array_equal(tokens, report.vocabulary.own.tokens[row])


def test_every_operator_outside_training_is_emulated_once(sources, report):
    split = np.array(sources.operators.split)
    np.testing.assert_array_equal(report.emulation.rows, np.flatnonzero(split != "train"))


def judging(sources, agent):
    """What it takes to score an agent."""
    operators = sources.operators
    return emulation.Judge(
        index=sources.index,
        agent=agent.eval(),
        tokenizer=sources.tokenizer,
        train_mean=emulation.mean_trajectory(operators, sources.index, [0]),
        shown_steps=(1, 4),
    )


def batch(sources, agent, rows):
    """Some operators as one batch."""
    (found,) = emulation.batches(agent, sources.operators, rows, len(rows))
    return found


def test_processes_change_no_number(sources):
    real = case.with_agent(sources, noa_cases.agent())
    alone = Evaluation(real, case.CONFIG).run()
    with workers.side_by_side(2) as start:
        found = Evaluation(real, case.CONFIG, start).run()
    assert found.metrics == alone.metrics
    assert found.tables == alone.tables
    np.testing.assert_array_equal(found.emulation.predicted, alone.emulation.predicted)


def test_batches_are_the_rows_in_order_each_with_its_own(sources):
    agent, operators, rows = noa_cases.agent(), sources.operators, np.arange(3, 11)
    told = ablations.inputs(agent, operators)["shuffled_theta"]
    partners = ablations.partners(operators.seed, len(operators))
    found = list(emulation.batches(agent, operators, rows, 3))
    assert [one.rows.tolist() for one in found] == [[3, 4, 5], [6, 7, 8], [9, 10]]
    for one in found:
        np.testing.assert_array_equal(one.operators.ids, operators.ids[one.rows])
        np.testing.assert_array_equal(one.partners.ids, operators.ids[partners[one.rows]])
        np.testing.assert_array_equal(one.told["shuffled_theta"], told[one.rows])


def test_a_real_agent_is_scored_as_it_rolls_out(sources):
    real = noa_cases.agent()
    judge = judging(sources, real)
    rows = sources.operators.rows("test")[:4]
    found = emulation.emulate(judge, batch(sources, real, rows))
    u0 = torch.stack([sources.index.read(sources.operators, row).u0 for row in rows])
    predicted = real.rollout(sources.operators.take(rows), u0, case.STEPS)
    np.testing.assert_array_equal(found.predicted, predicted[:, [0, 3], 0])
    truth = sources.index.read(sources.operators, rows[0]).u[0]
    expected = fields.score(predicted[0], truth).vrmse
    np.testing.assert_array_equal(found.curves["agent"].vrmse[0], expected)
    assert cost.agent_flops(real, sources.operators) > 0


def test_with_a_context_every_predictor_starts_where_it_ends(sources):
    """At u_c, from which steps are counted; what is shown of another operator is one drawn for all,
    whatever comes in a batch.
    """
    real, rows = noa_cases.agent(context_steps=2), sources.operators.rows("test")[:3]
    judge = judging(sources, real)
    found = emulation.emulate(judge, batch(sources, real, rows))
    truth = sources.index.read(sources.operators, rows[0]).u[0]
    left = case.STEPS - 2
    for own in found.curves.values():
        assert own.vrmse.shape == (3, left)
    still = fields.score(truth[1].expand(left, -1, -1, -1), truth[2:]).vrmse
    np.testing.assert_array_equal(found.curves["persistence"].vrmse[0], still)
    np.testing.assert_array_equal(found.predicted[0, 0], truth[0, 0])  # step 1 was shown
    alone = emulation.emulate(judge, batch(sources, real, rows[:1]))
    for name, own in found.curves.items():
        np.testing.assert_allclose(alone.curves[name].vrmse[0], own.vrmse[0], rtol=1e-3)
    own, other = (found.curves[name].vrmse for name in ("agent", "shuffled_context"))
    assert not np.allclose(own, other, rtol=1e-3)
    plain = cost.agent_flops(noa_cases.agent(), sources.operators)
    assert cost.agent_flops(real, sources.operators) >= plain > 0


def test_the_mean_trajectory_is_the_mean_of_first_realizations(sources):
    found = emulation.mean_trajectory(sources.operators, sources.index, [0, 1])
    both = [sources.index.read(sources.operators, row).u[0].double() for row in (0, 1)]
    np.testing.assert_allclose(found, (both[0] + both[1]) / 2, atol=1e-6)


def test_tables_and_scorecard_are_complete(report):
    steps = {row["step"] for row in report.error_curves}
    assert steps == set(range(1, case.STEPS + 1))
    assert {row["predictor"] for row in report.error_curves} == set(PREDICTORS)
    assert {row["policy"] for row in report.error_curves} == {"all", "convex", "residual"}
    names = [category.name for category in report.vocabulary.layout.categories]
    for name in ("reconstruction_by_category", "identity", "leakage"):
        assert [row["category"] for row in report.tables[name]] == names
    assert report.tables["error_curves_by_policy"] == report.error_curves
    assert all(report.tables.values())
    judged = {row.metric: row.met for row in report.scorecard}
    assert judged["noa/vrmse_1"] is True
    assert judged["noa/vrmse_64"] is None
    references = [row for row in report.scorecard if row.source == "baseline"]
    steps = len(case.CONFIG.headline_steps)
    codes = (*criteria.CODES, *criteria.BOUNDS)
    assert len(references) == len(codes) + 4 + len(criteria.PREDICTORS) * steps
    assert "step 64" in report.text


def test_correlations_of_categories_are_symmetric_shares(report):
    found = report.semantics
    np.testing.assert_allclose(found.correlation, found.correlation.T)
    assert (found.association >= 0).all()
    assert found.association.max() <= 1 + 1e-9
    counts = np.bincount(found.category_of)
    assert counts.tolist() == [
        row["columns"] for row in report.tables["reconstruction_by_category"]
    ]


def test_dashboards_are_drawn(evaluation, report, tmp_path):
    epochs = np.linspace(1, 0.5, 5)
    curves = {name: epochs for names in dashboards.PANELS.values() for name in names}
    figures = dashboards.pictures(evaluation, report, curves)
    list(files.draw(figures, tmp_path))
    names = ("agent", "agent_failures", "categories", "engineering", "rate_distortion")
    wanted = [f"{name}.png" for name in (*names, "semantic", "topological")]
    assert sorted(path.name for path in tmp_path.iterdir()) == wanted


def test_a_set_too_small_for_anything_is_null_and_still_drawn(sources, tmp_path):
    config = replace(case.CONFIG, min_operators=100, num_identity_operators=0)
    evaluation = Evaluation(sources, config)
    report = evaluation.run()
    assert {row.met for row in report.scorecard} == {None}
    known = [name for name, value in report.metrics.items() if value is not None]
    assert all(
        name.endswith(("count", "bits", "entropy_joint", "/redundancy"))
        or "/step_flops" in name
        or name == "noa/parameters"
        for name in known
    )
    epochs = np.full(5, np.nan)
    curves = {name: epochs for names in dashboards.PANELS.values() for name in names}
    list(files.draw(dashboards.pictures(evaluation, report, curves), tmp_path))


def test_a_curve_that_begins_late_stands_at_its_steps(tmp_path):
    for names in dashboards.PANELS.values():
        for name in names:
            first = 1 if name == "reconstruction" else 3
            lines = [f"{step}\t{step / 4}" for step in range(first, 5)]
            (tmp_path / f"{name}.tsv").write_text("\n".join([f"step\t{name}", *lines]) + "\n")
    found = dashboards.read_curves(tmp_path)
    np.testing.assert_array_equal(found["reconstruction"], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(found["perplexity"], [np.nan, np.nan, 0.75, 1.0])


def test_missing_curves_are_refused(tmp_path):
    with pytest.raises(Refusal, match=r"no curve perplexity\.tsv"):
        dashboards.read_curves(tmp_path)


def test_files_of_different_runs_are_refused(sources, tmp_path):
    consistency.check(sources)
    with pytest.raises(Refusal, match="the table has 71 operators"):
        consistency.check(replace(sources, operators=sources.operators.take(range(71))))
    moved = replace(sources.operators, split=sources.operators.split[::-1])
    with pytest.raises(Refusal, match="differ in their splits"):
        consistency.check(replace(sources, operators=moved))
    columns = {**sources.cleaned.columns, "summary": ("other",)}
    with pytest.raises(Refusal, match="summary columns"):
        consistency.check(replace(sources, cleaned=replace(sources.cleaned, columns=columns)))
    with pytest.raises(Refusal, match="categories are not those"):
        consistency.check_categories(sources.tokenizer, {"a": ("x",)}, tmp_path)
    tokens = np.zeros((200, 4), dtype=int)
    other = tokens.copy()
    other.flat[:9] = 1
    with pytest.raises(Refusal, match="tokens are not those"):
        consistency.check_tokens(tokens, other, tmp_path)
    other.flat[8] = 0
    consistency.check_tokens(tokens, other, tmp_path)
