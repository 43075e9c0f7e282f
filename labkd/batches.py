r"""
# Batches, shares and parts

Which images a step sees, and who sees them. An epoch is one random order of
all images, cut into batches; of each batch every process has a share, and a
share may be too large for the memory of a device at once and be seen in
parts: *gradient accumulation*. The step is the same all the while. With
$\ell_i$ for the loss of image $i$, a batch $B$ in parts $P$ has the gradient

$$
\nabla \, \frac{1}{|B|} \sum_{i \in B} \ell_i
  = \sum_P \frac{|P|}{|B|} \, \nabla \, \frac{1}{|P|} \sum_{i \in P} \ell_i ,
$$

so the means over the parts are weighted by their sizes and summed. That holds
if an image's loss does not depend on the images beside it. With BatchNorm it
does: each part is normalised by statistics of its own, and a batch in parts
is another experiment than the batch as a whole.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from labkd.views import Bank


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


def parts(
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
