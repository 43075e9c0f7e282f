"""One order whatever the source, honest splits, errors that help."""

import gzip
import io
import pickle
import shutil
import struct
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5, sha256

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torchvision import datasets

from labkd import archives
from labkd.archives import CIFAR10_CLASSES, CIFAR10_JPEG, unpack_cifar10
from labkd.data import load

PIXELS = np.random.default_rng(0).integers(
    0, 256, (40, 32, 32, 3), dtype=np.uint8
)
# Forty images in an order in which no class is together.
LABELS = np.tile(np.arange(10), 4)


@pytest.fixture
def original(tmp_path, monkeypatch):
    """torchvision's layout of CIFAR-10, forty images a file."""
    folder = tmp_path / "original" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    sums = []
    batches = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for number, batch in enumerate(batches):
        rows = np.roll(PIXELS, number, axis=0).transpose(0, 3, 1, 2)
        rolled = np.roll(LABELS, number).tolist()
        entry = {"data": rows.reshape(40, -1), "labels": rolled}
        raw = pickle.dumps(entry)
        (folder / batch).write_bytes(raw)
        sums.append([batch, md5(raw).hexdigest()])
    meta = pickle.dumps({"label_names": list(CIFAR10_CLASSES)})
    (folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(datasets.CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(
        datasets.CIFAR10,
        "meta",
        {
            "filename": "batches.meta",
            "key": "label_names",
            "md5": md5(meta).hexdigest(),
        },
    )
    return folder.parent


def write_folder(root, images, labels, suffix="png"):
    """Images in one folder a class, numbered in their order."""
    counts = [0] * 10
    for pixels, label in zip(images, labels, strict=True):
        place = root / CIFAR10_CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(
            place / f"{counts[label]:04d}.{suffix}", quality=75
        )
        counts[label] += 1


def original_order(original, train):
    listing = datasets.CIFAR10(original, train=train)
    return listing.data, listing.targets


def test_a_folder_has_the_order_of_the_original(original, tmp_path):
    for part, train in (("train", True), ("test", False)):
        write_folder(
            tmp_path / "copy" / "cifar10" / part,
            *original_order(original, train),
        )
    for split in ("train", "validation", "test"):
        first = load("cifar10", split, original)
        second = load("cifar10", split, tmp_path / "copy")
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)
        assert first.class_names == second.class_names == CIFAR10_CLASSES
        assert (first.source, second.source) == ("original", "folder")
        assert (first.labels.diff() >= 0).all()


@pytest.fixture
def archive(original, tmp_path, monkeypatch):
    """An archive of the same images as JPEG files, and its checksum."""
    for part, train in (("train", True), ("test", False)):
        write_folder(
            tmp_path / "cifar10-jpeg" / part,
            *original_order(original, train),
            suffix="jpg",
        )
    path = tmp_path / "packed" / CIFAR10_JPEG
    path.parent.mkdir()
    with tarfile.open(path, "w:xz") as packed:
        # In reverse, so that the order cannot come from the archive.
        for file in sorted((tmp_path / "cifar10-jpeg").rglob("*.jpg"))[::-1]:
            packed.add(file, file.relative_to(tmp_path))
    digest = sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(archives, "CIFAR10_JPEG_SHA256", digest)
    return path


def test_the_archive_equals_its_folder(archive, tmp_path):
    for split in ("train", "validation", "test"):
        packed = load("cifar10", split, archive.parent)
        folder = load("cifar10", split, tmp_path)
        assert packed.source == folder.source == "jpeg-q75"
        assert torch.equal(packed.images, folder.images)
        assert torch.equal(packed.labels, folder.labels)


def test_the_archive_is_unpacked_once(archive, monkeypatch):
    load("cifar10", "test", archive.parent)
    monkeypatch.setattr(archives, "_decode", None)
    assert len(load("cifar10", "test", archive.parent)) == 40


def test_a_truncated_archive_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged or another file"):
        load("cifar10", "train", archive.parent)
    assert [f.name for f in archive.parent.iterdir()] == [CIFAR10_JPEG]


def assert_alone(archive, *others):
    r"""Beside the archive there is nothing else but the lock."""
    names = {file.name for file in (archive, *others)}
    found = {file.name for file in archive.parent.iterdir()}
    assert found - {"cifar10-jpeg-q75.lock"} == names


def test_an_interrupted_unpacking_leaves_nothing(archive, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "_decode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack_cifar10(archive, archive.parent / "cifar10-jpeg-q75")
    assert_alone(archive)


def test_what_a_killed_unpacking_left_is_removed(archive):
    scratch = archive.parent / ".unpacking-killed" / "whole"
    scratch.mkdir(parents=True)
    (scratch / "train.safetensors").write_bytes(b"half")
    load("cifar10", "test", archive.parent)
    unpacked = archive.parent / "cifar10-jpeg-q75"
    assert_alone(archive, unpacked)
    assert not list(unpacked.glob("*.part"))


def test_of_two_that_unpack_at_once_one_waits(archive, monkeypatch):
    calls, decoding = [], archives._decode

    def slow(path):
        calls.append(path)
        time.sleep(0.2)
        return decoding(path)

    monkeypatch.setattr(archives, "_decode", slow)
    target = archive.parent / "cifar10-jpeg-q75"
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(unpack_cifar10, archive, target) for _ in "12"]
    assert [done.result() for done in both] == [None, None]
    assert calls == [archive]
    assert_alone(archive, target)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x/train/cat/1.jpg", b"no picture", "1.jpg is no image"),
        ("x/train/lion/1.jpg", None, "lion"),
        ("x/validation/cat/1.jpg", None, "validation"),
        ("1.jpg", None, "1.jpg"),
    ],
)
def test_a_member_that_does_not_belong_is_named(
    name, content, message, tmp_path, monkeypatch
):
    raw = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(raw, "jpeg")
    raw = content or raw.getvalue()
    path = tmp_path / CIFAR10_JPEG
    with tarfile.open(path, "w:xz") as packed:
        member = tarfile.TarInfo(name)
        member.size = len(raw)
        packed.addfile(member, io.BytesIO(raw))
    digest = sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(archives, "CIFAR10_JPEG_SHA256", digest)
    with pytest.raises(ValueError, match=f"xz is damaged.*{message}"):
        load("cifar10", "train", tmp_path)
    assert_alone(path)


def test_validation_is_the_last_tenth_of_each_class(tmp_path):
    for label, count in ((0, 20), (1, 31)):
        for number in range(count):
            place = tmp_path / "train" / f"class{label}"
            place.mkdir(parents=True, exist_ok=True)
            shade = np.full((4, 4, 3), 100 * label + number, np.uint8)
            Image.fromarray(shade).save(place / f"{number:03d}.png")
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    shades = {
        split: load(str(tmp_path), split).images[:, 0, 0, 0].tolist()
        for split in ("train", "validation")
    }
    assert shades["train"] == [*range(18), *range(100, 128)]
    assert shades["validation"] == [18, 19, 128, 129, 130]


def test_digits():
    bunch = load_digits()
    sets = [load("digits", s) for s in ("train", "validation", "test")]
    assert [len(s) for s in sets] == [1200, 100, 497]
    cuts = ((0, 1200), (1200, 1300), (1300, 1797))
    for ours, (start, stop) in zip(sets, cuts, strict=True):
        assert ours.images.dtype is torch.uint8
        assert ours.images.shape[1:] == (1, 8, 8)
        assert ours.images.max() == 255
        order = np.argsort(bunch.target[start:stop], kind="stable")
        theirs = bunch.images[start:stop][order]
        back = ours.images[:, 0].numpy() * (16 / 255)
        np.testing.assert_allclose(back, theirs, atol=0.05)


def write_idx(path, array, packed):
    head = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape
    )
    raw = head + array.tobytes()
    path.write_bytes(gzip.compress(raw) if packed else raw)


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist(tmp_path, packed):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    ending = "ubyte.gz" if packed else "ubyte"
    grey = PIXELS[:, :28, :28, 0]
    for stem in ("train", "t10k"):
        images = folder / f"{stem}-images-idx3-{ending}"
        write_idx(images, grey, packed)
        labels = folder / f"{stem}-labels-idx1-{ending}"
        write_idx(labels, LABELS.astype(np.uint8), packed)
    test = load("fashion-mnist", "test", tmp_path)
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(test.images[:, 0], grey[order])
    assert test.labels.tolist() == sorted(LABELS)
    assert test.class_names[0] == "T-shirt/top"
    images = folder / f"t10k-images-idx3-{ending}"
    raw = gzip.decompress(images.read_bytes()) if packed else grey.tobytes()
    cut = io.BytesIO(raw[:-1]).getvalue()
    images.write_bytes(gzip.compress(cut) if packed else cut)
    with pytest.raises(ValueError, match="not a whole IDX file"):
        load("fashion-mnist", "test", tmp_path)


def test_root_comes_from_the_argument_then_the_environment(
    archive, tmp_path, monkeypatch
):
    monkeypatch.setenv("LABKD_DATA", str(archive.parent))
    assert load("cifar10", "test").source == "jpeg-q75"
    found = load("cifar10", "test", tmp_path / "original")
    assert found.source == "original"
    monkeypatch.delenv("LABKD_DATA")
    monkeypatch.chdir(archive.parent.parent)
    archive.parent.rename(tmp_path / "data")
    assert load("cifar10", "test").source == "jpeg-q75"


def test_absent_data_names_the_ways_to_get_it(tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(datasets, "CIFAR10", offline)
    with pytest.raises(FileNotFoundError) as caught:
        load("cifar10", "train", tmp_path)
    for way in (CIFAR10_JPEG, "LABKD_DATA", "digits", str(tmp_path)):
        assert way in str(caught.value)
    monkeypatch.setattr("labkd.sources.DEBIAN_FASHION_MNIST", tmp_path)
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        load("fashion-mnist", "train", tmp_path, download=False)


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
