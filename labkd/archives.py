r"""
# An archive of images

All of CIFAR-10 with each image as a JPEG (quality 75) is one file a tenth of
the original's size. Decoding it takes a while and is done once; afterwards
a split is one read.
"""

import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from labkd import tensors
from labkd.decoding import decode
from labkd.files import reading, unwritable

CIFAR10_JPEG = "cifar10-jpeg.tar.xz"
CIFAR10_JPEG_SHA256 = (
    "00d5ecc7a613042dc484584c1a57d05eeae1eacfb262df03ddd28766639ac9cc"
)
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def unpack_cifar10(archive: Path, target: Path) -> None:
    r"""
    Decode the archive into one safetensors file a split, all or nothing.

    * `archive`: the path of `cifar10-jpeg.tar.xz`
    * `target`: a folder that does not exist yet

    Each file holds `images`, uint8, (images, 3, 32, 32), and `labels`, int64,
    sorted by class. What a killed process left is removed; of two processes
    the second waits, and finds the folder. Raises `ValueError` when the
    checksum does not match, `OSError` when the folder cannot be written.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != CIFAR10_JPEG_SHA256:
        raise ValueError(
            f"{archive} is damaged or another file: its sha256 is {digest}, "
            f"not {CIFAR10_JPEG_SHA256}"
        )
    try:
        with FileLock(target.with_name(f"{target.name}.lock")):
            # Under the lock, whatever lies there is of a process that died.
            for scratch in target.parent.glob(".unpacking-*"):
                shutil.rmtree(scratch, ignore_errors=True)
            if not target.is_dir():
                _unpack(archive, target)
    except OSError as error:
        raise unwritable(target, error) from error


def _unpack(archive: Path, target: Path) -> None:
    # Written beside the target and renamed when whole: whoever finds the
    # folder finds all of it, and an interrupted run leaves nothing there.
    with tempfile.TemporaryDirectory(
        dir=target.parent, prefix=".unpacking-"
    ) as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        with reading(archive, "fetch it again"):
            splits = _decode(archive)
            kept = {part: _stacked(splits[part]) for part in splits}
        for part, split in kept.items():
            tensors.write(whole / f"{part}.safetensors", split, {})
        whole.rename(target)


def _stacked(entries: dict[tuple[str, str], np.ndarray]) -> dict[str, Tensor]:
    keys = sorted(entries)
    pixels = np.stack([entries[key] for key in keys])
    labels = [CIFAR10_CLASSES.index(name) for name, _ in keys]
    pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return {
        "images": torch.from_numpy(pixels),
        "labels": torch.tensor(labels),
    }


def _decode(archive: Path) -> dict[str, dict[tuple[str, str], np.ndarray]]:
    splits = {"train": {}, "test": {}}
    with tarfile.open(archive, "r|xz") as members:
        progress = tqdm(members, f"unpacking {archive.name}", disable=None)
        for member in progress:
            # Nothing is extracted to a path that the archive chooses: the
            # name only says which split and class the pixels belong to.
            if member.isfile():
                place = Path(member.name).parts
                known = len(place) == 4 and place[1] in splits
                if not known or place[2] not in CIFAR10_CLASSES:
                    raise ValueError(f"{member.name} has no place in it")
                _, part, name, file = place
                raw = members.extractfile(member).read()
                image = decode(raw, member.name)
                splits[part][name, file] = np.asarray(image)
    return splits
