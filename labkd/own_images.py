r"""
# Your own images

A folder with `train/<class>/` and `test/<class>/` inside is a data set. What
is wrong with it is said before anything is trained, in a line that names the
class or the file: at the end, when the test images are opened, it would have
cost the whole run.
"""

import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labkd.extras import needs_extra
from labkd.files import one_line

with needs_extra("course"):
    from PIL import ExifTags, Image, ImageOps
    from tqdm import tqdm

# What torchvision's ImageFolder takes for an image.
SUFFIXES = tuple(".jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp".split())
# A tenth of a class is for validation: of fewer it would be no image.
FEWEST = 10
# More than a byte a channel: what is brighter than white would be cut off.
DEEP = ("I", "F")


def read_folder(
    folder: Path, split: str, image_size: int = 0
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    r"""
    One split of a folder of images, sorted by class and then by name.

    * `folder`: holds `train/<class>/` and `test/<class>/`
    * `split`: `train`, `validation` (the last tenth of each class in `train`)
      or `test`
    * `image_size`: pixels to a side, see `decode`; 0 for images as they are

    With `train` every other image is opened once, and forgotten, to see that
    it can be. Returns uint8 images, (images, 3, height, width), int64 labels,
    (images,), and the names of the classes. Raises `ValueError` for classes
    that differ between `train` and `test`, one without images, one of fewer
    than ten in `train`, an image that cannot be read or has another size;
    `FileNotFoundError` for a folder that is not there.
    """
    parts = {part: listing(folder / part) for part in ("train", "test")}
    _check_classes(folder, parts)
    chosen = {"train": [], "validation": [], "test": []}
    for files in parts["train"].values():
        cut = len(files) - len(files) // 10
        chosen["train"].append(files[:cut])
        chosen["validation"].append(files[cut:])
    chosen["test"] = list(parts["test"].values())
    if split == "train":
        _check_images(chosen, image_size)
    counts = [len(files) for files in chosen[split]]
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    title = f"{folder.name}, {split}"
    pixels = decode(_flat(chosen[split]), image_size, title)
    return torch.from_numpy(pixels), labels, tuple(parts["train"])


def listing(folder: Path) -> dict[str, list[Path]]:
    r"""
    The images of each class: what lies in its folder, however deep.

    Classes and images are sorted by name. Names that begin with a dot, which
    other programs leave, do not count; an image to which links lead as well
    counts once in its class. Raises `ValueError` for what has the name of an
    image and is no file.
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
    found, walked = {}, set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = Path(os.path.realpath(place))
        # A link to a folder that it lies in, or that was seen, goes round.
        folders[:] = [
            name
            for name in sorted(folders)
            if name[0] != "."
            and not real.is_relative_to(os.path.realpath(Path(place, name)))
        ]
        if real in walked:
            folders.clear()
            continue
        walked.add(real)
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and name[0] != ".":
                path = Path(place, name)
                # A pipe would be waited for, and a link may lead nowhere.
                if not path.is_file():
                    raise ValueError(f"{path} is no image: it is no file")
                itself = path.resolve() if path.is_symlink() else real / name
                found.setdefault(itself, path)
    # As torchvision's ImageFolder sorts them.
    return sorted(found.values(), key=_place_and_name)


def _place_and_name(path: Path) -> tuple[str, str]:
    return str(path.parent), path.name


def _flat(classes: Iterable[list[Path]]) -> list[Path]:
    return [path for files in classes for path in files]


def _check_classes(
    folder: Path, parts: dict[str, dict[str, list[Path]]]
) -> None:
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


def _check_images(
    chosen: dict[str, list[list[Path]]], image_size: int
) -> None:
    size = None
    for path in _flat(files for part in chosen.values() for files in part):
        # The header tells size and mode.
        with _named(path), Image.open(path) as image:
            theirs = _upright_size(image)
        size = _same(path, theirs, size, image_size)
    later = _flat(chosen["validation"] + chosen["test"])
    for path in tqdm(later, "looking", disable=None, leave=False):
        with _named(path), Image.open(path) as image:
            _check_depth(image)
            # To the end of the file, but if it is a JPEG not every pixel.
            image.draft("RGB", (32, 32))
            image.load()


def _upright_size(image: Image.Image) -> tuple[int, int]:
    _check_depth(image)
    width, height = image.size
    # Pillow has turned a TIFF by now, and to look behind the pixels of a PNG
    # would decode them.
    if image.format == "TIFF" or (
        image.format == "PNG" and "exif" not in image.info
    ):
        return width, height
    on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return (height, width) if on_its_side else (width, height)


def _check_depth(image: Image.Image) -> None:
    if image.mode.startswith(DEEP):
        raise ValueError(f"mode {image.mode}, not 8 bits")


def read_image(path: Path, raw: bytes | None = None) -> Image.Image:
    r"""
    One image, in colour and the right way up.

    * `path`: of a file in any format that Pillow reads
    * `raw`: what the file holds, if that has been read

    Returns an image whose mode is RGB, grey and CMYK converted to it, turned
    as its camera noted. Raises `ValueError`, naming the file, when it is
    damaged, has more than a byte a channel, or claims to be so large that it
    is meant to fill the memory.
    """
    source = path if raw is None else io.BytesIO(raw)
    with _named(path), Image.open(source) as image:
        _check_depth(image)
        return ImageOps.exif_transpose(image).convert("RGB")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except MemoryError:
        raise
    # The readers of many formats raise what they like, and Pillow's name no
    # file, or one in memory.
    except Exception as error:
        reason = re.sub(r" <_io\.\w+ object at \w+>", "", one_line(error))
        raise ValueError(f"{path} is no image: {reason}") from error


def decode(paths: list[Path], image_size: int, title: str) -> np.ndarray:
    r"""
    Images as bytes, in colour.

    * `paths`: at least one
    * `image_size`: the shorter side is resized to so many pixels, with
      antialiasing, and the centre is cropped, by torchvision's `Resize` and
      `CenterCrop`; 0 for images as they are, all of one size
    * `title`: of the bar

    Returns uint8 of shape (images, 3, height, width). Raises `ValueError`
    naming the first image that cannot be read or whose size differs.
    """
    if image_size:
        # Here, since it takes seconds to import.
        from torchvision.transforms import v2

        fit = v2.Compose([v2.Resize(image_size), v2.CenterCrop(image_size)])
    pixels, size = None, None
    bar = tqdm(paths, title, disable=None, leave=False)
    for number, path in enumerate(bar):
        image = read_image(path)
        size = _same(path, image.size, size, image_size)
        if image_size:
            image = fit(image)
        # In its place at once: all images are in memory, but not twice.
        channels_first = np.asarray(image).transpose(2, 0, 1)
        if pixels is None:
            pixels = np.empty((len(paths), *channels_first.shape), np.uint8)
        pixels[number] = channels_first
    return pixels


def _same(
    path: Path,
    size: tuple[int, int],
    before: tuple[int, int] | None,
    image_size: int,
) -> tuple[int, int]:
    if not image_size and before and size != before:
        raise ValueError(
            f"all images must have one size: {path} has {size}, those before "
            f"it {before}; --set image_size=64, or another number of pixels, "
            "resizes and crops them"
        )
    return size
