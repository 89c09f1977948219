"""The linear stencil: exact for what is one, and no better than it should be for what is not."""

import torch

from spinlock.evaluation import agent, stencil


def field(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear_system(steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """u0 and u of a stable periodic 3×3 convolution with a bias."""
    kernel = field(2, 2, 3, 3, seed=1)
    kernel = 0.9 * kernel / kernel.abs().sum((1, 2, 3), keepdim=True)
    frames = [field(1, 2, 16, 16)]
    for _ in range(steps):
        frames.append(stencil.step(frames[-1], kernel, torch.tensor([0.1, -0.2])))
    return frames[0][0], torch.cat(frames[1:])


def test_a_linear_map_is_found():
    u0, u = linear_system(12)
    torch.testing.assert_close(stencil.trajectory(u0, u), u, atol=2e-3, rtol=0)


def test_it_commutes_with_translations():
    u0, u = linear_system(8)
    u = u + 0.1 * field(*u.shape, seed=3)
    shifted = stencil.trajectory(u0.roll((3, 5), (1, 2)), u.roll((3, 5), (2, 3)))
    expected = stencil.trajectory(u0, u).roll((3, 5), (2, 3))
    torch.testing.assert_close(shifted, expected, atol=1e-4, rtol=1e-4)


def test_what_it_was_fitted_on_has_no_score():
    u0, u = linear_system(7)
    found = agent.linear_stencil(u0, u, 100.0)
    assert torch.from_numpy(found.vrmse[0, : stencil.STEPS]).isnan().all()
    assert (found.vrmse[0, stencil.STEPS :] < 0.02).all()


def test_of_white_noise_it_predicts_the_mean():
    u = 3 + field(40, 1, 32, 32, seed=2)
    found = agent.linear_stencil(u[0], u[1:], 100.0)
    last = found.vrmse[0, -10:]
    assert (abs(last - 1) < 0.05).all()


def test_a_truth_that_ends_too_early_gives_no_stencil():
    u0, u = linear_system(6)
    u[2:] = torch.nan
    assert torch.isnan(torch.from_numpy(agent.linear_stencil(u0, u, 100.0).vrmse)).all()
