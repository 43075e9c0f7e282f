r"""
# Images

`load(name, split)` gives a whole split as one uint8 tensor. Three data sets
have names; the path of a folder with `train/<class>/` and `test/<class>/`
inside is a fourth. `digits` is embedded in scikit-learn and needs no network.

**One order, whatever the source.** Images are sorted by class and, inside a
class, stand in the original's order. Index 17 is the same picture whether it
was read from the original files, from a mirror of them or from a JPEG copy,
so indices, splits and cached teacher logits agree between machines.

**Validation is carved from training.** The last tenth of each training class
is for choosing hyper-parameters, so that the test split can stay shut until
the end.
"""

import gzip
import hashlib
import math
import os
import shutil
import sys
import tarfile
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labkd import own_images, tensors
from labkd.extras import needs_extra
from labkd.files import one_line, reading, unwritable

with needs_extra("course"):
    from filelock import FileLock
    from sklearn.datasets import load_digits
    from tqdm import tqdm

NAMES = ("digits", "cifar10", "fashion-mnist")
SPLITS = ("train", "validation", "test")
# scikit-learn's 1,797 digits come in one piece, in the order of their
# writers. Cutting it in three, and not at random, keeps most writers of the
# test images out of training.
DIGITS_CUTS = {
    "train": slice(0, 1200),
    "validation": slice(1200, 1300),
    "test": slice(1300, 1797),
}
CIFAR10_CLASSES = tuple(
    "airplane automobile bird cat deer dog frog horse ship truck".split()
)
CIFAR10_JPEG = "cifar10-jpeg.tar.xz"
CIFAR10_JPEG_SHA256 = (
    "00d5ecc7a613042dc484584c1a57d05eeae1eacfb262df03ddd28766639ac9cc"
)
# Airplanes in each of the five training files. A mirror may have the files in
# another order: it read them as they come in the archive.
CIFAR10_AIRPLANES = (1005, 984, 994, 1003, 1014)
# Where Debian's package dataset-fashion-mnist puts the four original files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
# On Hugging Face: the repository and its column of images.
MIRRORS = {
    "cifar10": ("uoft-cs/cifar10", "img"),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", "image"),
}
WAYS = {
    "cifar10": f"put {CIFAR10_JPEG}, torchvision's cifar-10-batches-py or "
    "folders cifar10/train/<class> and cifar10/test/<class> there",
    "fashion-mnist": "install Debian's package dataset-fashion-mnist, or put "
    "its four files there",
}
IMAGES_OF_A_CLASS = {
    ("cifar10", "train"): 5000,
    ("cifar10", "test"): 1000,
    ("fashion-mnist", "train"): 6000,
    ("fashion-mnist", "test"): 1000,
}
# Five images of each class, spread over it: their mean brightness, a byte
# each. A JPEG has the same to three levels, another image has not.
BRIGHTNESS = {
    ("cifar10", "train"): "ab846790526e63a069716ea13e926a394b9c55197477577a5f"
    "a477807f5258746c7637806b8072765ea4a98ab1648e724c69",
    ("cifar10", "test"): "97a995cf8563847945a8a165469a698c825d668f7c6868797892"
    "724e64bf675c6078b5969f8957698b658dad766987655c63",
    ("fashion-mnist", "train"): "582c33307f3d28462d427c271d747d3d5c4159356a687"
    "5294833204519214f2e63388a31242e2026396c575a374b5c694953",
    ("fashion-mnist", "test"): "5e66375c352d323c335b4f336b387435415642565e7a77"
    "8081482111203d6c202a395735242f1e1e524d22394438635c5351",
}


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


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    *,
    download: bool = True,
    image_size: int = 0,
) -> ImageSet:
    r"""
    One split of a data set, by name or by the path of an image folder.

    * `name`: `digits`, `cifar10`, `fashion-mnist`, or the path of a folder
      that holds `train/<class>/` and `test/<class>/`
    * `split`: `train`, `validation` (the last tenth of each training class;
      of the digits, images 1,200 to 1,299 of the file) or `test`
    * `root`: the data folder; else the environment's `LABKD_DATA`, else
      `./data`
    * `download`: fetch a data set that is not in `root`: in seconds from
      Hugging Face where the package `datasets` is installed, as it is in
      Colab, else by torchvision
    * `image_size`: pixels to a side that images of a folder are resized and
      cropped to, see `own_images.decode`; 0 for images as they are

    Returns an `ImageSet`. Raises `ValueError` for a name, a split, a size or
    images that do not fit, `FileNotFoundError` when the data is not at hand.
    Warns when images have another order than the original's.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    root = Path(root or os.environ.get("LABKD_DATA") or "data")
    if image_size and name in NAMES:
        raise ValueError(
            f"image_size={image_size} is for a folder of images: those of "
            f"{name!r} have one size"
        )
    if name == "digits":
        return digits(DIGITS_CUTS[split])
    if name in NAMES:
        part = "test" if split == "test" else "train"
        find = cifar10 if name == "cifar10" else fashion_mnist
        whole = find(root, part) or _download(name, root, part, download)
        if not has_known_order(name, part, whole):
            warnings.warn(
                f"these are not the images of {name} in the original's order: "
                "indices mean others than in the records",
                stacklevel=2,
            )
        return whole if split == "test" else _carve(whole, split)
    if name and Path(name).is_dir():
        own = own_images.read_folder(Path(name), split, image_size)
        return ImageSet(*own, "folder")
    raise ValueError(
        f"no data set {name!r}: choose one of {', '.join(NAMES)} or give "
        "the path of a folder with train/<class>/ and test/<class>/"
    )


def _carve(whole: ImageSet, split: str) -> ImageSet:
    kept = []
    for label in range(len(whole.class_names)):
        members = torch.nonzero(whole.labels == label).flatten()
        cut = len(members) - len(members) // 10
        kept.append(members[:cut] if split == "train" else members[cut:])
    indices = torch.cat(kept)
    if not len(indices):
        raise ValueError(
            f"{len(whole)} training images of {len(whole.class_names)} "
            f"classes leave none for {split}: ten of a class leave one"
        )
    return whole.take(indices)


def digits(cut: slice) -> ImageSet:
    r"""scikit-learn's handwritten digits, 8 x 8 pixels, a cut of the file."""
    bunch = load_digits()
    # 0 .. 16 in the file; 0 .. 255 here, like every other data set.
    pixels = np.rint(bunch.images[cut] * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in bunch.target_names)
    return _by_class(pixels[:, None], bunch.target[cut], names, "original")


def cifar10(root: Path, part: str) -> ImageSet | None:
    r"""
    CIFAR-10 (Krizhevsky, 2009) in whatever form `root` has it, if it has.

    * `part`: `train` or `test`

    torchvision's files, a folder `cifar10` or `cifar10-jpeg` of images, what
    was kept of the mirror, or the archive `cifar10-jpeg.tar.xz`, unpacked on
    first use.
    """
    if (root / "cifar-10-batches-py").is_dir():
        return _cifar10_by_torchvision(root, part, download=False)
    for name, source in (("cifar10", "folder"), ("cifar10-jpeg", "jpeg-q75")):
        if (root / name / part).is_dir():
            return image_folder(root / name / part, source)
    unpacked = root / "cifar10-jpeg-q75"
    if (root / CIFAR10_JPEG).is_file() or unpacked.is_dir():
        return _cifar10_jpeg(root / CIFAR10_JPEG, unpacked, part)
    return _of_mirror(root, "cifar10", part)


def fashion_mnist(root: Path, part: str) -> ImageSet | None:
    r"""
    Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), if it is at hand.

    * `part`: `train` or `test`

    Its four files are looked for where torchvision puts them, in `root`
    itself, and where Debian's package does; then what was kept of the mirror.
    """
    ours = root / "FashionMNIST" / "raw"
    stem = "train" if part == "train" else "t10k"
    places = (ours, root / "fashion-mnist", root, DEBIAN_FASHION_MNIST)
    for place in places:
        if _idx_file(place, f"{stem}-images-idx3"):
            pixels = read_idx(place, f"{stem}-images-idx3")
            labels = read_idx(place, f"{stem}-labels-idx1")
            if pixels.ndim != 3 or labels.shape != pixels.shape[:1]:
                raise ValueError(
                    f"{place} does not hold Fashion-MNIST: images of shape "
                    f"{pixels.shape}, labels of shape {labels.shape}"
                )
            names = _class_names("fashion-mnist")
            return _by_class(pixels[:, None], labels, names, "original")
    return _of_mirror(root, "fashion-mnist", part)


def image_folder(folder: Path, source: str = "folder") -> ImageSet:
    r"""
    Images in one folder a class, by name; all of one size.

    Raises `FileNotFoundError` for a folder without images, `ValueError`
    naming the first image that is damaged or whose size differs.
    """
    classes = own_images.listing(folder)
    files = [file for files in classes.values() for file in files]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image")
    counts = [len(files) for files in classes.values()]
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = own_images.decode(files, 0, folder.name)
    return _by_class(pixels, labels, tuple(classes), source)


def has_known_order(name: str, part: str, whole: ImageSet) -> bool:
    r"""
    Whether images are all of a data set, in the order of the original.

    * `name`, `part`: `cifar10` or `fashion-mnist`, `train` or `test`

    Of each class it compares the number of images, and the brightness of
    five.
    """
    known = torch.tensor(list(bytes.fromhex(BRIGHTNESS[name, part])))
    each = IMAGES_OF_A_CLASS[name, part]
    if whole.labels.bincount(minlength=10).tolist() != [each] * 10:
        return False
    pictures = whole.images.view(10, each, -1)[:, each // 10 :: each // 5]
    brightness = pictures.float().mean(-1).flatten()
    return (brightness - known).abs().max().item() <= 3


def _download(name: str, root: Path, part: str, allowed: bool) -> ImageSet:
    tried = []
    for way in (_by_mirror, _by_torchvision) if allowed else ():
        # Whatever a server, its client or a full disk says, there is another
        # way, and in the end all that was said is told.
        try:
            return way(name, root, part)
        except Exception as error:
            tried.append(one_line(error))
    raise FileNotFoundError(
        f"{name} is not in {root} and was not downloaded"
        + "".join(f" ({reason})" for reason in tried)
        + f": {WAYS[name]}, name another folder with LABKD_DATA, or go online "
        "once (pip install datasets: it takes seconds); the data set 'digits' "
        "needs no download"
    )


def _by_mirror(name: str, root: Path, part: str) -> ImageSet:
    # Nothing here asks for this package: it is used where somebody has it.
    datasets = import_module("datasets")
    repository, column = MIRRORS[name]
    rows = datasets.load_dataset(repository, split=part)
    pixels, labels = [], []
    for row in tqdm(rows, f"{name}, {part}", total=len(rows), disable=None):
        pixels.append(np.asarray(row[column]))
        labels.append(row["label"])
    pixels, labels = np.stack(pixels), np.asarray(labels)
    if name == "cifar10":
        pixels = pixels.transpose(0, 3, 1, 2)
        if part == "train":
            order = original_order(labels)
            pixels, labels = pixels[order], labels[order]
    else:
        pixels = pixels[:, None]
    whole = _by_class(pixels, labels, _class_names(name), "original")
    kept = {"images": whole.images, "labels": whole.labels}
    # Where nothing can be written, it is fetched anew each time.
    with suppress(OSError):
        tensors.write(root / f"{name}-original/{part}.safetensors", kept, {})
    return whole


def original_order(labels: np.ndarray) -> np.ndarray:
    r"""
    Indices that bring CIFAR-10's five training files into their order.

    * `labels`: of a fifth from each file, the files in any order

    They are known by how many airplanes each holds; of other labels the order
    is left as it is.
    """
    files = np.arange(len(labels) // 5 * 5).reshape(5, -1)
    airplanes = (labels[files] == 0).sum(1).tolist()
    if sorted(airplanes) != sorted(CIFAR10_AIRPLANES):
        return np.arange(len(labels))
    return files[[airplanes.index(n) for n in CIFAR10_AIRPLANES]].flatten()


def _by_torchvision(name: str, root: Path, part: str) -> ImageSet:
    if name == "cifar10":
        # Whoever has the package has been to the mirror already.
        quicker = "after `pip install datasets` a mirror takes seconds"
        if sys.modules.get("datasets"):
            quicker = "its mirror, which takes seconds, did not answer"
        warnings.warn(
            f"CIFAR-10's own server can take forty minutes; {quicker}",
            stacklevel=4,
        )
        return _cifar10_by_torchvision(root, part, download=True)
    from torchvision import datasets

    datasets.FashionMNIST(root, download=True)
    return fashion_mnist(root, part)


def _cifar10_by_torchvision(
    root: Path, part: str, *, download: bool
) -> ImageSet:
    from torchvision import datasets

    try:
        original = datasets.CIFAR10(root, part == "train", download=download)
    except RuntimeError as error:
        # torchvision compares the files with their published MD5 sums.
        raise ValueError(
            f"{root / 'cifar-10-batches-py'} is damaged: {error}"
        ) from None
    # torchvision keeps (height, width, channels).
    pixels = original.data.transpose(0, 3, 1, 2)
    names = tuple(original.classes)
    return _by_class(pixels, original.targets, names, "original")


def _of_mirror(root: Path, name: str, part: str) -> ImageSet | None:
    path = root / f"{name}-original" / f"{part}.safetensors"
    return _kept(path, name, "original") if path.is_file() else None


def _cifar10_jpeg(archive: Path, unpacked: Path, part: str) -> ImageSet:
    path = unpacked / f"{part}.safetensors"
    try:
        return _kept(path, "cifar10", "jpeg-q75")
    except (OSError, ValueError) as error:
        if not archive.is_file():
            raise ValueError(
                f"{one_line(error)}; put {archive.name} into {archive.parent} "
                "to have it unpacked anew"
            ) from error
    unpack_cifar10(archive, unpacked)
    return _kept(path, "cifar10", "jpeg-q75")


def _kept(path: Path, name: str, source: str) -> ImageSet:
    kept = tensors.read(path)
    shape = (3, 32, 32) if name == "cifar10" else (1, 28, 28)
    with reading(path, "delete it to make it anew"):
        images, labels = kept["images"], kept["labels"]
        if images.dtype is not torch.uint8 or images.shape[1:] != shape:
            raise ValueError(f"{images.dtype} of shape {tuple(images.shape)}")
        if labels.dtype is not torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"{labels.dtype} of shape {tuple(labels.shape)}")
        if not 0 <= labels.min() <= labels.max() < 10:
            raise ValueError(f"labels {labels.min()} to {labels.max()}")
    return ImageSet(images, labels, _class_names(name), source)


def unpack_cifar10(archive: Path, target: Path) -> None:
    r"""
    Decode the archive into one safetensors file a split, all or nothing.

    * `archive`: the path of `cifar10-jpeg.tar.xz`
    * `target`: a folder; one that is whole is left as it is, one that is
      damaged is made anew

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
            if not _is_whole(target):
                _unpack(archive, target)
    except OSError as error:
        raise unwritable(target, error) from error


def _is_whole(target: Path) -> bool:
    try:
        for part in ("train", "test"):
            _kept(target / f"{part}.safetensors", "cifar10", "jpeg-q75")
    except (OSError, ValueError):
        return False
    return True


def _unpack(archive: Path, target: Path) -> None:
    # Written beside the target and renamed when whole: whoever finds the
    # folder finds all of it, and an interrupted run leaves nothing there. The
    # rename comes last, for after it nobody looks for what is left over.
    scratch = target.with_name(f".unpacking-{target.name}")
    with reading(archive, "fetch it again"):
        splits = _decoded(archive)
    try:
        for part, split in splits.items():
            kept = {"images": split.images, "labels": split.labels}
            tensors.write(scratch / f"{part}.safetensors", kept, {})
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _decoded(archive: Path) -> dict[str, ImageSet]:
    # In memory: to write 60,000 files and remove them can take minutes.
    pictures = {}
    with tarfile.open(archive, "r|xz") as members:
        for member in tqdm(members, f"unpacking {archive.name}", disable=None):
            if member.isfile():
                raw = members.extractfile(member).read()
                image = own_images.read_image(Path(member.name), raw)
                pictures[member.name] = np.asarray(image).transpose(2, 0, 1)
    parts: dict[str, dict[str, list[np.ndarray]]] = {}
    for name in sorted(pictures):
        folder = Path(name).parent  # of a class, in that of a split
        classes = parts.setdefault(folder.parent.name, {})
        classes.setdefault(folder.name, []).append(pictures[name])
    if sorted(parts) != ["test", "train"]:
        raise ValueError(f"it holds {sorted(parts)}, not test and train")
    return {part: _classes_of(part, found) for part, found in parts.items()}


def _classes_of(part: str, found: dict[str, list[np.ndarray]]) -> ImageSet:
    if tuple(found) != CIFAR10_CLASSES:
        raise ValueError(f"{part} has other classes than CIFAR-10")
    counts = [len(images) for images in found.values()]
    pixels = np.stack([image for images in found.values() for image in images])
    labels = np.repeat(np.arange(10), counts)
    return _by_class(pixels, labels, CIFAR10_CLASSES, "jpeg-q75")


def _idx_file(folder: Path, stem: str) -> Path | None:
    files = (folder / f"{stem}-ubyte", folder / f"{stem}-ubyte.gz")
    return next((file for file in files if file.is_file()), None)


def read_idx(folder: Path, stem: str) -> np.ndarray:
    r"""
    The values of an IDX file, as MNIST and its kin have them.

    * `stem`: its name without `-ubyte`, or `-ubyte.gz`

    Returns uint8, as many axes as the file says. Raises `FileNotFoundError`
    when it is not there, `ValueError` when it is damaged.
    """
    file = _idx_file(folder, stem)
    if file is None:
        raise FileNotFoundError(f"{folder} holds no {stem}-ubyte or .gz")
    raw = file.read_bytes()
    try:
        raw = gzip.decompress(raw) if file.suffix == ".gz" else raw
    # gzip's own is an OSError, as if it were the disk's.
    except Exception as error:
        raise ValueError(
            f"{file} is damaged ({one_line(error)}); fetch it again"
        ) from error
    # IDX: two zero bytes, 8 for unsigned bytes, the number of axes, then
    # each axis as a big-endian 32-bit integer, then the values.
    with reading(file, "fetch it again"):
        axes = raw[3]
        start = 4 + 4 * axes
        shape = np.frombuffer(raw, ">u4", count=axes, offset=4).tolist()
        if raw[:3] != b"\0\0\x08" or len(raw) != start + math.prod(shape):
            raise ValueError("it is not a whole IDX file of bytes")
        return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _class_names(name: str) -> tuple[str, ...]:
    if name == "cifar10":
        return CIFAR10_CLASSES
    # Imported where it is used: it takes seconds.
    from torchvision import datasets

    return tuple(datasets.FashionMNIST.classes)


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
