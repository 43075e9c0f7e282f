r"""A small folder with everything in it that labkd reads or has written.

Images in folders, an archive, IDX files; a teacher, its table, a student that
is done and one that was stopped: all of it made by the command line itself, in
a second or two.
"""

import contextlib
import functools
import io
import os
import resource
import struct
import tarfile
from hashlib import sha256
from unittest.mock import patch

import numpy as np
from PIL import Image

from labkd import data
from labkd.data import CIFAR10_CLASSES, CIFAR10_JPEG
from labkd.lab.cli import main

STUDENT = "soft-vit_from_resnet18-digits"
TEACHER = "teacher-resnet18-digits"
SCRATCH = "scratch-vit-digits"
# Nine tokens of 8 x 8 pixels, two epochs of one batch.
SHADES = "--set dataset=shades --set epochs=2 --set patch_size=4".split()


def write_shades(folder):
    r"""Three classes that differ in colour: 12 images to learn, two to ask."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 2)):
        for channel, name in enumerate(("red", "green", "blue")):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 128, (8, 8, 3), np.uint8)
                pixels[..., channel] += 96
                Image.fromarray(pixels).save(place / f"{number:02d}.png")


def jpeg(side=32, seed=0):
    r"""The bytes of an image."""
    rng, raw = np.random.default_rng(seed), io.BytesIO()
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(raw, "jpeg", quality=75)
    return raw.getvalue()


@functools.cache
def members():
    r"""Name -> bytes of an archive: ten of each class to learn, two to ask."""
    return {
        f"cifar10/{part}/{name}/{number}.jpg": jpeg(seed=10 * label + number)
        for part, count in (("train", 10), ("test", 2))
        for label, name in enumerate(CIFAR10_CLASSES)
        for number in range(count)
    }


def write_archive(path, entries):
    r"""An archive of these members, as packed as the real one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz", preset=0) as packed:
        for name, raw in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            packed.addfile(member, io.BytesIO(raw))


def trusting(path):
    r"""While it lasts, the archive there is the one that is expected."""
    digest = sha256(path.read_bytes()).hexdigest()
    return patch.object(data, "CIFAR10_JPEG_SHA256", digest)


def in_known_order():
    r"""While it lasts, images in any order are taken for the original's."""
    return patch.object(data, "has_known_order", return_value=True)


def idx(array, kind=8):
    r"""The bytes of an IDX file."""
    head = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape
    )
    return head + array.tobytes()


def write_idx(folder):
    r"""Fashion-MNIST of ten images a class to learn, and one to ask."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem, count in (("train", 100), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels))


def command(folder, *words):
    r"""Runs `python -m labkd` in a folder: status, output, what it tells."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, LABKD_DATA=str(folder / "data")),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def finished(folder, *words):
    status, out, err = command(folder, *words)
    assert status == 0, out + err
    return out


def make(folder):
    r"""Makes all of it."""
    write_shades(folder / "shades")
    write_archive(folder / "data" / CIFAR10_JPEG, members())
    write_idx(folder / "data" / "fashion-mnist")
    finished(folder, "targets", STUDENT, *SHADES)
    finished(folder, "run", STUDENT, *SHADES)
    stopped = ["run", SCRATCH, *SHADES, "--seed", "7"]
    with patch("labkd.lab.store.write", side_effect=OSError("no room")):
        assert command(folder, *stopped)[0] == 2


@contextlib.contextmanager
def files_of_at_most(count):
    r"""Whoever writes more bytes into a file is told by the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def only(folder, pattern):
    r"""The one file of a pattern."""
    (path,) = folder.glob(pattern)
    return path


def contents(folder):
    r"""Path -> bytes of every file but the locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }
