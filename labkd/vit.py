r"""
# A Vision Transformer

An image is cut into square patches, each becomes a vector, and from then on
the network is the one that was made for words: attention lets every patch
look at every other, a small perceptron thinks about each by itself, again
and again. Dosovitskiy et al. (2021), section 3.1, equations 1 to 4. There is
no convolution but the patch projection, hence no built-in idea that
neighbouring pixels belong together. That idea is what a CNN can teach it.

With `distillation_token=True` a second token stands beside the class token.
It has a head of its own and learns from the teacher: Touvron et al. (2021),
section 4.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class VisionTransformer(nn.Module):
    r"""
    Patches, tokens, blocks, heads.

    Dosovitskiy et al. (2021), equations 1 to 4, with $N$ patches of width
    $D$:

    $$
    \begin{aligned}
    x_0 &= [\, t_{\text{class}};\, E p_1;\, \dots;\, E p_N \,] + E_{pos} \\
    x'_l &= x_{l-1} + \operatorname{MSA}(\operatorname{LN}(x_{l-1})) \\
    x_l &= x'_l + \operatorname{MLP}(\operatorname{LN}(x'_l)) \\
    z &= W \operatorname{LN}(x_L)_{\text{class}} + b
    \end{aligned}
    $$

    * `image_size`: pixels on a side, a multiple of `patch_size`
    * `patch_size`: pixels on a side of a patch
    * `in_channels`: 3 for colour, 1 for grey
    * `num_classes`: at least 1
    * `width`: $D$, numbers a token, a multiple of `heads`
    * `depth`: $L$, blocks
    * `heads`: attention heads a block
    * `mlp_ratio`: hidden width of the perceptron, in units of `width`
    * `distillation_token`: a second token with a second head
    * `drop_path`: chance in 0 .. 1, not included, that the last block is
      skipped in training; it grows linearly from 0 at the first

    Raises `ValueError` for sizes that do not fit.
    """

    def __init__(
        self,
        *,
        image_size: int,
        patch_size: int,
        in_channels: int,
        num_classes: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        distillation_token: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        _check_sizes(image_size, patch_size, width, heads, drop_path)
        if min(in_channels, num_classes, depth + 1) < 1:
            raise ValueError(
                "in_channels and num_classes must be at least 1, depth 0, got "
                f"{in_channels}, {num_classes} and {depth}"
            )
        self.image_size = image_size
        patches = (image_size // patch_size) ** 2
        # Cutting into patches and projecting each is one strided convolution.
        self.patch_projection = nn.Conv2d(
            in_channels, width, patch_size, stride=patch_size
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + patches, width))
        hidden = int(width * mlp_ratio)
        self.blocks = nn.ModuleList(
            Block(width, heads, hidden, drop_path * index / max(1, depth - 1))
            for index in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, num_classes)
        _initialise_tokens(self.class_token, self.positions)
        # The second token comes last, so that everything else starts from
        # the same values with it and without it. It needs no position of its
        # own: the sum of two learned vectors is one learned vector.
        self.distillation_token = self.distillation_head = None
        if distillation_token:
            self.distillation_token = nn.Parameter(torch.zeros(1, 1, width))
            self.distillation_head = nn.Linear(width, num_classes)
            _initialise_tokens(self.distillation_token)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        r"""
        Logits for a batch of normalised images.

        * `images`: floating point, (batch, channels, image_size, image_size)

        Returns logits of shape (batch, classes). With a distillation token,
        in training, returns two: of the class head and of the distillation
        head; in evaluation the log of the mean of their softmaxes, which is
        how Touvron et al., section 4, combine them. (The code published with
        the paper averages the logits instead. That is the normalised
        *geometric* mean of the two softmaxes: close, but another number.)
        """
        tokens = self.encode(images)
        class_logits = self.head(tokens[:, 0])  # (batch, classes)
        if self.distillation_head is None:
            return class_logits
        token_logits = self.distillation_head(tokens[:, 1])
        if self.training:
            return class_logits, token_logits
        return joint_log_probabilities(class_logits, token_logits)

    def encode(self, images: Tensor) -> Tensor:
        r"""
        All tokens after the last block and its normalisation.

        * `images`: floating point, (batch, channels, image_size, image_size)

        Returns (batch, tokens, width): the class token first, then the
        distillation token if there is one, then the patches row by row.
        """
        # A larger image would lose its last columns without a word.
        if images.shape[2:] != (self.image_size,) * 2:
            raise ValueError(
                f"images must have {self.image_size} x {self.image_size} "
                f"pixels, got shape {tuple(images.shape)}"
            )
        grid = self.patch_projection(images)  # (b, width, rows, columns)
        patches = grid.flatten(2).transpose(1, 2)  # (b, patches, width)
        first = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positions
        if self.distillation_token is not None:
            second = self.distillation_token.expand(len(images), -1, -1)
            both = [tokens[:, :1], second, tokens[:, 1:]]
            tokens = torch.cat(both, dim=1)
        for block in self.blocks:
            tokens = block(tokens)  # (batch, tokens, width)
        return self.norm(tokens)


class Block(nn.Module):
    r"""
    Attention, then a perceptron, each added to what came in.

    What a transformer repeats: every token looks at every token, then each
    is thought about by itself. Nothing in it knows of images.

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


def joint_log_probabilities(
    class_logits: Tensor, token_logits: Tensor
) -> Tensor:
    r"""
    The log of the mean of two softmaxes.

    Touvron et al. (2021), section 4, “Joint classifiers”:

    $$
    \log \tfrac12 \bigl( \operatorname{softmax}(z_{\text{class}})
      + \operatorname{softmax}(z_{\text{token}}) \bigr)
    $$

    * `class_logits`, `token_logits`: floating point, (batch, classes)

    Returns log-probabilities of that shape: a softmax leaves them as they
    are, so they serve wherever logits do.
    """
    both = torch.stack([class_logits, token_logits])  # (2, batch, classes)
    return F.log_softmax(both, dim=-1).logsumexp(0) - math.log(2)


def _check_sizes(
    image_size: int, patch_size: int, width: int, heads: int, drop_path: float
) -> None:
    if patch_size < 1 or image_size < 1 or image_size % patch_size:
        raise ValueError(
            f"image_size {image_size} is no multiple of patch_size "
            f"{patch_size}"
        )
    if heads < 1 or width % heads:
        raise ValueError(f"width {width} is no multiple of heads {heads}")
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path must lie in 0 .. 1, got {drop_path}")


def _initialise_tokens(*tokens: nn.Parameter) -> None:
    # Truncated normal of deviation 0.02, as DeiT's tokens. DeiT draws its
    # weights so too; a deviation that does not grow as the width shrinks is
    # too small for a narrow model. PyTorch's own initial values do.
    for token in tokens:
        nn.init.trunc_normal_(token, std=0.02)
