"""A folder of images: one size, and every fault named before training."""

import io
import os
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from labkd import own_images
from labkd.data import load
from labkd.own_images import decode, listing, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
# How cameras note that an image lies on its side, and what sets it upright.
TURNS = {2: np.fliplr, 3: partial(np.rot90, k=2), 6: partial(np.rot90, k=3)}


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
    for hidden in (".hidden", "ant/.ipynb_checkpoints"):
        (folder / "train" / hidden).mkdir()
        shade = Image.new("RGB", (4, 4))
        shade.save(folder / "train" / hidden / "a-checkpoint.png")
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
    kept = own_images.read_image
    monkeypatch.setattr(
        own_images,
        "read_image",
        lambda path: seen.append(path.stem) or kept(path),
    )
    load(str(folder), "validation")
    assert seen == ["018", "019"] * 2


def link(place, target):
    place.symlink_to(target, target_is_directory=target.is_dir())


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ant/loop", "ant"),
        ("ant/deep/loop", "ant"),
        ("ant/all", "."),
        ("ant/everything", ".."),
        ("ant/again.png", "ant/003.png"),
        ("ant/deep/again", "ant/deep/more"),
    ],
)
def test_each_image_counts_once_whatever_links_lead_to_it(
    name, target, folder
):
    write(folder, "train", "ant/deep/more", 2, first=50)
    before = listing(folder / "train")
    link(folder / "train" / name, folder / "train" / target)
    ours = listing(folder / "train")
    assert len(ours["ant"]) == 22
    for label in before:
        assert {p.resolve() for p in ours[label]} == set(before[label])


def test_a_link_to_images_elsewhere_is_followed(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere, "", "cat", 12)
    for part in ("train", "test"):
        link(folder / part / "cat", elsewhere / "cat")
    assert load(str(folder), "test").class_names == ("ant", "bee", "cat")
    assert len(load(str(folder), "validation")) == 2 + 2 + 1


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", ["pipe", "link to nothing"])
def test_what_is_no_file_is_named(kind, split, folder):
    path = folder / "test/bee/007.png"
    os.mkfifo(path) if kind == "pipe" else link(path, folder / "none.png")
    with pytest.raises(ValueError, match=r"bee/007\.png is no image"):
        load(str(folder), split)


def encoded(image, kind, **options):
    raw = io.BytesIO()
    image.save(raw, kind, **options)
    return raw.getvalue()


def read_back(folder, raw, name="a.png"):
    (folder / name).write_bytes(raw)
    return np.asarray(read_image(folder / name), int)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp"])
def test_images_are_turned_as_their_camera_noted(kind, turn, folder):
    pixels = PIXELS.repeat(16, 0).repeat(16, 1)
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(pixels)
    lossless = {"lossless": True} if kind == "webp" else {}
    raw = encoded(image, kind, exif=exif, quality=100, **lossless)
    found = read_back(folder, raw)
    expected = TURNS[turn](pixels)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < (25 if kind == "jpeg" else 0.1)
    # The size that is compared before anything is decoded is the upright's.
    for path in folder.glob("t*/*/*.png"):
        Image.fromarray(expected).save(path)
    (folder / "a.png").replace(folder / f"train/ant/0.{kind}")
    assert load(str(folder), "train").images.shape[2:] == expected.shape[:2]


def test_colours_come_back_and_grey_becomes_three_channels(tmp_path):
    image = Image.fromarray(PIXELS)
    read = partial(read_back, tmp_path)
    assert np.array_equal(read(encoded(image, "png")), PIXELS)
    grey = read(encoded(Image.fromarray(PIXELS[..., 0]), "png"))
    assert np.array_equal(grey, PIXELS[..., :1].repeat(3, axis=2))
    # What is transparent loses it, and a palette its indices.
    clear = read(encoded(image.convert("RGBA"), "png"))
    assert np.array_equal(clear, PIXELS)
    palette = read(encoded(image.quantize(256), "png"))
    assert np.abs(palette - PIXELS).max() < 32
    # In print, full ink is no light.
    inks = {(0, 0, 0, 0): 255, (255, 255, 255, 0): 0, (0, 0, 0, 255): 0}
    for ink, light in inks.items():
        raw = encoded(Image.new("CMYK", (8, 8), ink), "jpeg", quality=95)
        assert np.abs(read(raw) - light).max() <= 3


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_more_than_a_byte_a_channel_is_refused_before_training(
    mode, part, folder
):
    path = folder / part / "ant/001.tiff"
    Image.new(mode, (4, 4)).save(path)
    (folder / part / "ant/001.png").unlink()
    message = f"{part}/ant/001.tiff is no image: mode {mode}"
    with pytest.raises(ValueError, match=message):
        load(str(folder), "train")


@pytest.mark.parametrize("kind", "png jpeg gif bmp tiff webp".split())
def test_a_file_is_named_wherever_it_ends(kind, tmp_path):
    image = Image.fromarray(PIXELS.repeat(20, 0).repeat(20, 1))
    raw = encoded(image, kind)
    for end in range(0, len(raw) // 2, len(raw) // 9):
        with pytest.raises(ValueError, match=r"a\.png is no image: ") as bad:
            read_back(tmp_path, raw[:end])
        assert "0x" not in str(bad.value)


def cut_short(path):
    r"""A photograph whose end is missing, in place of a drawing."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path.with_suffix(".jpg"))
    raw = path.with_suffix(".jpg").read_bytes()
    path.with_suffix(".jpg").write_bytes(raw[:-1000])
    path.unlink()


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
        cut_short(folder / "train/bee/008.png")
    elif fault == "cut short for validation":
        cut_short(folder / "train/bee/019.png")
    elif fault == "cut short for the test":
        cut_short(folder / "test/bee/001.png")
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
        ("cut short for validation", r"bee/019\.jpg is no image: .*trunc"),
        ("cut short for the test", r"test/bee/001\.jpg is no image: .*trunc"),
        # What is seen when the training images are loaded.
        ("test image", r"test/ant/001\.png is no image"),
        ("another size", r"bee/011\.png has \(5, 5\).*image_size=64"),
        ("test of another size", r"test/bee/001\.png has \(5, 5\)"),
    ],
)
def test_a_fault_costs_one_line(fault, message, folder):
    damage(folder, fault)
    size = 4 if "cut short" in fault else 0
    with pytest.raises((ValueError, FileNotFoundError), match=message) as told:
        load(str(folder), "train", image_size=size)
    assert "\n" not in str(told.value)
