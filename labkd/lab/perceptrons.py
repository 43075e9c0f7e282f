r"""
# Networks side by side

Ten small networks, each with its own weights, trained in one step: on a CPU
that costs hardly more than a step of one, and gives ten seeds. The
classroom is full of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Perceptrons(nn.Module):
    r"""
    Networks with one hidden layer and BatchNorm, side by side.

    Their weights have one more axis, so that a step of ten costs hardly more
    than a step of one; nothing passes from one to another.

    * `seeds`: of the initial weights, one a network
    * `dropout`: probability, after the hidden layer
    """

    def __init__(
        self, seeds: Sequence[int], inputs: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        drawn = [_weights(seed, inputs, width) for seed in seeds]
        first, second = (
            torch.stack(kind) for kind in zip(*drawn, strict=True)
        )
        self.first, self.second = nn.Parameter(first), nn.Parameter(second)
        self.bias = nn.Parameter(torch.zeros(len(seeds), 1, 10))
        # Each unit of each network is a channel of its own.
        self.norm = nn.BatchNorm1d(len(seeds) * width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # (networks, batch, inputs)
        r"""Logits, (networks, batch, 10)."""
        networks, _, width = self.first.shape
        hidden = (x @ self.first).transpose(0, 1).flatten(1)
        hidden = self.norm(hidden).relu().unflatten(1, (networks, width))
        hidden = self.dropout(hidden.transpose(0, 1))
        return torch.baddbmm(self.bias, hidden, self.second)

    def repeated(self, networks: int) -> "Perceptrons":
        r"""So many copies of the one network, each with its own weights."""
        inputs, width = self.first.shape[1:]
        copies = Perceptrons(range(networks), inputs, width, self.dropout.p)
        weights = {
            name: tensor.repeat(networks, *[1] * (tensor.ndim - 1))
            if tensor.ndim
            else tensor
            for name, tensor in self.state_dict().items()
        }
        copies.load_state_dict(weights)
        return copies


def _weights(seed: int, inputs: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(inputs, width, generator=generator)
    second = torch.randn(width, 10, generator=generator)
    return first / inputs**0.5, second / width**0.5


@torch.no_grad()
def say(networks: Perceptrons, images: Tensor) -> Tensor:
    r"""The logits of each network for (images, inputs) pixels."""
    return networks(images.expand(len(networks.first), -1, -1))
