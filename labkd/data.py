r"""
# Images

`load(name, split)` gives a whole split as one uint8 tensor. Three data sets
have names; the path of a folder with `train/<class>/` and `test/<class>/`
inside is a fourth. `digits` is embedded in scikit-learn and needs no network.

**One order, whatever the source.** Images are sorted by class and, inside a
class, stand in the original's order. Index 17 is the same picture whether it
was read from the original files or from a JPEG copy, so indices, splits and
cached teacher logits agree between machines.

**Validation is carved from training.** The last tenth of each training class
is for choosing hyper-parameters, so that the test split can stay shut until
the end.
"""

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import Tensor
from tqdm import tqdm

NAMES = ("digits", "cifar10", "fashion-mnist")
SPLITS = ("train", "validation", "test")
ARCHIVE = "cifar10-jpeg.tar.xz"
ARCHIVE_SHA256 = (
    "00d5ecc7a613042dc484584c1a57d05eeae1eacfb262df03ddd28766639ac9cc"
)
# Where Debian's package dataset-fashion-mnist puts the four original files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
CIFAR10_CLASSES = tuple(
    "airplane automobile bird cat deer dog frog horse ship truck".split()
)
FASHION_MNIST_CLASSES = tuple(torchvision.datasets.FashionMNIST.classes)


@dataclass(frozen=True)
class ImageSet:
    r"""
    One split of a data set, whole, in the order described above.

    * `images`: uint8, shape (images, channels, height, width)
    * `labels`: int64, shape (images,)
    * `class_names`: one name a class
    * `source`: `original`, `jpeg-q75` or `folder`
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "ImageSet":
        r"""The images at `indices` (int64 or bool mask), in that order."""
        return ImageSet(
            self.images[indices],
            self.labels[indices],
            self.class_names,
            self.source,
        )


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    *,
    download: bool = True,
) -> ImageSet:
    r"""
    One split of a data set, by name or by the path of an image folder.

    * `name`: `digits`, `cifar10`, `fashion-mnist`, or the path of a folder
      that holds `train/<class>/` and `test/<class>/`
    * `split`: `train`, `validation` (the last tenth of each training class;
      for the digits images 1,200 to 1,299) or `test`
    * `root`: the data folder; else the environment's `LABKD_DATA`, else
      `./data`
    * `download`: fetch a missing data set through torchvision

    Returns an `ImageSet`. Raises `ValueError` for a name, a split or images
    that do not fit, `FileNotFoundError` when the data is not at hand.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    root = Path(root or os.environ.get("LABKD_DATA") or "data")
    if name == "digits":
        return _digits(split)
    if name == "cifar10":
        return _part(_cifar10(root, split != "test", download), split)
    if name == "fashion-mnist":
        return _part(_fashion_mnist(root, split != "test", download), split)
    if Path(name).is_dir():
        folder = Path(name) / ("test" if split == "test" else "train")
        return _part(_image_folder(folder, "folder"), split)
    raise ValueError(
        f"no data set {name!r}: choose one of {', '.join(NAMES)} or give "
        "the path of a folder with train/<class>/ and test/<class>/"
    )


def _digits(split: str) -> ImageSet:
    bunch = load_digits()
    # The file's order follows its writers, so that cutting it in three, and
    # not at random, keeps most writers of the test images out of training.
    start, stop = {
        "train": (0, 1200),
        "validation": (1200, 1300),
        "test": (1300, 1797),
    }[split]
    # 0 .. 16 in the file; 0 .. 255 here, like every other data set.
    pixels = np.rint(bunch.images[start:stop] * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in bunch.target_names)
    return _by_class(pixels[:, None], bunch.target[start:stop], names)


def _cifar10(root: Path, train: bool, download: bool) -> ImageSet:
    part = "train" if train else "test"
    if (root / "cifar-10-batches-py").is_dir():
        return _torchvision_cifar10(root, train, download=False)
    for folder, source in (
        ("cifar10", "folder"),
        ("cifar10-jpeg", "jpeg-q75"),
    ):
        if (root / folder / part).is_dir():
            return _image_folder(root / folder / part, source)
    unpacked = root / "cifar10-jpeg-q75"
    if not unpacked.is_dir() and (root / ARCHIVE).is_file():
        _unpack(root / ARCHIVE, unpacked)
    if unpacked.is_dir():
        arrays = load_file(unpacked / f"{part}.safetensors")
        return ImageSet(
            arrays["images"], arrays["labels"], CIFAR10_CLASSES, "jpeg-q75"
        )
    if not download:
        raise _absent("cifar10", root)
    try:
        return _torchvision_cifar10(root, train, download=True)
    except OSError as error:
        raise _absent("cifar10", root) from error


def _torchvision_cifar10(
    root: Path, train: bool, download: bool
) -> ImageSet:
    original = torchvision.datasets.CIFAR10(
        root, train=train, download=download
    )
    # torchvision keeps (height, width, channels).
    pixels = original.data.transpose(0, 3, 1, 2)
    return _by_class(pixels, original.targets, tuple(original.classes))


def _fashion_mnist(root: Path, train: bool, download: bool) -> ImageSet:
    ours = root / "FashionMNIST" / "raw"
    places = (ours, root / "fashion-mnist", root, DEBIAN_FASHION_MNIST)
    stem = "train" if train else "t10k"
    found = next((p for p in places if _idx(p, f"{stem}-images-idx3")), None)
    if found is None:
        if not download:
            raise _absent("fashion-mnist", root)
        try:
            torchvision.datasets.FashionMNIST(root, download=True)
        except OSError as error:
            raise _absent("fashion-mnist", root) from error
        found = ours
    pixels = _read_idx(found, f"{stem}-images-idx3")
    labels = _read_idx(found, f"{stem}-labels-idx1")
    return _by_class(pixels[:, None], labels, FASHION_MNIST_CLASSES)


def _idx(folder: Path, stem: str) -> Path | None:
    files = (folder / f"{stem}-ubyte", folder / f"{stem}-ubyte.gz")
    return next((file for file in files if file.is_file()), None)


def _read_idx(folder: Path, stem: str) -> np.ndarray:
    file = _idx(folder, stem)
    if file is None:
        raise FileNotFoundError(f"{folder} holds no {stem}-ubyte or .gz")
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rb") as stream:
        raw = stream.read()
    # IDX: two zero bytes, 8 for unsigned bytes, the number of axes, then
    # each axis as a big-endian 32-bit integer, then the values.
    axes = raw[3]
    shape = np.frombuffer(raw, ">u4", count=axes, offset=4)
    if raw[:3] != b"\0\0\x08" or len(raw) != 4 + 4 * axes + shape.prod():
        raise ValueError(f"{file} is not a whole IDX file of bytes")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _image_folder(folder: Path, source: str) -> ImageSet:
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    listing = torchvision.datasets.ImageFolder(folder)
    decoded, size = [], None
    files = tqdm(listing.samples, folder.name, disable=None, leave=False)
    for path, _ in files:
        with Image.open(path) as image:
            size = size or image.size
            if image.size != size:
                raise ValueError(
                    f"all images must have one size: {path} has "
                    f"{image.size}, those before it {size}"
                )
            decoded.append(np.asarray(image.convert("RGB")))
    pixels = np.stack(decoded).transpose(0, 3, 1, 2)
    names = tuple(listing.classes)
    return _by_class(pixels, listing.targets, names, source)


def _unpack(archive: Path, target: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise ValueError(
            f"{archive} is damaged or another file: its sha256 is {digest}, "
            f"not {ARCHIVE_SHA256}"
        )
    # Written beside the target and renamed when whole: whoever finds the
    # folder finds all of it, and an interrupted run leaves nothing there.
    with tempfile.TemporaryDirectory(
        dir=target.parent, prefix=".unpacking-"
    ) as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        for part, entries in _decode(archive).items():
            ordered = [entry for _, entry in sorted(entries.items())]
            pixels = np.stack(ordered).transpose(0, 3, 1, 2)
            labels = [
                CIFAR10_CLASSES.index(name) for name, _ in sorted(entries)
            ]
            save_file(
                {
                    "images": torch.from_numpy(pixels.copy()),
                    "labels": torch.tensor(labels),
                },
                whole / f"{part}.safetensors",
            )
        whole.rename(target)


def _decode(archive: Path) -> dict[str, dict[tuple[str, str], np.ndarray]]:
    splits = {"train": {}, "test": {}}
    with tarfile.open(archive, "r|xz") as members:
        progress = tqdm(members, f"unpacking {archive.name}", disable=None)
        for member in progress:
            # Nothing is extracted to a path that the archive chooses: the
            # name only says which split and class the pixels belong to.
            if member.isfile():
                _, part, name, file = Path(member.name).parts
                raw = io.BytesIO(members.extractfile(member).read())
                splits[part][name, file] = np.asarray(Image.open(raw))
    return splits


def _by_class(
    pixels: np.ndarray,
    labels: Iterable[int],
    class_names: tuple[str, ...],
    source: str = "original",
) -> ImageSet:
    labels = np.asarray(labels).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    return ImageSet(
        torch.from_numpy(np.ascontiguousarray(pixels[order])),
        torch.from_numpy(labels[order]),
        class_names,
        source,
    )


def _part(whole: ImageSet, split: str) -> ImageSet:
    if split == "test":
        return whole
    kept = []
    for label in range(len(whole.class_names)):
        members = torch.nonzero(whole.labels == label).flatten()
        cut = len(members) - len(members) // 10
        kept.append(members[:cut] if split == "train" else members[cut:])
    return whole.take(torch.cat(kept))


def _absent(name: str, root: Path) -> FileNotFoundError:
    ways = {
        "cifar10": f"put {ARCHIVE} or torchvision's cifar-10-batches-py there",
        "fashion-mnist": "install Debian's package dataset-fashion-mnist",
    }[name]
    return FileNotFoundError(
        f"{name} is not in {root} and could not be downloaded: {ways}, name "
        "another folder with LABKD_DATA, or go online once; the data set "
        "'digits' needs no download"
    )
