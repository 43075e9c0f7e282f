"""One order whatever the source, honest splits, errors that help."""

import gzip
import pickle
import struct
import sys
import tarfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import worlds
from PIL import Image
from sklearn.datasets import load_digits
from torchvision import datasets

from labkd import data, tensors
from labkd.data import (
    CIFAR10_CLASSES,
    CIFAR10_JPEG,
    load,
    original_order,
    read_idx,
    unpack_cifar10,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*original's order")

# Images and labels of the five training files and of the test file: forty
# each, no class together, in every file another number of airplanes.
AIRPLANES = (5, 1, 3, 2, 4)
GENERATOR = np.random.default_rng(0)
FILES = []
for airplanes in (*AIRPLANES, 3):
    labels = np.r_[[0] * airplanes, np.arange(40 - airplanes) % 9 + 1]
    pixels = GENERATOR.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    FILES.append((pixels, GENERATOR.permutation(labels)))
SPLITS = ("train", "validation", "test")


def of_part(part):
    files = FILES[:5] if part == "train" else FILES[5:]
    return tuple(np.concatenate(arrays) for arrays in zip(*files, strict=True))


@pytest.fixture
def original(tmp_path, monkeypatch):
    """torchvision's layout of CIFAR-10."""
    folder = tmp_path / "original" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    sums = []
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name, (images, labels) in zip(names, FILES, strict=True):
        rows = images.transpose(0, 3, 1, 2).reshape(40, -1)
        raw = pickle.dumps({"data": rows, "labels": labels.tolist()})
        (folder / name).write_bytes(raw)
        sums.append([name, md5(raw).hexdigest()])
    meta = pickle.dumps({"label_names": list(CIFAR10_CLASSES)})
    (folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(datasets.CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", sums[5:])
    told = {"filename": "batches.meta", "key": "label_names"}
    told["md5"] = md5(meta).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "meta", told)
    return folder.parent


def write_folders(root, suffix="png"):
    """Images in one folder a class, numbered in the original's order."""
    for part in ("train", "test"):
        counts = [0] * 10
        for pixels, label in zip(*of_part(part), strict=True):
            place = root / part / CIFAR10_CLASSES[label]
            place.mkdir(parents=True, exist_ok=True)
            name = f"{counts[label]:04d}.{suffix}"
            Image.fromarray(pixels).save(place / name, quality=75)
            counts[label] += 1


def assert_same(first, second):
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert first.class_names == second.class_names


def test_a_folder_has_the_order_of_the_original(original, tmp_path):
    write_folders(tmp_path / "copy" / "cifar10")
    for split in SPLITS:
        first = load("cifar10", split, original)
        second = load("cifar10", split, tmp_path / "copy")
        assert_same(first, second)
        assert (first.source, second.source) == ("original", "folder")
        assert (first.labels.diff() >= 0).all()
        assert first.class_names == CIFAR10_CLASSES


class Rows(list):
    """Stands for what `datasets.load_dataset` gives."""


def mirror(monkeypatch, order=(3, 2, 1, 4, 0)):
    """Stands for the package `datasets`; the files in another order."""
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        if name == "uoft-cs/cifar10":
            files = (
                [FILES[i] for i in order] if split == "train" else FILES[5:]
            )
            key = "img"
        else:
            assert name == "zalando-datasets/fashion_mnist"
            images, labels = of_part(split)
            files, key = [(images[:, :28, :28, 0], labels)], "image"
        return Rows(
            {key: Image.fromarray(image), "label": int(label)}
            for images, labels in files
            for image, label in zip(images, labels, strict=True)
        )

    module = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr(data, "CIFAR10_AIRPLANES", AIRPLANES)
    return asked


def test_the_mirror_has_the_order_of_the_original(
    original, tmp_path, monkeypatch
):
    asked = mirror(monkeypatch)
    for split in SPLITS:
        first = load("cifar10", split, original)
        second = load("cifar10", split, tmp_path / "empty")
        assert_same(first, second)
        assert second.source == "original"
    # Validation is of the training images, and those were there by then.
    assert asked == [("uoft-cs/cifar10", part) for part in ("train", "test")]
    monkeypatch.setitem(sys.modules, "datasets", None)
    offline = load("cifar10", "test", tmp_path / "empty", download=False)
    assert_same(offline, second)


def test_where_nothing_can_be_written_the_mirror_serves(tmp_path, monkeypatch):
    mirror(monkeypatch)
    (tmp_path / "file").write_text("no folder")
    assert len(load("cifar10", "test", tmp_path / "file")) == 40


def test_fashion_mnist_from_its_mirror(tmp_path, monkeypatch):
    mirror(monkeypatch)
    monkeypatch.setattr(data, "DEBIAN_FASHION_MNIST", tmp_path)
    found = load("fashion-mnist", "test", tmp_path)
    images, labels = of_part("test")
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(
        found.images[:, 0], images[order, :28, :28, 0]
    )
    assert found.class_names[0] == "T-shirt/top"


def test_without_the_mirror_torchvision_downloads(
    original, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "datasets", None)
    kept = datasets.CIFAR10

    def fetched(root, train, download):
        assert root == tmp_path / "empty" and download
        return kept(original, train)

    monkeypatch.setattr(datasets, "CIFAR10", fetched)
    with pytest.warns(UserWarning, match="pip install datasets"):
        found = load("cifar10", "test", tmp_path / "empty")
    monkeypatch.undo()
    assert found.source == "original" and len(found) == 40


def test_the_five_files_are_known_by_their_airplanes():
    assert sum(data.CIFAR10_AIRPLANES) == 5000
    labels = np.ones((5, 10_000), int)
    for row, airplanes in zip(labels, data.CIFAR10_AIRPLANES, strict=True):
        row[:airplanes] = 0
    came = [3, 2, 1, 4, 0]
    order = original_order(labels[came].flatten()).reshape(5, -1)
    assert [came[row[0] // 10_000] for row in order] == [0, 1, 2, 3, 4]
    assert (np.diff(order, axis=1) == 1).all()
    # Others are left as they are.
    assert original_order(np.arange(23)).tolist() == [*range(23)]


def test_another_order_is_told(cifar10):
    assert data.has_known_order("cifar10", "test", cifar10)
    swapped = cifar10.take(torch.arange(len(cifar10)).flip(0))
    assert not data.has_known_order("cifar10", "test", swapped)
    order = torch.arange(10_000).view(10, -1).roll(1, 1).flatten()
    rolled = cifar10.take(order)
    assert torch.equal(rolled.labels, cifar10.labels)
    assert not data.has_known_order("cifar10", "test", rolled)


def test_fewer_images_are_told(original):
    with pytest.warns(UserWarning, match="the original's order"):
        load("cifar10", "test", original)


@pytest.fixture
def archive(tmp_path):
    """An archive of the same images as JPEG files, trusted."""
    write_folders(tmp_path / "cifar10-jpeg", suffix="jpg")
    path = tmp_path / "packed" / CIFAR10_JPEG
    path.parent.mkdir()
    with tarfile.open(path, "w:xz", preset=0) as packed:
        # In reverse, so that the order cannot come from the archive.
        for file in sorted((tmp_path / "cifar10-jpeg").rglob("*.jpg"))[::-1]:
            packed.add(file, file.relative_to(tmp_path))
    with worlds.trusting(path):
        yield path


def unpacked(archive):
    return archive.parent / "cifar10-jpeg-q75"


def assert_alone(archive, *others):
    r"""Beside the archive there is nothing else but the lock."""
    names = {file.name for file in (archive, *others)}
    found = {file.name for file in archive.parent.iterdir()}
    assert found - {"cifar10-jpeg-q75.lock"} == names


def test_the_archive_equals_its_folder_and_is_unpacked_once(
    archive, tmp_path, monkeypatch
):
    for split in SPLITS:
        packed = load("cifar10", split, archive.parent)
        folder = load("cifar10", split, tmp_path)
        assert packed.source == folder.source == "jpeg-q75"
        assert_same(packed, folder)
        monkeypatch.setattr(data, "_decoded", None)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("fault", ["flipped", "missing", "empty"])
def test_a_damaged_copy_is_unpacked_anew(archive, part, fault):
    before = load("cifar10", part, archive.parent)
    path = unpacked(archive) / f"{part}.safetensors"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.unlink()
    if fault != "missing":
        path.write_bytes(raw if fault == "flipped" else b"")
    assert_same(load("cifar10", part, archive.parent), before)
    assert_alone(archive, unpacked(archive))


def test_without_its_archive_a_damaged_copy_says_what_helps(archive):
    load("cifar10", "test", archive.parent)
    (unpacked(archive) / "test.safetensors").write_bytes(b"")
    raw = archive.read_bytes()
    archive.unlink()
    with pytest.raises(ValueError, match=f"damaged.*put {CIFAR10_JPEG} into"):
        load("cifar10", "test", archive.parent)
    archive.write_bytes(raw)
    assert len(load("cifar10", "test", archive.parent)) == 40


def test_an_archive_that_is_cut_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged or another file"):
        load("cifar10", "train", archive.parent)
    assert_alone(archive)


def test_an_interrupted_unpacking_leaves_nothing(archive, monkeypatch):
    def interrupt(path, kept, about, write=tensors.write):
        write(path, kept, about)
        raise KeyboardInterrupt

    monkeypatch.setattr(tensors, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack_cifar10(archive, unpacked(archive))
    assert_alone(archive)


def test_what_a_killed_unpacking_left_is_removed(archive):
    scratch = archive.parent / ".unpacking-killed" / "whole"
    scratch.mkdir(parents=True)
    (scratch / "train.safetensors").write_bytes(b"half")
    load("cifar10", "test", archive.parent)
    assert_alone(archive, unpacked(archive))
    assert not list(unpacked(archive).glob("*.part"))


def test_of_two_that_unpack_at_once_one_waits(archive, monkeypatch):
    calls, decoded = [], data._decoded

    def slow(path):
        calls.append(path)
        time.sleep(0.2)
        return decoded(path)

    monkeypatch.setattr(data, "_decoded", slow)
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(unpack_cifar10, archive, unpacked(archive))
            for _ in "12"
        ]
    assert [done.result() for done in both] == [None, None]
    assert calls == [archive]
    assert_alone(archive, unpacked(archive))


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("x/train/cat/1.jpg", b"no picture", "1.jpg is no image"),
        ("x/train/lion/1.jpg", worlds.jpeg(), "not test and train"),
        ("x/validation/cat/1.jpg", worlds.jpeg(), "not test and train"),
        ("1.jpg", worlds.jpeg(), "it holds"),
        ("../1.jpg", worlds.jpeg(), "not test and train"),
    ],
)
def test_a_member_that_does_not_belong_is_told(name, raw, message, tmp_path):
    path = tmp_path / "data" / CIFAR10_JPEG
    worlds.write_archive(path, {name: raw})
    with (
        worlds.trusting(path),
        pytest.raises(ValueError, match=f"xz is damaged.*{message}"),
    ):
        load("cifar10", "train", path.parent)
    assert_alone(path)
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_digits():
    bunch = load_digits()
    cuts = {"train": (0, 1200), "validation": (1200, 1300)}
    for split, (start, stop) in (cuts | {"test": (1300, 1797)}).items():
        ours = load("digits", split)
        assert ours.images.dtype is torch.uint8
        assert ours.images.shape == (stop - start, 1, 8, 8)
        assert ours.images.max() == 255
        order = np.argsort(bunch.target[start:stop], kind="stable")
        back = ours.images[:, 0].numpy() * (16 / 255)
        theirs = bunch.images[start:stop][order]
        np.testing.assert_allclose(back, theirs, atol=0.05)


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist(tmp_path, packed):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, stem in (("train", "train"), ("test", "t10k")):
        images, labels = of_part(part)
        for name, array in (
            (f"{stem}-images-idx3-ubyte", images[:, :28, :28, 0]),
            (f"{stem}-labels-idx1-ubyte", labels.astype(np.uint8)),
        ):
            raw = worlds.idx(array)
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
            else:
                (folder / name).write_bytes(raw)
    found = load("fashion-mnist", "test", tmp_path)
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(
        found.images[:, 0], images[order, :28, :28, 0]
    )
    assert found.labels.tolist() == sorted(labels)
    assert found.class_names[0] == "T-shirt/top"


def test_an_idx_file_is_whole_or_named(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    raw = struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 3, 4) + values.tobytes()
    with pytest.raises(FileNotFoundError, match="no a-ubyte"):
        read_idx(tmp_path, "a")
    (tmp_path / "a-ubyte").write_bytes(raw)
    (tmp_path / "b-ubyte.gz").write_bytes(gzip.compress(raw))
    for stem in "ab":
        assert np.array_equal(read_idx(tmp_path, stem), values)
    (tmp_path / "a-ubyte").write_bytes(raw[:-1])
    (tmp_path / "b-ubyte.gz").write_bytes(gzip.compress(raw + b"1"))
    for stem in "ab":
        with pytest.raises(ValueError, match="not a whole IDX file"):
            read_idx(tmp_path, stem)


def test_root_comes_from_the_argument_then_the_environment(
    archive, original, tmp_path, monkeypatch
):
    monkeypatch.setenv("LABKD_DATA", str(archive.parent))
    assert load("cifar10", "test").source == "jpeg-q75"
    assert load("cifar10", "test", original).source == "original"
    monkeypatch.delenv("LABKD_DATA")
    monkeypatch.chdir(archive.parent.parent)
    archive.parent.rename(tmp_path / "data")
    assert load("cifar10", "test").source == "jpeg-q75"


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_absent_data_names_every_way_to_get_it(name, tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("no network today")

    module = SimpleNamespace(load_dataset=offline)
    monkeypatch.setitem(sys.modules, "datasets", module)
    for kind in ("CIFAR10", "FashionMNIST"):
        monkeypatch.setattr(datasets, kind, offline)
    monkeypatch.setattr(data, "DEBIAN_FASHION_MNIST", tmp_path)
    monkeypatch.setattr(data, "_class_names", lambda name: CIFAR10_CLASSES)
    ways = ["LABKD_DATA", "digits", str(tmp_path), "pip install datasets"]
    if name == "cifar10":
        ways += [CIFAR10_JPEG, "cifar-10-batches-py", "cifar10/train/<class>"]
    else:
        ways += ["dataset-fashion-mnist"]
    for download, tried in ((True, 2), (False, 0)):
        with (
            warnings.catch_warnings(record=True) as warned,
            pytest.raises(FileNotFoundError) as caught,
        ):
            load(name, "train", tmp_path, download=download)
        # Nobody is told to install what they have.
        slow = ["did not answer" in str(each.message) for each in warned]
        assert slow == [True] * (name == "cifar10" and download)
        said = str(caught.value)
        assert [way for way in ways if way not in said] == []
        assert said.count("no network today") == tried and "\n" not in said


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("cifar11", "train", "cifar11"),
        ("digits", "valid", "'valid'"),
        ("", "test", "no data set ''"),
    ],
)
def test_bad_names(name, split, message):
    with pytest.raises(ValueError, match=message):
        load(name, split)
