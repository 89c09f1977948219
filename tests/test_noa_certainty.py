"""The share of a pattern that is believed."""

import torch

from spinlock.noa.certainty import GAIN, Certainty


def field(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def certainty(first: float, fading: float) -> tuple[Certainty, torch.Tensor]:
    """Logits `first` at age 0 and `first + fading` of each function of age later."""
    layer = Certainty(embedding_dim=4, channels=3)
    with torch.no_grad():
        layer.linear.bias[:3] = first / GAIN
        layer.linear.bias[3:] = fading / GAIN
    return layer, layer.coefficients(torch.zeros(2, 4))


def test_the_mean_stays_and_the_pattern_is_scaled():
    layer, coefficients = certainty(0.0, 0.0)
    u = field() + 5
    found = layer(u, coefficients, 3)
    torch.testing.assert_close(found.mean((-2, -1)), u.mean((-2, -1)))
    torch.testing.assert_close(found.std((-2, -1)), u.std((-2, -1)) / 2)  # σ(0) = 1/2


def test_full_certainty_changes_nothing_and_none_leaves_the_mean():
    u = field()
    for logit, expected in ((50.0, u), (-50.0, u.mean((-2, -1), keepdim=True).expand_as(u))):
        layer, coefficients = certainty(logit, 0.0)
        torch.testing.assert_close(layer(u, coefficients, 1), expected)


def test_it_fades_with_age_towards_a_limit():
    layer, coefficients = certainty(3.0, -2.0)
    sizes = [
        float(layer(field(), coefficients, age).detach().std()) for age in (0, 1, 4, 16, 200, 400)
    ]
    assert sizes[:5] == sorted(set(sizes[:5]), reverse=True)
    assert abs(sizes[4] - sizes[5]) < 1e-4


def test_the_best_share_of_a_pattern_that_is_partly_known_is_found_by_descent():
    """Truth r x + √(1 − r²) noise, prediction x: the share with the least error is r."""
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(64, 1, 16, 16, generator=generator) for _ in range(2))
    truth = 0.6 * x + 0.8 * noise
    layer = Certainty(embedding_dim=1, channels=1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        found = layer(x, layer.coefficients(torch.ones(64, 1)), 0)
        (found - truth).square().mean().backward()
        optimizer.step()
    share = float(layer(x, layer.coefficients(torch.ones(64, 1)), 0).detach().std() / x.std())
    assert abs(share - 0.6) < 0.03
