r"""
# Pixels as a teacher knows them

A teacher that was trained elsewhere was given pixels of another mean and
another scale. The loop normalises once, for the student; what the teacher
needs is computed back from that.
"""

import torch
from torch import Tensor, nn

from labkd.pixels import Normalise

# What torchvision's own weights were trained with.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Renormalised(nn.Module):
    r"""
    A classifier that is given pixels in its own normalisation.

    With $\mu, \sigma$ the student's mean and deviation, channel by channel,
    and $\mu', \sigma'$ the classifier's, it sees

    $$
    x' = \frac{x \sigma + \mu - \mu'}{\sigma'} ,
    $$

    which is right for blends of images too.

    * `model`: pixels to logits
    * `given`, `wanted`: the student's normalisation and the classifier's
    """

    def __init__(
        self, model: nn.Module, given: Normalise, wanted: Normalise
    ) -> None:
        super().__init__()
        self.model = model
        scale = given.deviation / wanted.deviation
        shift = (given.mean - wanted.mean) / wanted.deviation
        # In the state, and so in the digest of a table of its answers.
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", shift[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        r"""Logits, (batch, classes), of (batch, channels, height, width)."""
        # In the usual order in memory: others flatten by `view`.
        return self.model((pixels * self.scale + self.shift).contiguous())


def normalisation(kind: str, student: Normalise) -> Normalise:
    r"""
    A normalisation by name.

    * `kind`: `student` for the data's own mean and deviation, `imagenet` for
      ImageNet's (grey images become three equal channels), `unit` for
      0 .. 1, `half` for -1 .. 1
    """
    if kind == "student":
        return student
    like = student.mean
    if kind == "imagenet":
        return Normalise(*(like.new_tensor(values) for values in IMAGENET))
    middle = 0.0 if kind == "unit" else 0.5
    return Normalise(
        torch.full_like(like, middle), torch.full_like(like, 1 - middle)
    )
