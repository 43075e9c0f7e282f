r"""
# Students that see fewer pixels

In cross-quality distillation the teacher looks at the image as it is, and the
student, who is to run on a small camera or in little time, at a degraded one.
Both come out of one tensor in the loop, so the degradation belongs to the
student and to nothing else: put before the teacher by mistake, as happens in
published code, it would blind the teacher and teach nothing.
"""

import torch.nn.functional as F
from torch import Tensor, nn


def shrink(pixels: Tensor, factor: int) -> Tensor:
    r"""
    Fewer pixels of the same image: each the mean of those it replaces.

    With $f$ for the factor,

    $$
    x'_{ij} = \frac{1}{f^2} \sum_{a, b = 0}^{f - 1} x_{f i + a,\, f j + b} .
    $$

    A mean keeps the scale of the pixels, and with it their normalisation. A
    camera with fewer and larger sensors takes the same mean.

    * `pixels`: floating point, (batch, channels, height, width)
    * `factor`: $f$, at least 1, a divisor of height and width

    Returns pixels, (batch, channels, height / factor, width / factor).
    Raises `ValueError` for arguments outside these bounds.
    """
    if pixels.ndim != 4 or not pixels.is_floating_point():
        raise ValueError(
            "pixels must be floating point of shape (batch, channels, "
            f"height, width), got {pixels.dtype} of shape "
            f"{tuple(pixels.shape)}"
        )
    height, width = pixels.shape[-2:]
    if factor < 1 or height % factor or width % factor:
        raise ValueError(
            f"factor must divide {height} x {width}, got {factor}"
        )
    return F.avg_pool2d(pixels, factor)


class FewerPixels(nn.Module):
    r"""
    A student that shrinks what it is shown before it looks.

    The loop shows teacher and student the same tensor; what is lost on the
    way to the student, the teacher still sees.

    * `student`: takes the shrunken pixels
    * `factor`: as `shrink` takes it; 1 leaves the image whole
    """

    def __init__(self, student: nn.Module, factor: int) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"factor must be at least 1, got {factor}")
        self.student = student
        self.factor = factor

    def forward(self, pixels: Tensor) -> Tensor:
        r"""What the student says of fewer pixels."""
        return self.student(shrink(pixels, self.factor))
