r"""
# The training loop

One loop for every recipe: images stay on the device as bytes, each batch is
cropped, mirrored and normalised there at once, and no worker process has to
be fed. Chapters write this loop out; here it is ready for long runs.
"""

import time
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd.data import ImageSet
from labkd.views import apply_views, draw_views

Objective = Callable[[nn.Module, Tensor, Tensor], Tensor]


def fit(
    model: nn.Module,
    training_set: ImageSet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    objective: Objective,
    epochs: int,
    batch_size: int,
    padding: int,
    seed: int,
    bfloat16: bool,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterable[dict]:
    r"""
    Train, and yield the loss and the seconds of every epoch.

    * `training_set`: its tensors on the model's device
    * `objective`: (model, pixels, labels) to a scalar loss; `cross_entropy`
      here is the plain one
    * `schedule`: stepped once a batch
    * `padding`: of the random views, in pixels; see `views`
    * `seed`: orders the images and draws the views, and nothing else
    * `bfloat16`: compute the forward pass in bfloat16 where that is safe
    * `progress`: wraps the batches of an epoch, to draw a bar

    Yields `{"epoch", "loss", "seconds"}`; the caller may evaluate between.
    """
    images, labels = training_set.images, training_set.labels
    device = images.device
    normalise = Normalise.of(images)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(1, epochs + 1):
        model.train()
        started, total = time.perf_counter(), torch.zeros((), device=device)
        order = torch.randperm(len(labels), generator=generator)
        for chosen in progress(order.split(batch_size)):
            views = draw_views(
                len(chosen), padding=padding, generator=generator
            )
            chosen = chosen.to(device)
            crops = apply_views(images[chosen], views, padding=padding)
            pixels = normalise(crops)  # (batch, channels, height, width)
            with torch.autocast(device.type, torch.bfloat16, bfloat16):
                loss = objective(model, pixels, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(chosen)
        yield {
            "epoch": epoch,
            "loss": total.item() / len(labels),
            "seconds": time.perf_counter() - started,
        }


def cross_entropy(model: nn.Module, pixels: Tensor, labels: Tensor) -> Tensor:
    r"""The plain objective: cross-entropy with the labels, in nats."""
    return F.cross_entropy(model(pixels), labels)


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
        r"""The statistics of uint8 images, (count, channels, h, w)."""
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
        deviation = (share @ levels.square() - mean.square()).sqrt()
        return cls(
            mean.float().to(images.device), deviation.float().to(images.device)
        )

    def __call__(self, images: Tensor) -> Tensor:
        r"""Normalised float32 pixels, in channels-last memory order."""
        pixels = images.float() / 255 - self.mean[:, None, None]
        pixels = pixels / self.deviation[:, None, None]
        return pixels.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Tensor,
    normalise: Normalise,
    *,
    batch_size: int = 500,
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
    r"""Whether the device computes in bfloat16 instead of emulating it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Older versions of torch cannot tell: float32 is always right.
    flags = getattr(torch.cpu, "get_capabilities", dict)()
    native = flags.get("avx512_bf16") or flags.get("amx_bf16")
    return device.type == "cpu" and bool(native)
