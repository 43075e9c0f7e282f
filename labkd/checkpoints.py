r"""
# Checkpoints

A long run is interrupted sooner or later. After every epoch everything that
the next one depends on is written down: weights, the optimizer's moments, the
schedule, and where each random generator stands. A run that goes on from a
checkpoint ends, on a CPU, with the same bits as one that was never stopped.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    r"""
    Keeps the files of a run to one command while it lasts.

    * `path`: the file that shows it; a killed command lets go of it

    Raises `BlockingIOError` when another command has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BlockingIOError(
            f"another process is at this run: it holds {path}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def snapshot(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
) -> dict:
    r"""
    What training depends on, as it stands: a dictionary for `save`.

    * `generator`: the one that `fit` draws order and views from
    """
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": generator.get_state(),
        # Stochastic depth and mixup draw from torch's own generators.
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def restore(
    kept: dict,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
) -> None:
    r"""Puts everything back as it was when `snapshot` took `kept`."""
    model.load_state_dict(kept["model"])
    optimizer.load_state_dict(kept["optimizer"])
    schedule.load_state_dict(kept["schedule"])
    generator.set_state(kept["generator"])
    torch.set_rng_state(kept["cpu"])
    torch.cuda.set_rng_state_all(kept["cuda"])


def save(path: Path, state: dict) -> None:
    r"""
    Write a state, whole or not at all.

    * `path`: replaced only when the new state is on the disk
    * `state`: tensors, numbers, strings, lists and dictionaries of these
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def load(path: Path) -> dict | None:
    r"""
    The state that `save` wrote, on the CPU; nothing if there is none.

    Only tensors and plain values are read: a checkpoint cannot run code.
    Raises `ValueError` when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is damaged ({error}); delete it to start anew"
        ) from error


def read(path: Path) -> dict[str, Tensor]:
    r"""
    The tensors of a safetensors file: weights, logits or images.

    Raises `ValueError` when the file is damaged, `OSError` when there is none.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged ({error}); delete it to make it anew"
        ) from error
