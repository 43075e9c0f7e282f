r"""
# From bytes to logits

Images are kept as bytes, where they are used, and become floating point a
batch at a time. Teacher and student read the same numbers: one
normalisation, from the training images, for both.
"""

import torch
from torch import Tensor, nn


class Normalise:
    r"""
    Bytes to floats of zero mean and unit variance, channel by channel.

    Teacher and student must see the same numbers, so the statistics come
    from the training images and from nowhere else.

    * `mean`, `deviation`: float32, shape (channels,), in units of 0 .. 1
    """

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        self.mean, self.deviation = mean, deviation

    @classmethod
    def of(cls, images: Tensor) -> "Normalise":
        r"""
        The statistics of uint8 images, (count, channels, h, w).

        A deviation is at least one step of a byte, 1 / 255.
        """
        # In integers, exactly: a float32 sum over the millions of pixels of
        # a training set depends on its order, and so on the machine.
        levels = torch.arange(256, dtype=torch.float64) / 255
        counts = torch.stack(
            [
                torch.bincount(
                    images[:, channel].flatten().int().cpu(), minlength=256
                )
                for channel in range(images.shape[1])
            ]
        ).double()  # (channels, 256)
        share = counts / counts.sum(1, keepdim=True)
        mean = share @ levels
        variance = share @ levels.square() - mean.square()
        # A channel that is the same everywhere has none to divide by: at
        # least one step of a byte, so that it becomes zero.
        deviation = variance.clamp(min=1 / 255**2).sqrt()
        return cls(
            mean.float().to(images.device), deviation.float().to(images.device)
        )

    def __call__(self, images: Tensor) -> Tensor:
        r"""Normalised float32 pixels, in channels-last memory order."""
        pixels = images.float() / 255 - self.mean[:, None, None]
        pixels = pixels / self.deviation[:, None, None]
        return pixels.contiguous(memory_format=torch.channels_last)


def mix(pixels: Tensor) -> Tensor:
    r"""
    Blend each image with the one that stands opposite it in the batch.

    Zhang, Cisse, Dauphin and Lopez-Paz (2018), mixup, with $\lambda$ uniform
    in 0 .. 1, as Beyer et al. (2022), section 2, have it, who show the blend
    to the teacher too (section 3.1.1):

    $$
    \tilde x_i = \lambda_i x_i + (1 - \lambda_i) \, x_{n + 1 - i}
    $$

    * `pixels`: floating point, shape (batch, channels, height, width)

    Returns the same shape. The labels of a blend are nobody's: whoever learns
    from it asks a teacher.
    """
    share = torch.rand(len(pixels), 1, 1, 1, device=pixels.device)
    return share * pixels + (1 - share) * pixels.flip(0)


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Tensor,
    normalise: Normalise,
    *,
    batch_size: int = 250,
    bfloat16: bool = False,
) -> Tensor:
    r"""
    Logits of a model in eval mode, and its mode restored afterwards.

    * `images`: uint8, shape (images, channels, height, width)

    Returns float32 logits of shape (images, classes), on the images' device.
    """
    training = model.training
    # In eval mode BatchNorm uses its running statistics: an image's logits
    # do not depend on its neighbours in the batch.
    model.eval()
    logits = []
    for chunk in images.split(batch_size):
        with torch.autocast(images.device.type, torch.bfloat16, bfloat16):
            logits.append(model(normalise(chunk)).float())
    model.train(training)
    return torch.cat(logits)


def native_bfloat16(device: torch.device) -> bool:
    r"""
    Whether bfloat16 is used there without being asked for.

    On a GPU that computes in it instead of emulating it. On a CPU never,
    though some are made for it: from one laptop to the next, a command would
    not repeat a record.
    """
    return device.type == "cuda" and torch.cuda.is_bf16_supported(
        including_emulation=False
    )
