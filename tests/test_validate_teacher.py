"""Teachers that are wrong in one way each, and right ones that look odd."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from labkd.data import ImageSet
from labkd.lab import validate_teacher
from labkd.lab.own_teacher import PIXELS, make, normalisation
from labkd.lab.recipes import find
from labkd.lab.validate_teacher import (
    best_order,
    bring,
    check_table,
    sha256_of,
    table_name,
)
from labkd.pixels import Normalise, predict
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


class Grain(nn.Module):
    r"""What is left of a picture without its shade: nothing to learn from."""

    def forward(self, pixels):
        return pixels - pixels.mean((2, 3), keepdim=True)


@pytest.fixture
def examined(monkeypatch):
    def examined(model, images=IMAGES, pixels="student"):
        taught = SimpleNamespace(model=lambda num_classes: model)
        monkeypatch.setitem(sys.modules, "mine", taught)
        monkeypatch.setattr(
            validate_teacher, "split_of", lambda *asked: images
        )
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
    "in training mode": lambda: nn.Sequential(Shade(), nn.Dropout(0.9)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_teacher_passes(name, examined):
    teacher, said, _ = examined(RIGHT[name]())
    assert not any(module.training for module in teacher.modules())
    answers = predict(teacher, IMAGES.images, STUDENT).argmax(1)
    accuracy = (answers == IMAGES.labels).double().mean().item()
    assert said["validation"] == {"images": 1000, "accuracy": accuracy}
    assert accuracy > 0.9


def test_few_images_suffice_and_of_many_a_thousand(examined):
    for count, asked in ((20, 20), (2500, 834)):
        _, said, _ = examined(Shade(), shades(5, count))
        assert said["validation"]["images"] == asked


def test_three_images_refuse_nobody_and_prove_nothing(examined):
    three = IMAGES.take(torch.tensor([0, 500, 999]))
    _, said, told = examined(Shade(), three)
    assert said["validation"] == {"images": 3, "accuracy": 1.0}
    assert "3 images prove nothing" in told
    wrong = After(lambda z: z.roll(1, dims=1))
    assert examined(wrong, three)[1]["validation"]["accuracy"] == 0.0


def test_pixels_that_suit_a_teacher_better_are_told(examined):
    for trained in PIXELS:
        _, said, right = examined(Shade(trained), pixels=trained)
        assert said["validation"]["accuracy"] > 0.9
        for other in PIXELS:
            assert (f"% with {other}" in right) == (other != trained)


def test_another_order_of_the_classes_is_told(examined):
    swapped = [0, 1, 3, 2, *range(4, 10)]
    model = After(lambda z: z[:, swapped])
    _, said, told = examined(model)
    accuracy = said["validation"]["accuracy"]
    assert 0.7 < accuracy < 0.81
    assert "ant, bee, dog, cat, eel" in told
    logits = predict(examined(model)[0], IMAGES.images, STUDENT)
    right, order = best_order(logits, IMAGES)
    upright = predict(examined(Shade())[0], IMAGES.images, STUDENT)
    hits = (upright.argmax(1) == IMAGES.labels).double().mean().item()
    assert right == pytest.approx(hits)
    assert order == [NAMES[k] for k in swapped]
    # In the right order nothing is said of one.
    assert "stood for" not in examined(Shade())[2]


WRONG = {
    "probabilities": lambda: After(lambda z: z.softmax(1)),
    "a tuple": lambda: After(lambda z: (z, z)),
    "a dict": lambda: After(lambda z: {"logits": z}),
    "another shape": lambda: After(lambda z: z[:, :9]),
    "not finite": lambda: After(lambda z: z.log().where(z > -1, z)),
    "untrained": lambda: nn.Sequential(
        Grain(), nn.Flatten(), nn.Linear(48, 10)
    ),
    "one answer": lambda: After(lambda z: 0 * z),
    "other images": lambda: nn.Conv2d(1, 10, 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused(name, examined):
    torch.manual_seed(0)
    with pytest.raises(ValueError) as told:
        examined(WRONG[name]())
    assert str(told.value).startswith("teacher mine:model: ")
    assert "\n" not in str(told.value)


def test_an_untrained_network_is_called_no_better_than_chance(examined):
    # Not "its classes stand in another order", which was said once.
    torch.manual_seed(1)
    with pytest.raises(ValueError, match="no better than chance"):
        examined(WRONG["untrained"]())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_logits_and_their_logarithms_are_no_probabilities(classes, dtype):
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(500, classes, generator=draw)
    rounded = logits.softmax(1).to(dtype).float()
    with pytest.raises(ValueError):
        validate_teacher.check_logits(rounded, 500, classes)
    for right in (logits, logits.log_softmax(1), logits.relu()):
        validate_teacher.check_logits(right, 500, classes)


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
    _, said, _ = examined(model, pixels="half")
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
        table_name(replace(SOFT, mirror=not SOFT.mirror), said),
        table_name(replace(SOFT, views=5), said),
        table_name(replace(SOFT, training_images=20), said),
    ]
    assert len({name, *others}) == 10
    # How the student learns does not matter to it.
    assert table_name(replace(SOFT, temperature=9.0), said) == name


def test_a_table_of_another_code_with_the_same_weights_is_refused(examined):
    teacher, _, _ = examined(Shade())
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
