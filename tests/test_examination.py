"""Teachers that are wrong in one way each, and right ones that look odd."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.lab import examination
from labkd.lab.examination import (
    PIXELS,
    bring,
    check_table,
    fingerprints,
    sha256_of,
    table_name,
)
from labkd.lab.own_pixels import normalisation
from labkd.lab.own_teacher import make
from labkd.lab.recipes import find
from labkd.pixels import Normalise, predict
from labkd.sources import ImageSet
from labkd.views import Bank, build_table

SOFT = find("soft-vit_from_resnet18-digits", "laptop")
NAMES = tuple("ant bee cat dog eel fly gnu hen ibis jay".split())


def shades(jitter, count=1000, seed=0):
    r"""Images of ten shades of grey, which are their classes, more or less."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) * 10 // count
    level = 20 + 24 * labels + jitter * torch.randn(count, generator=draw)
    grain = 6 * torch.randn(count, 3, 4, 4, generator=draw)
    pixels = (level[:, None, None, None] + grain).clamp(0, 255).byte()
    return ImageSet(pixels, labels, NAMES, "original")


IMAGES = shades(5)
STUDENT = Normalise.of(IMAGES.images)


class Shade(nn.Module):
    r"""Which shade it is, by a teacher that knows one normalisation."""

    def __init__(self, kind="student", sharp=10.0):
        super().__init__()
        wanted = normalisation(kind, STUDENT)
        centres = (20 + 24 * torch.arange(10.0)) / 255
        centres = (centres[:, None] - wanted.mean) / wanted.deviation
        self.centres = nn.Parameter(centres.mean(1))
        self.sharp = sharp / (24 / 255 / wanted.deviation.mean()) ** 2

    def forward(self, pixels):
        shade = pixels.mean((1, 2, 3))[:, None]
        return -self.sharp * (shade - self.centres).square()


class After(Shade):
    r"""Its logits and something more, by a function of them."""

    def __init__(self, then, **settings):
        super().__init__(**settings)
        self.then = then

    def forward(self, pixels):
        return self.then(super().forward(pixels))


class Noisy(Shade):
    r"""With BatchNorm and dropout, and a mode of its own making."""

    def __init__(self, mode=None):
        super().__init__()
        self.norm = nn.BatchNorm1d(10, affine=False)
        self.norm.running_mean.fill_(-100.0)
        self.norm.running_var.fill_(1e4)
        self.drop = nn.Dropout(0.5)
        self.mode = mode

    def train(self, mode=True):
        return super().train(mode if self.mode is None else self.mode)

    def forward(self, pixels):
        return self.drop(self.norm(super().forward(pixels)))


class Counting(Shade):
    r"""Learns from what it is shown, whatever its mode."""

    def __init__(self, buffer):
        super().__init__()
        self.register_buffer("shown", torch.zeros(()), persistent=False)
        self.buffer, self.times = buffer, 0

    def forward(self, pixels):
        if self.buffer:
            self.shown += len(pixels)
            return super().forward(pixels)
        self.times += 1
        return super().forward(pixels) * self.times


class Grain(nn.Module):
    r"""What is left of a picture without its shade: nothing to learn from."""

    def forward(self, pixels):
        return pixels - pixels.mean((2, 3), keepdim=True)


class OneByOne(Shade):
    r"""Cannot be asked about a single image."""

    def forward(self, pixels):
        return super().forward(pixels) + 0 * F.batch_norm(
            pixels.mean((2, 3)), None, None, training=True
        ).sum(1, keepdim=True)


@pytest.fixture
def examined(monkeypatch):
    def examined(model, images=IMAGES, pixels="student"):
        taught = SimpleNamespace(model=lambda num_classes: model)
        monkeypatch.setitem(sys.modules, "mine", taught)
        monkeypatch.setattr(examination, "split_of", lambda *asked: images)
        recipe = replace(SOFT, teacher="mine:model", teacher_pixels=pixels)
        return bring(recipe, NAMES, STUDENT)

    return examined


RIGHT = {
    "plain": Shade,
    "log-probabilities": lambda: After(lambda z: z.log_softmax(1)),
    "confident": lambda: Shade(sharp=1e4),
    "soft": lambda: Shade(sharp=0.01),
    "shifted": lambda: After(lambda z: z + 1000),
    "half precision": lambda: After(lambda z: z.bfloat16(), sharp=3.0),
    "in training mode": Noisy,
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_teacher_passes(name, examined):
    model = RIGHT[name]()
    before = fingerprints(model)
    teacher, said = examined(model)
    assert not any(module.training for module in teacher.modules())
    assert fingerprints(model) == before
    answers = predict(teacher, IMAGES.images, STUDENT).argmax(1)
    accuracy = (answers == IMAGES.labels).double().mean().item()
    assert said["validation"] == {"images": 1000, "accuracy": accuracy}
    assert accuracy > 0.9


def test_a_poor_teacher_passes(examined):
    _, said = examined(Shade(), shades(16))
    assert 0.5 < said["validation"]["accuracy"] < 0.6


def test_few_images_suffice_and_of_many_a_thousand(examined):
    for count, asked in ((20, 20), (2500, 834)):
        _, said = examined(Shade(), shades(5, count))
        assert said["validation"]["images"] == asked


@pytest.mark.parametrize("trained", PIXELS)
@pytest.mark.parametrize("told", PIXELS)
def test_pixels_that_it_was_not_trained_with_are_named(
    trained, told, examined
):
    model = Shade(trained)
    if trained == told:
        assert examined(model, pixels=told)[1]["pixels"] == told
        return
    with pytest.raises(ValueError) as fault:
        examined(model, pixels=told)
    assert f"with teacher_pixels={told} it is right about" in str(fault.value)
    assert str(fault.value).endswith(f"give --set teacher_pixels={trained}")


def reordered(order):
    return After(lambda z: z[:, order])


WRONG = {
    "probabilities": (
        lambda: After(lambda z: z.softmax(1)),
        "probabilities, not logits.* over 1000 images",
    ),
    "sigmoids": (lambda: After(torch.sigmoid), "as a sigmoid does"),
    "a tuple": (lambda: After(lambda z: (z, z)), "a tuple of 2"),
    "a dict": (lambda: After(lambda z: {"logits": z}), "a dict of logits"),
    "another shape": (lambda: After(lambda z: z[:, :9]), r"shape \(8, 9\)"),
    # Of a class that few of the first images are of.
    "not finite": (
        lambda: After(lambda z: z.log().where(z > -1, z)),
        "not finite, such as nan",
    ),
    "swapped": (
        lambda: reordered([0, 1, 3, 2, *range(4, 10)]),
        "'cat' it calls 'dog' .*'dog' it calls 'cat' .*2 of 10 classes",
    ),
    "reversed": (lambda: reordered([*range(9, -1, -1)]), "10 of 10 classes"),
    "untrained": (
        lambda: nn.Sequential(Grain(), nn.Flatten(), nn.Linear(48, 10)),
        "Are its weights the trained ones",
    ),
    "one answer": (lambda: After(lambda z: 0 * z), "right about 10.0 %"),
    "dropout": (lambda: Noisy(mode=True), "changes when .* 'norm.running"),
    "at random": (
        lambda: After(lambda z: z + torch.randn_like(z).mul(100)),
        "when it is asked again: does something in it stay in training",
    ),
    "statistics of the batch": (
        lambda: After(lambda z: z - z.mean(0)),
        "when an image is alone",
    ),
    "a buffer": (
        lambda: Counting(True),
        "'shown' is another afterwards, 1 of",
    ),
    "a number": (lambda: Counting(False), "when it is asked again"),
    "not alone": (OneByOne, "fails on an image alone: ValueError: Expected"),
    "other images": (
        lambda: nn.Conv2d(1, 10, 3),
        r"fails on pixels of \(8, 3, 4, 4\): RuntimeError: .*channels",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused(name, examined):
    torch.manual_seed(0)
    make_model, message = WRONG[name]
    with pytest.raises(ValueError, match=message) as told:
        examined(make_model())
    assert str(told.value).startswith("teacher mine:model: ")
    assert "\n" not in str(told.value)


def test_a_digest_stands_for_every_number_and_its_name():
    def model(first, second):
        made = nn.ParameterDict({first: torch.ones(2), second: torch.zeros(2)})
        made.register_buffer("kept", torch.ones(1).bfloat16())
        return made

    ours = model("a", "b")
    assert sha256_of(ours) == sha256_of(model("a", "b"))
    assert sha256_of(ours) != sha256_of(model("b", "a"))
    ours.kept += 1
    assert sha256_of(ours) != sha256_of(model("a", "b"))


def test_what_is_said_is_what_was_asked_for(examined):
    model = Shade("half")
    _, said = examined(model, pixels="half")
    assert said["own"] == "mine:model" and said["weights"] == ""
    assert said["pixels"] == "half" and said["sha256"] == sha256_of(model)
    # A table is of this teacher and of these images.
    name = table_name(SOFT, said)
    others = [
        table_name(SOFT, said | {"own": "mine:other"}),
        table_name(SOFT, said | {"sha256": "0"}),
        table_name(SOFT, said | {"pixels": "unit"}),
        table_name(replace(SOFT, dataset="cifar10"), said),
        table_name(replace(SOFT, image_size=8), said),
        table_name(replace(SOFT, padding=2), said),
        table_name(replace(SOFT, views=5), said),
        table_name(replace(SOFT, training_images=20), said),
    ]
    assert len({name, *others}) == 9
    # How the student learns does not matter to it.
    assert table_name(replace(SOFT, temperature=9.0), said) == name


def test_a_table_of_another_code_with_the_same_weights_is_refused(examined):
    teacher, _ = examined(Shade())
    images = IMAGES.images[:40]
    bank = Bank.every(len(images), padding=1)
    table = build_table(
        lambda chunk: predict(teacher, chunk, STUDENT), images, bank
    )
    check_table(table, teacher, images, STUDENT, bank)
    recipe = replace(SOFT, teacher="mine:model", teacher_pixels="unit")
    for other in (make(recipe, 10, STUDENT), Shade(sharp=8.0)):
        with pytest.raises(ValueError, match="is of another teacher"):
            check_table(table, other, images, STUDENT, bank)
