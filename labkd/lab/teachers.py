r"""
# Teachers

Whatever a student learns from, the loop asks for it in one way: pixels, the
indices of the images and of their views go in, logits come out, or nothing. A
live teacher looks at the pixels. A recorded one looks up what it once said of
these views of these images, which costs next to nothing.
"""

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from labkd.files import remove
from labkd.pixels import Normalise, predict
from labkd.views import (
    Bank,
    build_table,
    load_table,
    look_up,
    precision_of,
    save_table,
)

Teacher = Callable[[Tensor, Tensor, Tensor], Tensor | None]
Objective = Callable[[Tensor, Tensor | None, Tensor], Tensor]
# Seconds of work that an interruption may cost while a table is built.
KEEP_EVERY = 30.0


def no_teacher(pixels: Tensor, indices: Tensor, columns: Tensor) -> None:
    r"""No teacher: the labels are all there is."""


def live(model: nn.Module) -> Teacher:
    r"""
    A teacher that is asked anew about every batch.

    * `model`: put in eval mode, where BatchNorm neither looks at the batch
      nor learns from it, and its parameters frozen

    Returns a teacher: float32 logits, (batch, classes), without gradient.
    """
    model.eval().requires_grad_(False)

    def ask(pixels: Tensor, indices: Tensor, columns: Tensor) -> Tensor:
        with torch.no_grad():
            return model(pixels).float()

    return ask


def recorded(table: Tensor) -> Teacher:
    r"""
    A teacher that was asked about every view beforehand.

    * `table`: from `views.build_table`, of the training images in their order

    Returns a teacher: float32 logits, (batch, classes), where the table is.
    """

    def ask(pixels: Tensor, indices: Tensor, columns: Tensor) -> Tensor:
        return look_up(table, indices, columns)

    return ask


def table_of(
    model: nn.Module,
    images: Tensor,
    normalise: Normalise,
    bank: Bank,
    *,
    path: Path,
    bfloat16: bool = False,
    deadline: float = math.inf,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    r"""
    A teacher's table, from its file or built in steps that are kept.

    * `images`: uint8, shape (images, channels, height, width)
    * `bank`: the views that it is asked about
    * `path`: of the table; an unfinished one lies beside it
    * `deadline`: of `time.monotonic`, in seconds; stop before it

    Returns float16 logits, (images, views, classes), on the images' device.
    Raises `TimeoutError` at the deadline, when the same call goes on from
    there; `ValueError` when the file is another teacher's.
    """
    unfinished = path.with_name(f"unfinished-{path.name}")
    if path.is_file():
        # Of a process that was killed when the table was whole.
        remove(unfinished)
        table = load_table(path, model, images, bank)
        if table.shape[1] != bank.views.shape[1]:
            raise ValueError(
                f"{path} has {table.shape[1]} of {bank.views.shape[1]} views: "
                "delete it to build it anew"
            )
        return table.to(images.device)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = []
    precision = "bfloat16" if bfloat16 else "float32"
    if unfinished.is_file() and precision_of(unfinished) == precision:
        done = [load_table(unfinished, model, images, bank)]
    save = partial(
        save_table,
        teacher=model,
        images=images,
        bank=bank,
        precision=precision,
    )
    views = bank.views.shape[1]
    kept = sum(table.shape[1] for table in done)
    answer = partial(
        predict,
        model,
        normalise=normalise,
        batch_size=250 if images.device.type == "cpu" else 5_000,
        bfloat16=bfloat16,
    )
    saved, slowest = time.monotonic(), 0.0
    for column in progress(range(kept, views)):
        started = time.monotonic()
        late = started + slowest > deadline
        if done and (late or started > saved + KEEP_EVERY):
            made = torch.cat(done, dim=1)
            save(unfinished, made)
            saved = started
        if late:
            raise TimeoutError(f"{kept} of {views} views are done")
        done.append(build_table(answer, images, bank, columns=[column]))
        kept += 1
        slowest = max(slowest, time.monotonic() - started)
    table = torch.cat(done, dim=1)
    save(path, table)
    remove(unfinished)
    return table.to(images.device)
