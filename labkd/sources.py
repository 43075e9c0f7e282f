r"""
# Where images come from

Readers for the files that `data.load` knows: the originals as torchvision
downloads them, folders of images, Debian's package of Fashion-MNIST, and a
JPEG copy of CIFAR-10 as one archive. Each gives the images in one order, by
class and then as in the original, so that it does not matter which was read.
"""

import contextlib
import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from labkd import checkpoints
from labkd.archives import CIFAR10_CLASSES, CIFAR10_JPEG, unpack_cifar10
from labkd.own_images import decode, listing

# Where Debian's package dataset-fashion-mnist puts the four original files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
CIFAR10_WAYS = f"put {CIFAR10_JPEG} or torchvision's cifar-10-batches-py there"
FASHION_MNIST_WAYS = "install Debian's package dataset-fashion-mnist"


@dataclass(frozen=True)
class ImageSet:
    r"""
    Images with their labels, sorted by class.

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
        r"""The images at `indices` (int64, or a bool mask), in that order."""
        return replace(
            self, images=self.images[indices], labels=self.labels[indices]
        )

    def to(self, device: torch.device) -> "ImageSet":
        r"""The same images on another device."""
        return replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )


def digits(cut: slice) -> ImageSet:
    r"""scikit-learn's handwritten digits, 8 x 8 pixels, a cut of the file."""
    bunch = load_digits()
    # 0 .. 16 in the file; 0 .. 255 here, like every other data set.
    pixels = np.rint(bunch.images[cut] * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in bunch.target_names)
    return _by_class(pixels[:, None], bunch.target[cut], names, "original")


def cifar10(root: Path, train: bool, download: bool) -> ImageSet:
    r"""
    CIFAR-10 (Krizhevsky, 2009) in whatever form `root` has it.

    torchvision's files, a folder `cifar10` or `cifar10-jpeg` of images, or
    the archive `cifar10-jpeg.tar.xz`, unpacked on first use. Raises
    `FileNotFoundError` when there is none and none can be downloaded.
    """
    part = "train" if train else "test"
    if (root / "cifar-10-batches-py").is_dir():
        return _original_cifar10(root, train, download=False)
    if (root / "cifar10" / part).is_dir():
        return image_folder(root / "cifar10" / part)
    if (root / "cifar10-jpeg" / part).is_dir():
        return image_folder(root / "cifar10-jpeg" / part, "jpeg-q75")
    unpacked = root / "cifar10-jpeg-q75"
    if not unpacked.is_dir() and (root / CIFAR10_JPEG).is_file():
        unpack_cifar10(root / CIFAR10_JPEG, unpacked)
    if unpacked.is_dir():
        kept = checkpoints.read(unpacked / f"{part}.safetensors")
        names = CIFAR10_CLASSES
        return ImageSet(kept["images"], kept["labels"], names, "jpeg-q75")
    if download:
        with contextlib.suppress(OSError):
            return _original_cifar10(root, train, download=True)
    raise _absent("cifar10", root, CIFAR10_WAYS)


def fashion_mnist(root: Path, train: bool, download: bool) -> ImageSet:
    r"""
    Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), from its four files.

    Looked for where torchvision puts them, in `root` itself, and where
    Debian's package does. Raises `FileNotFoundError` when they are nowhere.
    """
    # Imported where it is used: it takes seconds, and the digits, which most
    # chapters begin with, need none of it.
    from torchvision import datasets

    ours = root / "FashionMNIST" / "raw"
    places = (ours, root / "fashion-mnist", root, DEBIAN_FASHION_MNIST)
    stem = "train" if train else "t10k"
    found = next((p for p in places if _idx(p, f"{stem}-images-idx3")), None)
    if found is None and download:
        with contextlib.suppress(OSError, RuntimeError):
            datasets.FashionMNIST(root, download=True)
            found = ours
    if found is None:
        raise _absent("fashion-mnist", root, FASHION_MNIST_WAYS)
    pixels = _read_idx(found, f"{stem}-images-idx3")
    labels = _read_idx(found, f"{stem}-labels-idx1")
    names = tuple(datasets.FashionMNIST.classes)
    return _by_class(pixels[:, None], labels, names, "original")


def image_folder(folder: Path, source: str = "folder") -> ImageSet:
    r"""
    Images in one folder a class, by name; all of one size.

    Raises `FileNotFoundError` for a folder without images, `ValueError`
    naming the first image whose size differs.
    """
    classes = listing(folder)
    files = [file for files in classes.values() for file in files]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image")
    counts = [len(files) for files in classes.values()]
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = decode(files, 0, folder.name)
    return _by_class(pixels, labels, tuple(classes), source)


def _original_cifar10(root: Path, train: bool, download: bool) -> ImageSet:
    from torchvision import datasets

    try:
        original = datasets.CIFAR10(root, train=train, download=download)
    except RuntimeError as error:
        # torchvision compares the files with their published MD5 sums.
        raise ValueError(
            f"{root / 'cifar-10-batches-py'} is damaged: {error}"
        ) from None
    # torchvision keeps (height, width, channels).
    pixels = original.data.transpose(0, 3, 1, 2)
    names = tuple(original.classes)
    return _by_class(pixels, original.targets, names, "original")


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


def _by_class(
    pixels: np.ndarray,
    labels: Iterable[int],
    class_names: tuple[str, ...],
    source: str,
) -> ImageSet:
    labels = np.asarray(labels).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    images = torch.from_numpy(np.ascontiguousarray(pixels[order]))
    ordered = torch.from_numpy(labels[order])
    return ImageSet(images, ordered, class_names, source)


def _absent(name: str, root: Path, ways: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"{name} is not in {root} and was not downloaded: {ways}, name "
        "another folder with LABKD_DATA, or go online once; the data set "
        "'digits' needs no download"
    )
