r"""
# Where images come from

Readers for the files that `data.load` knows: the originals as torchvision
downloads them, folders of images, Debian's package of Fashion-MNIST, and a
JPEG copy of CIFAR-10 as one archive. Each gives the images in one order, by
class and then as in the original, so that it does not matter which was read.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from labkd import tensors
from labkd.archives import CIFAR10_CLASSES, CIFAR10_JPEG, unpack_cifar10
from labkd.decoding import find_idx, read_idx
from labkd.files import reading
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
        return _unpacked_cifar10(unpacked / f"{part}.safetensors")
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
    found = next(
        (p for p in places if find_idx(p, f"{stem}-images-idx3")), None
    )
    if found is None and download:
        with contextlib.suppress(OSError, RuntimeError):
            datasets.FashionMNIST(root, download=True)
            found = ours
    if found is None:
        raise _absent("fashion-mnist", root, FASHION_MNIST_WAYS)
    pixels = read_idx(found, f"{stem}-images-idx3")
    labels = read_idx(found, f"{stem}-labels-idx1")
    if pixels.ndim != 3 or labels.shape != pixels.shape[:1]:
        raise ValueError(
            f"{found} does not hold Fashion-MNIST: images of shape "
            f"{pixels.shape}, labels of shape {labels.shape}"
        )
    names = tuple(datasets.FashionMNIST.classes)
    return _by_class(pixels[:, None], labels, names, "original")


def image_folder(folder: Path, source: str = "folder") -> ImageSet:
    r"""
    Images in one folder a class, by name; all of one size.

    Raises `FileNotFoundError` for a folder without images, `ValueError`
    naming the first image that is damaged or whose size differs.
    """
    classes = listing(folder)
    files = [file for files in classes.values() for file in files]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image")
    counts = [len(files) for files in classes.values()]
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = decode(files, 0, folder.name)
    return _by_class(pixels, labels, tuple(classes), source)


def _unpacked_cifar10(path: Path) -> ImageSet:
    kept = tensors.read(path)
    with reading(path, f"delete {path.parent} to unpack it anew"):
        images, labels, names = kept["images"], kept["labels"], CIFAR10_CLASSES
        if images.dtype is not torch.uint8 or images.shape[1:] != (3, 32, 32):
            raise ValueError(f"{images.dtype} of shape {tuple(images.shape)}")
        if labels.dtype is not torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"{labels.dtype} of shape {tuple(labels.shape)}")
        if not 0 <= labels.min() <= labels.max() < len(names):
            raise ValueError(f"labels {labels.min()} to {labels.max()}")
    return ImageSet(images, labels, names, "jpeg-q75")


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


def _by_class(
    pixels: np.ndarray,
    labels: Iterable[int],
    class_names: tuple[str, ...],
    source: str,
) -> ImageSet:
    labels = np.asarray(labels).astype(np.int64)
    if len(labels) == 0 or labels.max() >= len(class_names):
        raise ValueError(
            f"{len(labels)} labels up to {labels.max(initial=0)} of "
            f"{len(class_names)} classes"
        )
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
