"""Predictors whose error is known: the truth, persistence, a policy without an operator."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import evaluation_case as case
from spinlock.evaluation import agent
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)
CONFIG = replace(case.CONFIG, headline_steps=(1, 4, 99))


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def theta(policy, alpha=0.5):
    return SimpleNamespace(update_policy=policy, dt=0.1, alpha=alpha)


def test_policies_without_an_operator():
    u0 = noise(2, 8, 8)
    assert (agent.policy_alone(u0, theta("autoregressive"), 3) == 0).all()
    assert (agent.policy_alone(u0, theta("residual"), 3) == u0).all()
    halved = agent.policy_alone(u0, theta("convex"), 3)
    torch.testing.assert_close(halved, torch.stack([u0 / 2, u0 / 4, u0 / 8]))


def test_persistence_of_what_does_not_change_is_perfect():
    u0 = noise(2, 8, 8)
    found = agent.curves(agent.persistence(u0, 5), u0.expand(5, 2, 8, 8), 10.0)
    assert (found.vrmse == 0).all()
    assert found.bounded == 1


def test_the_floor_of_independent_noise_is_the_root_of_two():
    pattern = noise(1, 1, 2, 64, 64, seed=1)
    u = 3 * pattern + noise(3, 4, 2, 64, 64, seed=2)
    floor = agent.noise_floor(u, 100.0)
    np.testing.assert_allclose(floor.mse, 2, rtol=0.05)
    best = agent.curves(3 * pattern[0].expand(4, -1, -1, -1), u[0], 100.0)
    np.testing.assert_allclose(floor.vrmse / best.vrmse, 2**0.5, rtol=0.03)


def test_one_realization_has_no_floor_and_equal_ones_a_floor_of_zero():
    u = noise(1, 3, 1, 8, 8)
    assert np.isnan(agent.noise_floor(u, 10.0).vrmse).all()
    assert (agent.noise_floor(u.expand(2, -1, -1, -1, -1), 10.0).vrmse == 0).all()


def hand_made(values):
    """Curves of ten operators with the VRMSE of step t equal to values[t]."""
    curve = np.tile(np.array(values, dtype=float), (10, 1))
    bands = np.repeat(curve[..., None], 3, axis=-1)
    return agent.Curves(
        vrmse=curve,
        mse=curve**2,
        spectral_error=bands,
        spectral_octaves=bands,
        quiescent=np.zeros_like(curve),
        bounded=np.ones(10),
    )


def test_metrics_of_hand_made_curves():
    group = {name: hand_made([0.1, 0.2, 0.4, 0.6, 0.6]) for name in agent.PREDICTORS}
    group["persistence"] = hand_made([0.7] * 5)
    found = agent.metrics(group, CONFIG, HOW)
    assert found["count"] == 10
    assert found["vrmse_1"] == pytest.approx(0.1)
    for name in ("vrmse_4", "vrmse_4_low", "vrmse_4_high", "vrmse_4_mean"):
        assert found[name] == pytest.approx(0.6)
    assert found["vrmse_1_persistence"] == pytest.approx(0.7)
    assert found["mse_4"] == pytest.approx(0.36)
    assert found["vrmse_2_to_5"] == pytest.approx(0.45)
    assert found["valid_steps"] == 4
    assert found["valid_steps_persistence"] == 1
    assert found["bounded"] == 1
    assert found["quiescent"] == 0


def test_a_baseline_is_compared_operator_by_operator():
    group = {name: hand_made([0.1, 0.2, 0.4, 0.6, 0.6]) for name in agent.PREDICTORS}
    spread = np.linspace(0, 9, 10)[:, None]  # much more than what is between the two
    for name, better in (("agent", 0.0), ("persistence", 0.05)):
        curves = group[name]
        group[name] = replace(curves, vrmse=curves.vrmse + spread + better)
    far = group["persistence"].vrmse.copy()
    far[0] += 100  # one operator, which a mean would follow
    group["persistence"] = replace(group["persistence"], vrmse=far)
    found = agent.metrics(group, CONFIG, HOW)
    assert found["vrmse_1_low"] < found["vrmse_1_persistence"] < found["vrmse_1_high"]
    for end in ("", "_high"):
        assert found[f"vrmse_1_minus_persistence{end}"] == pytest.approx(-0.05)


def test_an_infinite_error_of_a_baseline_is_beaten_and_two_say_nothing():
    group = {name: hand_made([0.1] * 5) for name in agent.PREDICTORS}
    group["stencil"] = hand_made([np.inf] * 5)
    found = agent.metrics(group, CONFIG, HOW)
    assert found["vrmse_1_minus_stencil"] == -np.inf
    group["agent"] = hand_made([np.inf] * 5)
    assert agent.metrics(group, CONFIG, HOW)["vrmse_1_minus_stencil"] is None


def test_what_is_possible_is_the_noise_floor_of_independent_noise():
    group = {name: hand_made([0.1] * 5) for name in agent.PREDICTORS}
    found = agent.metrics(group, CONFIG, HOW)
    assert found["vrmse_4_possible"] == pytest.approx(found["vrmse_4_noise_floor"] / 2**0.5)
    assert found["mse_4_possible"] == pytest.approx(found["mse_4_noise_floor"] / 2)
    assert found["vrmse_99_possible"] is None
    shown = agent.metrics(group, CONFIG, HOW, same_start=False)
    assert shown["vrmse_4_possible"] is None
    assert shown["vrmse_4_noise_floor"] == found["vrmse_4_noise_floor"]


def test_what_the_stencil_was_fitted_to_is_in_none_of_its_scores():
    group = {name: hand_made([0.9, 0.9, 0.9, 0.9, 0.1, 0.1]) for name in agent.PREDICTORS}
    found = agent.metrics(group, CONFIG, HOW)
    about_all = ("vrmse_2_to_5", "valid_steps", "spectral_error_low", "spectral_octaves_high")
    assert [found[f"{name}_stencil"] for name in about_all] == [None] * 4
    assert None not in [found[f"{name}_persistence"] for name in about_all]
    long = {name: hand_made([0.5] * 12) for name in agent.PREDICTORS}
    assert agent.metrics(long, CONFIG, HOW)["vrmse_6_to_12_stencil"] == 0.5


def test_the_mean_of_the_true_frame_has_an_error_of_one():
    truth = 5 + noise(4, 2, 16, 16)
    found = agent.curves(agent.frame_mean(truth), truth, 100.0)
    np.testing.assert_allclose(found.vrmse, 1, rtol=1e-5)


def test_a_horizon_beyond_the_rollout_and_a_small_group_are_null():
    group = {name: hand_made([0.1] * 5) for name in agent.PREDICTORS}
    found = agent.metrics(group, CONFIG, HOW)
    assert found["vrmse_99"] is None
    assert found["vrmse_6_to_12_persistence"] is None
    small = {name: part.take(np.arange(7)) for name, part in group.items()}
    found = agent.metrics(small, CONFIG, HOW)
    assert found["count"] == 7
    assert found["vrmse_1"] is None
    assert found["bounded"] is None


def test_stacking_undoes_taking():
    whole = hand_made([0.1, 0.2])
    parts = [whole.take(np.arange(4)), whole.take(np.arange(4, 10))]
    np.testing.assert_array_equal(agent.stack(parts).vrmse, whole.vrmse)
