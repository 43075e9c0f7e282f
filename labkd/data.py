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

import os
from pathlib import Path

import torch

from labkd import own_images
from labkd.sources import ImageSet, cifar10, digits, fashion_mnist

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
    * `download`: fetch a missing data set through torchvision
    * `image_size`: pixels to a side that images of a folder are resized and
      cropped to, see `own_images.decode`; 0 for images as they are

    Returns an `ImageSet`. Raises `ValueError` for a name, a split, a size or
    images that do not fit, `FileNotFoundError` when the data is not at hand.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    root = Path(root or os.environ.get("LABKD_DATA") or "data")
    train = split != "test"
    if image_size and name in NAMES:
        raise ValueError(
            f"image_size={image_size} is for a folder of images: those of "
            f"{name!r} have one size"
        )
    if name == "digits":
        return digits(DIGITS_CUTS[split])
    if name == "cifar10":
        whole = cifar10(root, train, download)
    elif name == "fashion-mnist":
        whole = fashion_mnist(root, train, download)
    elif name and Path(name).is_dir():
        own = own_images.read(Path(name), split, image_size)
        return ImageSet(*own, "folder")
    else:
        raise ValueError(
            f"no data set {name!r}: choose one of {', '.join(NAMES)} or give "
            "the path of a folder with train/<class>/ and test/<class>/"
        )
    return _carve(whole, split) if train else whole


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
