r"""
# The training loop

One loop for every recipe. Images stay on the device as bytes; each batch is
cropped, mirrored and normalised there, and no worker process has to be fed.
"""

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from labkd.batches import draw_epoch, parts
from labkd.pixels import mix
from labkd.sources import ImageSet
from labkd.views import Bank
from labkd.watching import Watch


def fit(
    model: nn.Module,
    training_set: ImageSet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    normalise: Callable[[Tensor], Tensor],
    objective: Callable[[Tensor, Tensor | None, Tensor], Tensor],
    teacher: Callable[[Tensor, Tensor, Tensor], Tensor | None],
    generator: torch.Generator,
    epochs: range,
    batch_size: int,
    bank: Bank,
    clip_norm: float = 0.0,
    mixup: bool = False,
    bfloat16: bool = False,
    accumulation: int = 1,
    share: tuple[int, int] = (0, 1),
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterable[dict]:
    r"""
    Train, and yield the loss and the seconds of every epoch.

    * `training_set`: on the device; `normalise`: from bytes to pixels
    * `objective`: what the model returns, teacher_logits, labels to a loss
    * `teacher`: pixels, indices of images and views to logits; see `teachers`
    * `generator`: draws order and views, on the CPU; `epochs`: still to do
    * `bank`: of views; `share`: which of how many; `accumulation`: parts

    Yields `{"epoch", "loss", "seconds"}`; evaluate between them as you like.
    Raises `ValueError` at a loss that `watching` takes for the end.
    """
    images, labels = training_set.images, training_set.labels
    watch, device = Watch(optimizer, share[1]), images.device
    for epoch in epochs:
        model.train()
        started = time.perf_counter()
        drawn = draw_epoch(bank, batch_size, epoch, share, generator, device)
        for batch, chosen, columns in progress(drawn):
            crops = bank.show(images, chosen, columns)
            pixels = normalise(crops)  # (share, channels, height, width)
            pixels = mix(pixels) if mixup else pixels
            optimizer.zero_grad(set_to_none=True)
            loss, whole = 0.0, (pixels, chosen, columns)
            for pixels, chosen, columns in parts(model, accumulation, *whole):
                with torch.autocast(device.type, torch.bfloat16, bfloat16):
                    teacher_logits = teacher(pixels, chosen, columns)
                    outputs, y = model(pixels), labels[chosen]
                    part = objective(outputs, teacher_logits, y)
                # Means over parts, of all processes, make that over the batch.
                part = part * (len(chosen) * share[1] / len(batch))
                part.backward()
                loss = loss + part.detach()
            watch(epoch, batch, loss)
            if clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()
            schedule.step()
        loss, seconds = watch.mean(), time.perf_counter() - started
        yield {"epoch": epoch, "loss": loss, "seconds": seconds}
