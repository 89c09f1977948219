"""Training: the same bytes however it runs, and nothing learned from whom it must not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import noa_cases
from spinlock.noa import parallel, report, training, validation
from spinlock.noa.training import Data
from spinlock.refusals import Refusal


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    return noa_cases.data(tmp_path_factory.mktemp("noa"))


@pytest.fixture(scope="module")
def executor():
    with parallel.threads(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def finished(data, executor):
    return noa_cases.trained(data, executor)


def same(first: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_two_threads_give_the_bytes_of_one(data, finished):
    with parallel.threads(2) as pool:
        agent, history = noa_cases.trained(data, pool)
    assert history == finished[1]
    assert same(agent, finished[0])


@pytest.mark.parametrize("stop", [1, 4, 5])
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    data, executor, finished, tmp_path: Path, monkeypatch, stop
):
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    agent = noa_cases.agent()
    run = training.fit(agent, data, noa_cases.SEED, executor, tmp_path)
    for _ in range(stop):
        next(run)
    run.close()
    agent, history = noa_cases.trained(data, executor, tmp_path)
    assert history == finished[1]
    assert same(agent, finished[0])


def test_the_tokenizer_does_not_move(data, executor, tmp_path: Path):
    tokenizer = data.space.tokenizer
    tokenizer.save(tmp_path / "before.pt")
    noa_cases.trained(data, executor)
    tokenizer.save(tmp_path / "after.pt")
    assert (tmp_path / "before.pt").read_bytes() == (tmp_path / "after.pt").read_bytes()


def test_validation_operators_choose_the_update_and_nothing_else(data, executor, finished):
    other = replace(data.validation, fields=data.validation.fields * 2 + 1)
    _, history = noa_cases.trained(replace(data, validation=other), executor)
    losses = [{k: v for k, v in r.items() if not k.startswith("val_")} for r in finished[1]]
    assert losses == [{k: v for k, v in r.items() if not k.startswith("val_")} for r in history]
    assert [r["val_error"] for r in history] != [r["val_error"] for r in finished[1]]


def test_the_agent_ends_with_its_best_weights(data, finished):
    agent, history = finished
    best = min(record["val_error"] for record in history)
    with parallel.threads(1) as pool:
        scores = validation.scores(agent, data.validation, 3, data.validation.steps, pool)
    assert scores["val_error"] == best


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0, 8), (0.05, 12), (0.5, 14)])
def test_alignment_may_raise_the_error_by_the_tolerance(tolerance, expected):
    """Errors of the curriculum, up to update 8, then of alignment."""
    alignment = replace(noa_cases.ALIGNMENT, tolerance=tolerance)
    config = replace(noa_cases.CONFIG, alignment=alignment)
    errors = {2: 0.9, 4: 0.4, 6: 0.41, 8: 0.39, 10: 0.4, 12: 0.4, 14: 0.5}
    history = [{"update": float(u), "val_error": error} for u, error in errors.items()]
    assert training.chosen(history, config)["update"] == expected


def test_alignment_comes_after_the_curriculum(finished):
    seen = ["latent_loss" in record for record in finished[1]]
    assert seen == [False] * 4 + [True] * 2


def test_codes_lead_where_they_are_told_to(data, executor):
    """Up to the first update of alignment both are the same; then L_vq moves the weights."""
    history = {}
    for objective in ("mse", "vq"):
        agent = noa_cases.agent(objective=objective)
        history[objective] = list(training.fit(agent, data, noa_cases.SEED, executor, None))
    assert history["mse"][:4] == history["vq"][:4]
    assert history["mse"][4]["code_loss"] == history["vq"][4]["code_loss"]
    assert history["mse"][4]["val_error"] != history["vq"][4]["val_error"]


def test_where_codes_lead_the_other_two_losses_do_not_act(data, executor):
    plain = noa_cases.agent(objective="vq")
    weighty = replace(plain.config.alignment, latent_weight=7.0, commitment_weight=7.0)
    other = noa_cases.agent(objective="vq", alignment=weighty)
    plain, other = (
        list(training.fit(agent, data, noa_cases.SEED, executor, None)) for agent in (plain, other)
    )
    assert plain == other


def test_learning_lowers_the_supervised_loss(data, executor):
    curriculum = (noa_cases.Phase(horizon=1, updates=60),)
    agent = noa_cases.agent(
        curriculum=curriculum,
        validate_every=15,
        noise_injection=0.0,
        alignment=replace(noa_cases.ALIGNMENT, updates=0),
    )
    history = list(training.fit(agent, data, noa_cases.SEED, executor, None))
    assert history[-1]["trajectory_loss"] < 0.8 * history[0]["trajectory_loss"]
    assert history[-1]["val_loss"] < history[0]["val_loss"]


def test_the_weights_are_chosen_by_the_mean_over_the_policies(data, executor):
    """Twice as many residual operators leave the error as it is."""
    policies = data.validation.coefficients[:, 0] == 1
    rows = torch.cat([torch.arange(len(policies)), policies.nonzero()[:, 0]])
    more = _rows(data, rows)
    agent = noa_cases.agent()
    found, again = (validation.scores(agent, w, 3, 8, executor) for w in (data.validation, more))
    assert found["val_error"] == pytest.approx(again["val_error"])
    assert found["val_vrmse_8"] != pytest.approx(again["val_vrmse_8"])


def test_a_loss_that_is_not_finite_names_its_operators(data, executor):
    fields = data.train.fields.clone()
    fields[3] = torch.nan
    broken = replace(data, train=replace(data.train, fields=fields))
    with pytest.raises(Refusal, match=f"not finite for operators \\[{data.train.ids[3]}\\]"):
        for _ in range(20):
            noa_cases.trained(broken, executor)


def test_operators_that_diverge_are_not_judged(data, executor):
    lengths = data.validation.lengths.copy()
    lengths[1:, validation.REALIZATION] = 2
    fields = data.validation.fields.clone()
    fields[1:, validation.REALIZATION, 3:] = torch.nan
    agent = noa_cases.agent()
    part = replace(data.validation, lengths=lengths, fields=fields)
    found = validation.scores(agent, part, 3, 8, executor)
    alone = _rows(data, torch.tensor([0]))
    assert found == validation.scores(agent, alone, 3, 8, executor)
    nobody = replace(part, lengths=lengths * 0)
    with pytest.raises(Refusal, match="no validation operator stays bounded for 8 steps"):
        validation.scores(agent, nobody, 3, 8, executor)


def test_vrmse_is_one_for_the_mean_of_the_frame_and_zero_for_the_truth():
    u = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mean = u.mean((-2, -1), keepdim=True).expand_as(u)
    torch.testing.assert_close(validation.vrmse(mean, u), torch.ones(2, 3), atol=1e-5, rtol=0)
    assert (validation.vrmse(u, u) == 0).all()
    doubled = u.mean((-2, -1), keepdim=True) + 2 * (u - u.mean((-2, -1), keepdim=True))
    torch.testing.assert_close(validation.vrmse(doubled, u), torch.ones(2, 3), atol=1e-5, rtol=0)


def test_gradients_are_summed_over_the_parts(executor):
    weight = torch.tensor([2.0, 3.0], requires_grad=True)
    parts = [lambda k=k: ((k * weight.square()).sum(), {"k": float(k)}) for k in (1, 2, 3)]
    (found,), reports = parallel.gradients(parts, [weight], executor)
    assert found.tolist() == [24.0, 36.0]
    assert reports == [{"k": 1.0}, {"k": 2.0}, {"k": 3.0}]


def test_threads_of_the_pool_compute_on_one_core():
    with parallel.threads(2) as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(4))) == [1] * 4


def test_metrics_have_every_name_and_the_values_of_the_best_update(data, finished):
    agent, history = finished
    found = report.metrics(agent, data, history, {"head_r2_summary": 0.5})
    assert found["noa/head_r2_summary"] == 0.5
    best = min(history, key=lambda record: record["val_error"])
    assert found["noa/val_loss"] == best["val_loss"]
    assert found["noa/best_update"] == best["update"]
    assert found["noa/updates"] == noa_cases.CONFIG.updates
    assert found["noa/latent_loss"] == history[-1]["latent_loss"]
    names = {"val_vrmse_1", "val_vrmse_8", "trajectory_loss", "commitment_loss"}
    names |= {"parameters", "masked_predictions"}
    assert {f"noa/{name}" for name in names} <= set(found)


def _rows(data: Data, rows: torch.Tensor):
    """Some validation operators."""
    full = data.validation
    return replace(
        full,
        ids=full.ids[rows.numpy()],
        theta=full.theta[rows],
        coefficients=full.coefficients[rows],
        fields=full.fields[rows],
        lengths=full.lengths[rows.numpy()],
        scale=full.scale[rows],
    )
