"""A folder of images: one size, and every fault named before training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from labkd import decoding
from labkd.data import load
from labkd.own_images import decode, listing


def write(folder, part, name, count, size=(4, 4), first=0):
    r"""Images of one shade each, which is their number."""
    place = folder / part / name
    place.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        shade = Image.new("RGB", size, (number, number, number))
        shade.save(place / f"{number:03d}.png")


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 20), ("test", 3)):
        for name in ("ant", "bee"):
            write(tmp_path, part, name, count)
    return tmp_path


def shades(images):
    return images.images[:, 0, 0, 0].tolist()


def test_each_split_has_its_images_by_class_and_name(folder):
    found = {s: load(str(folder), s) for s in ("train", "validation", "test")}
    assert shades(found["train"]) == [*range(18), *range(18)]
    assert shades(found["validation"]) == [18, 19, 18, 19]
    assert shades(found["test"]) == [0, 1, 2, 0, 1, 2]
    for images in found.values():
        assert images.class_names == ("ant", "bee")
        half = len(images) // 2
        assert images.labels.tolist() == [0] * half + [1] * half
        assert images.images.dtype is torch.uint8
        assert images.source == "folder"


def test_the_listing_is_torchvisions_but_for_hidden_names(folder):
    # Deeper folders too, and names in capitals.
    write(folder, "train", "ant/more/deep", 2)
    write(folder, "train", "ant/a", 1)
    (folder / "train/ant/000.png").rename(folder / "train/ant/000.PNG")
    (folder / "train/ant/notes.txt").write_text("none")
    from torchvision import datasets

    theirs = [path for path, _ in datasets.ImageFolder(folder / "train").imgs]
    (folder / "train/ant/._000.png").write_bytes(b"left by another program")
    (folder / "train/.hidden").mkdir()
    ours = listing(folder / "train")
    assert list(ours) == ["ant", "bee"]
    files = [str(path) for paths in ours.values() for path in paths]
    assert files == theirs and len(files) == 43


@pytest.mark.parametrize("size", [(40, 40), (61, 40), (40, 97), (9, 14)])
def test_resizing_is_torchvisions(size, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3))
    image = Image.fromarray(pixels.astype(np.uint8))
    image.save(tmp_path / "a.png")
    ours = decode([tmp_path / "a.png"], 16, "")[0].transpose(1, 2, 0)
    bilinear = transforms.InterpolationMode.BILINEAR
    theirs = transforms.Compose(
        [transforms.Resize(16, bilinear), transforms.CenterCrop(16)]
    )(image)
    np.testing.assert_array_equal(ours, np.asarray(theirs))
    # Antialiased: noise that is shrunk is less noisy.
    if min(size) == 40:
        assert ours.std() < 0.7 * pixels.std()


def test_image_size_makes_all_images_one_size(folder):
    write(folder, "train", "ant", 5, (7, 12), first=20)
    write(folder, "test", "bee", 1, (30, 6), first=9)
    for split in ("train", "validation", "test"):
        images = load(str(folder), split, image_size=6)
        assert images.images.shape[1:] == (3, 6, 6)
    # Of one shade they were, and are.
    assert shades(images) == [0, 1, 2, 0, 1, 2, 9]
    assert (images.images == images.images[:, :1, :1, :1]).all()


def test_data_sets_with_a_name_have_their_size():
    with pytest.raises(ValueError, match="image_size=16 is .* 'digits' have"):
        load("digits", "train", image_size=16)
    assert load("digits", "test", image_size=0).images.shape[-1] == 8


def test_validation_decodes_no_other_image(folder, monkeypatch):
    seen = []
    kept = decoding.decode
    monkeypatch.setattr(
        decoding,
        "decode",
        lambda raw, name: seen.append(name) or kept(raw, name),
    )
    load(str(folder), "validation")
    assert [Path(name).stem for name in seen] == ["018", "019"] * 2


def damage(folder, fault):
    if fault == "only in train":
        write(folder, "train", "cat", 10)
        write(folder, "train", "dog", 10)
    elif fault == "only in test":
        write(folder, "test", "eel", 1)
    elif fault == "no image":
        (folder / "train/cat").mkdir()
        (folder / "test/cat").mkdir()
    elif fault == "no test image":
        write(folder, "train", "cat", 10)
        (folder / "test/cat").mkdir()
    elif fault == "too few":
        write(folder, "train", "cat", 9)
        write(folder, "test", "cat", 1)
    elif fault == "no test folder":
        (folder / "test").rename(folder / "tests")
    elif fault == "no class":
        for path in (folder / "train").iterdir():
            path.rename(folder / path.name)
    elif fault == "no image at all":
        (folder / "train/bee/007.png").write_bytes(b"a web page, perhaps")
    elif fault == "cut short":
        raw = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        path = folder / "train/bee/008.jpg"
        Image.fromarray(raw).save(path)
        path.write_bytes(path.read_bytes()[:-1000])
        (folder / "train/bee/008.png").unlink()
    elif fault == "test image":
        (folder / "test/ant/001.png").write_bytes(b"")
    elif fault == "another size":
        write(folder, "train", "bee", 1, (5, 5), first=11)
    elif fault == "test of another size":
        write(folder, "test", "bee", 1, (5, 5), first=1)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("only in train", r"different classes; only in train: 'cat', 'dog'$"),
        ("only in test", r"different classes; only in test: 'eel'$"),
        ("no image", r"class 'cat' has no image in .*train/cat .*\.jpg"),
        ("no test image", "class 'cat' has no image in .*test/cat"),
        ("too few", "class 'cat' has 9 training images: at least 10"),
        ("no test folder", "must hold .*there is no folder .*test$"),
        ("no class", "train has no folder of a class"),
        ("no image at all", r"bee/007\.png is no image"),
        ("cut short", r"bee/008\.jpg is no image: .*truncated"),
        # What is seen when the training images are loaded.
        ("test image", r"test/ant/001\.png is no image"),
        ("another size", r"bee/011\.png has \(5, 5\).*image_size=64"),
        ("test of another size", r"test/bee/001\.png has \(5, 5\)"),
    ],
)
def test_a_fault_costs_one_line(fault, message, folder):
    damage(folder, fault)
    size = 4 if fault == "cut short" else 0
    with pytest.raises((ValueError, FileNotFoundError), match=message) as told:
        load(str(folder), "train", image_size=size)
    assert "\n" not in str(told.value)
