r"""
# Checkpoints

A long run is interrupted sooner or later. After every epoch everything that
the next one depends on is written down: weights, the optimizer's moments, the
schedule, and where each random generator stands. A run that goes on from a
checkpoint ends, on a CPU, with the same bits as one that was never stopped.
The one before is kept too, in case a disk returns other bytes than it got.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import nn

from labkd import files
from labkd.files import atomic_write, reading

# What a checkpoint of a run holds, besides what it is of.
CONTENT = {"epochs": list, "seconds": float, "state": dict}


def check_folder(folder: Path) -> None:
    r"""Makes a folder; raises `OSError` when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(_refusal(folder, error.strerror)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(_refusal(folder, "not permitted"))


def _refusal(folder: Path, reason: str) -> str:
    advice = "--folder and --results name other places"
    return f"nothing can be written into {folder} ({reason}); {advice}"


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    r"""
    Keeps the files of a run to one command while it lasts.

    * `path`: the file that shows it; a killed command lets go of it

    Raises `BlockingIOError` when another command has it, `OSError` when it
    cannot be written.
    """
    check_folder(path.parent)
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
    Write a state, whole or not at all, and keep the one before.

    * `path`: of the newest; the one that was there becomes its `previous`
    * `state`: tensors, numbers, strings, lists and dictionaries of these

    Raises `OSError` when it cannot be written; both are as they were then.
    """
    # In memory first: what cannot be stored at all touches no file.
    raw = io.BytesIO()
    torch.save(state, raw)
    with atomic_write(path, previous(path)) as part:
        part.write_bytes(raw.getvalue())


def previous(path: Path) -> Path:
    r"""Where the checkpoint before the newest is, or would be."""
    return path.with_name(f"{path.name}.previous")


def load(path: Path, made_of: dict | None = None) -> dict | None:
    r"""
    The state that `save` wrote last, on the CPU; nothing if there is none.

    * `made_of`: fields that tell one run from another; the state must be of
      these, if it says of which it is, and whole as a checkpoint of a run

    Only tensors and plain values are read: a checkpoint cannot run code.
    Raises `ValueError` when the file is damaged or another run's, and leaves
    it where it is.
    """
    # Killed between two renamings, a process leaves only the one before.
    found = path if path.exists() else previous(path)
    if not found.exists():
        return None
    with reading(found, _advice(path)):
        # torch reads past the checksums that it wrote.
        with zipfile.ZipFile(found) as records:
            wrong = records.testzip()
        if wrong:
            raise ValueError(f"the checksum of {wrong} differs")
        kept = torch.load(found, map_location="cpu", weights_only=True)
        if made_of is not None and not (
            isinstance(kept, dict)
            and all(isinstance(kept.get(key), CONTENT[key]) for key in CONTENT)
            and isinstance(kept.get("made_of", {}), dict)
        ):
            raise ValueError(f"it does not hold {', '.join(CONTENT)}")
    if made_of is not None:
        _check_origin(found, kept.get("made_of", made_of), made_of)
    return kept


def _advice(path: Path) -> str:
    if path.exists() and previous(path).exists():
        return "delete it: the run then goes on from the one before"
    return "delete it to start anew"


def _check_origin(path: Path, theirs: dict, ours: dict) -> None:
    wrong = [
        f"{key}={theirs.get(key, 'its default')!r} and not "
        f"{ours.get(key, 'its default')!r}"
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key)
    ]
    if wrong:
        raise ValueError(
            f"{path} is the checkpoint of another run, with "
            f"{', '.join(wrong)}; move it away to start anew"
        )


def remove(path: Path) -> None:
    r"""Removes the checkpoints of a run that has left its record."""
    # The older one first: a process that is killed here leaves the newer.
    previous(path).unlink(missing_ok=True)
    files.remove(path)


def exist(path: Path) -> bool:
    r"""Whether a run left a checkpoint, and with it something to do."""
    return path.exists() or previous(path).exists()
