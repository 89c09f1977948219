"""What some observed steps say about an operator: a set encoder of transitions."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spinlock.operators.periodic import wrap

WIDTH = 32
KERNEL = 3


class ContextEncoder(nn.Module):
    r"""Embedding of the pairs $(u_t, O_t)$, $O_t = (u_{t+1} - \mathrm{keep}\,u_t) / \mathrm{gain}$.

    The policy is known, so that a transition shows what the operator put out, noise and all. Each
    pair passes two periodic convolutions; mean and standard deviation over the domain, then the
    mean over the pairs: their order and number do not matter (Zaheer et al. 2017, "Deep sets").
    """

    def __init__(self, channels: int, embedding_dim: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * channels, WIDTH, KERNEL)
        self.second = nn.Conv2d(WIDTH, WIDTH, KERNEL, stride=2)
        self.out = nn.Linear(2 * WIDTH, embedding_dim)

    def forward(
        self, frames: Float[Tensor, "n k C H W"], coefficients: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n E"]:
        """Embed the k − 1 transitions between consecutive frames.

        Args:
            frames: of one trajectory of each operator.
            coefficients: keep and gain of each policy.
        """
        keep, gain = coefficients[:, :, None, None, None, None].unbind(1)
        outputs = (frames[:, 1:] - keep * frames[:, :-1]) / gain
        pairs = torch.cat([frames[:, :-1], outputs], 2)
        x = F.gelu(self.first(wrap(pairs.flatten(0, 1), KERNEL // 2)))
        x = F.gelu(self.second(wrap(x, KERNEL // 2)))
        pooled = torch.cat([x.mean((-2, -1)), x.std((-2, -1), correction=0)], 1)
        return self.out(pooled).unflatten(0, pairs.shape[:2]).mean(1)
