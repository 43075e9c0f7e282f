r"""
# Attention

The block that a transformer repeats: every token looks at every token, then
each is thought about by itself. Nothing in it knows of images; what makes it
one for images is [`VisionTransformer`](../labkd/vit.py#VisionTransformer).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    r"""
    Attention, then a perceptron, each added to what came in.

    Dosovitskiy et al. (2021), equations 2 and 3; normalisation comes first.

    * `width`: of a token, a multiple of `heads`
    * `heads`: attention heads
    * `hidden`: width of the perceptron's hidden layer
    * `drop_path`: chance that a branch is skipped for an image, in training
    """

    def __init__(
        self, width: int, heads: int, hidden: int, drop_path: float
    ) -> None:
        super().__init__()
        self.heads, self.drop_path = heads, drop_path
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        r"""Tokens to tokens, (batch, tokens, width)."""
        tokens = tokens + self._kept(self.attend(self.attention_norm(tokens)))
        return tokens + self._kept(self.mlp(self.mlp_norm(tokens)))

    def attend(self, tokens: Tensor) -> Tensor:
        r"""
        Multi-head self-attention.

        Vaswani et al. (2017), section 3.2, equation 1, a head at a time:

        $$
        \operatorname{softmax}\bigl(Q K^\top / \sqrt{d}\bigr) V
        $$

        * `tokens`: (batch, tokens, width), normalised

        Returns the same shape.
        """
        batch, count, width = tokens.shape
        split = (batch, count, 3, self.heads, width // self.heads)
        # (3, batch, heads, tokens, d): queries, keys and values apart.
        together = self.query_key_value(tokens).view(split)
        query, key, value = together.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(batch, count, width)
        return self.projection(mixed)

    def _kept(self, branch: Tensor) -> Tensor:
        # Drop path: an image in `drop_path` skips the branch; the others are
        # scaled up, so that the mean stays. Stochastic depth (Huang et al.
        # 2016), from which it comes, drops layers for the whole batch.
        if not self.training or self.drop_path == 0:
            return branch
        keep = 1 - self.drop_path
        shape = (len(branch), 1, 1)
        mask = torch.rand(shape, device=branch.device) < keep
        return branch * mask / keep
