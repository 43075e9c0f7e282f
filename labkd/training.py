r"""
# The training loop

One loop for every recipe. Images stay on the device as bytes; each batch is
cropped, mirrored and normalised there, and no worker process has to be fed.

An epoch is one random order of all images, cut into batches. Of each batch
every process has a **share**, and a share may be too large for the memory of
a device at once and be seen in **parts**: gradient accumulation. The step is
the same all the while. With $\ell_i$ for the loss of image $i$, a batch $B$
in parts $P$ has the gradient

$$
\nabla \, \frac{1}{|B|} \sum_{i \in B} \ell_i
  = \sum_P \frac{|P|}{|B|} \, \nabla \, \frac{1}{|P|} \sum_{i \in P} \ell_i ,
$$

so the means over the parts are weighted by their sizes and summed. That holds
if an image's loss does not depend on the images beside it. With BatchNorm it
does: each part is normalised by statistics of its own, and a batch in parts
is another experiment than the batch as a whole.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn

from labkd.data import ImageSet
from labkd.pixels import mix
from labkd.views import Bank

# More than so many times the first step's loss is no training any more.
DIVERGED = 1000.0
# Steps between two looks where a look makes a GPU or a process wait.
LOOK_EVERY = 50


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
    Raises `ValueError` at a loss that [`Watch`](#Watch) takes for the end.
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
            for pixels, chosen, columns in microbatches(
                model, accumulation, *whole
            ):
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


def draw_epoch(
    bank: Bank,
    batch_size: int,
    epoch: int,
    share: tuple[int, int],
    generator: torch.Generator,
    device: torch.device,
) -> list[tuple[Tensor, Tensor, Tensor]]:
    r"""
    The batches of an epoch, and what one process sees of each.

    * `bank`: the views of all images
    * `batch_size`: at least 1; `epoch`: from 1
    * `share`: which of how many processes
    * `generator`: a CPU generator; the same state gives the same epoch
    * `device`: where the result is wanted

    Returns for each batch the indices of its images, (batch,), those of the
    share, (share,), and which view of each of these, (share,): int64.
    """
    # Every process draws for all, so that together they see one epoch.
    order = torch.randperm(len(bank.views), generator=generator)
    drawn = [
        bank.choose(batch, epoch, generator)
        for batch in order.split(batch_size)
    ]
    # Sent at once: a device need not wait for us in every step.
    columns = torch.cat(drawn).to(device).split(batch_size)
    batches = order.to(device).split(batch_size)
    index, processes = share
    return [
        (batch, batch[index::processes], column[index::processes])
        for batch, column in zip(batches, columns, strict=True)
    ]


def microbatches(
    model: nn.Module, count: int, *tensors: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    r"""
    Cut tensors into parts, whose gradients add up in the model.

    * `model`: one whose gradients are averaged over processes waits with
      that for the last part, as long as each is used while it is yielded
    * `count`: how many parts, at least 1
    * `tensors`: of one length; parts differ in theirs by at most 1

    Yields a part of each tensor. Raises `ValueError` when there are more
    parts than rows.
    """
    rows = len(tensors[0])
    if not 1 <= count <= rows:
        raise ValueError(f"{rows} images cannot be cut into {count} parts")
    cut = (tensor.tensor_split(count) for tensor in tensors)
    *early, last = zip(*cut, strict=True)
    # Without it, each part would send all gradients to all processes.
    with getattr(model, "no_sync", nullcontext)():
        yield from early
    yield last


class Watch:
    r"""
    Looks at the loss of every step, soon if not at once.

    A loss that is not a number never becomes one again, and neither do the
    weights: every further step is wasted, and an average over the epoch hides
    where it began. The first bad loss ends the run with what is known about
    it: where, at which learning rate, with which images. On several processes
    it is the loss of the whole batch, so that all of them stop at the same
    step, none waiting for another.

    * `optimizer`: knows the learning rate
    * `processes`: how many share a batch, each with a loss of its own
    * `every`: steps between two looks; if left out 1, but more on a GPU or
      with several processes
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        processes: int = 1,
        every: int | None = None,
    ) -> None:
        self.optimizer, self.processes = optimizer, processes
        self.every = every
        self.seen, self.first, self.step = [], None, 0
        # In double precision, and where the losses are: nobody waits for it.
        self.total, self.images = 0.0, 0

    def __call__(self, epoch: int, batch: Tensor, loss: Tensor) -> None:
        r"""
        One more step.

        * `epoch`: which, from 1
        * `batch`: int64, shape (batch,), the indices of its images
        * `loss`: a number on the device, this process's, whose mean over the
          processes is the loss of the batch

        Raises `ValueError` when this or an earlier loss is not finite, or a
        thousand times the first.
        """
        self.step += 1
        rate = self.optimizer.param_groups[0]["lr"]
        self.seen.append((epoch, self.step, rate, batch, loss.detach()))
        alone = loss.device.type == "cpu" and self.processes == 1
        every = self.every or (1 if alone else LOOK_EVERY)
        self.total = self.total + (loss.detach() * len(batch)).double()
        self.images += len(batch)
        if len(self.seen) >= every:
            self._look()

    def mean(self) -> float:
        r"""
        The mean over the images of an epoch, which it ends.

        Returns this process's share of it: of one, the mean. Raises
        `ValueError` as above.
        """
        if self.seen:
            self._look()
        mean = float(self.total) / self.images
        self.total, self.images, self.step = 0.0, 0, 0
        return mean

    def _look(self) -> None:
        losses = torch.stack([loss for *_, loss in self.seen])
        if self.processes > 1 and dist.is_initialized():
            dist.all_reduce(losses)
            losses = losses / self.processes
        for step, loss in zip(self.seen, losses.tolist(), strict=True):
            self.first = loss if self.first is None else self.first
            # A first loss of almost nothing is no measure.
            limit = DIVERGED * max(self.first, 1.0)
            if not math.isfinite(loss) or loss > limit:
                raise ValueError(_report(*step[:4], loss))
        self.seen.clear()


def _report(
    epoch: int, step: int, rate: float, batch: Tensor, loss: float
) -> str:
    few = ", ".join(str(index) for index in batch[:8].tolist())
    more = ", ..." if len(batch) > 8 else ""
    return (
        f"epoch {epoch}, step {step}: the loss is {loss:.4g}, with learning "
        f"rate {rate:.3g} and {len(batch)} images ({few}{more}); try a lower "
        "learning_rate, clip_norm=1 or float32"
    )
