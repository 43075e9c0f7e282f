r"""
# Watching the loss

A loss that is not a number never becomes one again, and neither do the
weights: every further step is wasted, and an average over the epoch hides
where it began. So the loss of every step is looked at, and the first bad one
ends the run with what is known about it: where, at which learning rate, with
which images. On several processes it is the loss of the whole batch, so that
all of them stop at the same step, none waiting for another.
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor

# More than so many times the first step's loss is no training any more.
DIVERGED = 1000.0
# Steps between two looks where a look makes a GPU or a process wait.
LOOK_EVERY = 50


class Watch:
    r"""
    Looks at the loss of every step, soon if not at once.

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
