r"""
# Your own images

A folder with `train/<class>/` and `test/<class>/` inside is a data set. What
is wrong with it is said before anything is trained, in a line that names the
class or the file: at the end, when the test images are opened, it would have
cost the whole run.
"""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from labkd import decoding

# What torchvision's ImageFolder takes for an image.
SUFFIXES = tuple(".jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp".split())
# A tenth of a class is for validation: of fewer it would be no image.
FEWEST = 10


def read(
    folder: Path, split: str, image_size: int = 0
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    r"""
    One split of a folder of images, sorted by class and then by name.

    * `folder`: holds `train/<class>/` and `test/<class>/`
    * `split`: `train`, `validation` (the last tenth of each class in `train`)
      or `test`; no image of another split is decoded
    * `image_size`: pixels to a side, see `decode`; 0 for images as they are

    Returns uint8 images, (images, 3, height, width), int64 labels, (images,),
    and the names of the classes. Raises `ValueError` for classes that differ
    between `train` and `test`, one without images, one of fewer than ten in
    `train`, an image that cannot be read or has another size;
    `FileNotFoundError` for a folder that is not there.
    """
    parts = {part: listing(folder / part) for part in ("train", "test")}
    _check(folder, parts)
    if split == "train":
        # The test images stay shut until the end; that they can be opened
        # should not be in question until then.
        _look(parts, image_size)
    paths, labels = [], []
    found = parts["test" if split == "test" else "train"]
    for label, files in enumerate(found.values()):
        cut = len(files) - len(files) // 10
        chosen = {"train": files[:cut], "validation": files[cut:]}
        paths += chosen.get(split, files)
        labels += [label] * (len(paths) - len(labels))
    pixels = decode(paths, image_size, f"{folder.name}, {split}")
    return torch.from_numpy(pixels), torch.tensor(labels), tuple(found)


def listing(folder: Path) -> dict[str, list[Path]]:
    r"""
    The images of each class: what lies in its folder, however deep.

    Classes and images are sorted by name; names that begin with a dot, which
    other programs leave, do not count.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.parent} must hold train/<class>/ and test/<class>/: "
            f"there is no folder {folder}"
        )
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and entry.name[0] != "."
    )
    return {name: _images(folder / name) for name in names}


def _images(folder: Path) -> list[Path]:
    walked = sorted(os.walk(folder, followlinks=True))
    return [
        Path(place, name)
        for place, _, names in walked
        for name in sorted(names)
        if name.lower().endswith(SUFFIXES) and name[0] != "."
    ]


def _check(folder: Path, parts: dict[str, dict[str, list[Path]]]) -> None:
    train, test = (parts[part].keys() for part in ("train", "test"))
    if not train:
        raise ValueError(f"{folder / 'train'} has no folder of a class")
    alone = [
        f"only in {part}: {', '.join(map(repr, sorted(names)))}"
        for part, names in (("train", train - test), ("test", test - train))
        if names
    ]
    if alone:
        raise ValueError(
            f"train and test of {folder} have different classes; "
            + "; ".join(alone)
        )
    for part, classes in parts.items():
        for name, files in classes.items():
            if not files:
                raise ValueError(
                    f"class {name!r} has no image in {folder / part / name} "
                    f"({' '.join(SUFFIXES)})"
                )
            if part == "train" and len(files) < FEWEST:
                raise ValueError(
                    f"class {name!r} has {len(files)} training images: at "
                    f"least {FEWEST} are needed, for a tenth of them is for "
                    "validation"
                )


def _look(parts: dict[str, dict[str, list[Path]]], image_size: int) -> None:
    # Headers alone: nothing is decoded.
    size = None
    for classes in parts.values():
        for path in (file for files in classes.values() for file in files):
            theirs = decoding.size_of(path)
            size = _same(path, theirs, size, image_size)


def decode(paths: list[Path], image_size: int, title: str) -> np.ndarray:
    r"""
    Images as bytes, in colour.

    * `paths`: at least one
    * `image_size`: the shorter side is resized to so many pixels, with
      antialiasing, and the centre is cropped, as torchvision's `Resize` and
      `CenterCrop` do; 0 for images as they are, all of one size
    * `title`: of the bar

    Returns uint8 of shape (images, 3, height, width). Raises `ValueError`
    naming the first image that cannot be read or whose size differs.
    """
    pixels, size = None, None
    bar = tqdm(paths, title, disable=None, leave=False)
    for number, path in enumerate(bar):
        image = decoding.decode(path.read_bytes(), str(path))
        size = _same(path, image.size, size, image_size)
        if image_size:
            image = _centre(image, image_size)
        # In its place at once: all images are in memory, but not twice.
        channels_first = np.asarray(image).transpose(2, 0, 1)
        if pixels is None:
            pixels = np.empty((len(paths), *channels_first.shape), np.uint8)
        pixels[number] = channels_first
    return pixels


def _same(path, size, before, image_size) -> tuple[int, int]:
    if not image_size and before and size != before:
        raise ValueError(
            f"all images must have one size: {path} has {size}, those before "
            f"it {before}; --set image_size=64, or another number of pixels, "
            "resizes and crops them"
        )
    return size


def _centre(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    shorter = min(width, height)
    # Whole pixels, rounded down as torchvision does.
    size = side * width // shorter, side * height // shorter
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return image.crop((left, top, left + side, top + side))
