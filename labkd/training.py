r"""
# The training loop

One loop for every recipe. Images stay on the device as bytes; each batch is
cropped, mirrored and normalised there, and no worker process has to be fed.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn

from labkd.pixels import mix
from labkd.sources import ImageSet
from labkd.views import apply_views, draw_views


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
    padding: int,
    clip_norm: float = 0.0,
    mixup: bool = False,
    bfloat16: bool = False,
    share: tuple[int, int] = (0, 1),
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterable[dict]:
    r"""
    Train, and yield the loss and the seconds of every epoch.

    * `training_set`: on the device; `normalise`: from bytes to pixels
    * `objective`: what the model returns, teacher_logits, labels to a loss
    * `teacher`: pixels, indices of images, views to logits; see `teachers`
    * `generator`: draws order and views, on the CPU; `epochs`: still to do
    * `share`: which part of each batch is for this process, of how many

    Yields `{"epoch", "loss", "seconds"}`; evaluate between them as you like.
    """
    images, labels = training_set.images, training_set.labels
    index, processes = share
    draw = partial(draw_views, padding=padding, generator=generator)
    for epoch in epochs:
        model.train()
        started, total = time.perf_counter(), labels.new_zeros((), dtype=float)
        order = torch.randperm(len(labels), generator=generator)
        # Drawn batch by batch, sent at once: a device need not wait for us.
        batches = order.to(images.device).split(batch_size)
        drawn = torch.cat([draw(len(b)) for b in batches]).to(images.device)
        drawn = drawn.split(batch_size)
        for batch, views in zip(progress(batches), drawn, strict=True):
            chosen, views = batch[index::processes], views[index::processes]
            crops = apply_views(images[chosen], views, padding=padding)
            pixels = normalise(crops)  # (batch, channels, height, width)
            pixels = mix(pixels) if mixup else pixels
            with torch.autocast(images.device.type, torch.bfloat16, bfloat16):
                teacher_logits = teacher(pixels, chosen, views)
                loss = objective(model(pixels), teacher_logits, labels[chosen])
            # A mean over this part; processes average it over the batch.
            loss = loss * (len(chosen) * processes / len(batch))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(batch)
        loss = total.item() / len(labels)
        seconds = time.perf_counter() - started
        yield {"epoch": epoch, "loss": loss, "seconds": seconds}
