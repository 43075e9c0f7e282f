"""Teachers that people bring: found, made, loaded, given their own pixels."""

import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from labkd.lab.own_teacher import (
    PIXELS,
    Renormalised,
    load_weights,
    make,
    normalisation,
)
from labkd.lab.recipes import change, digest, find
from labkd.pixels import Normalise, mix

SOFT = find("soft-vit_from_resnet18-digits", "laptop")
COLOUR = Normalise(torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2] * 3))
IMAGES = torch.randint(
    0, 256, (6, 3, 4, 4), generator=torch.Generator().manual_seed(0)
).byte()


def brought(teacher, weights="", pixels="student"):
    return replace(
        SOFT,
        teacher=teacher,
        teacher_weights=str(weights),
        teacher_pixels=pixels,
    )


def linear(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, num_classes))


class Flat(nn.Module):
    r"""Flattens as people do who know the order in memory."""

    def forward(self, pixels):
        return pixels.view(len(pixels), -1)[:, :7]


def takes_no_number():
    return linear(7)


def fails(num_classes):
    raise RuntimeError("no\nsuch file")


@pytest.fixture(autouse=True)
def mine(monkeypatch):
    r"""A module of the reader's, which can be imported."""
    module = SimpleNamespace(
        linear=linear,
        takes_no_number=takes_no_number,
        made=linear(7),
        takes_anything=lambda **words: linear(**words),
        Flat=Flat,
        inside=SimpleNamespace(linear=linear),
        fails=fails,
        needs_more=lambda num_classes, width: linear(num_classes),
        number=7,
        no_module=lambda num_classes: num_classes,
    )
    monkeypatch.setitem(sys.modules, "mine", module)


@pytest.mark.parametrize(
    "name", "linear takes_no_number made takes_anything inside.linear".split()
)
def test_a_callable_of_any_kind_gives_a_frozen_teacher(name):
    teacher = make(brought(f"mine:{name}"), 7, COLOUR)
    assert teacher(COLOUR(IMAGES)).shape == (6, 7)
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_module_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "in_this_folder.py").write_text(
        "from torch import nn\nclass Model(nn.Flatten):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    teacher = make(brought("in_this_folder:Model"), 7, COLOUR)
    assert type(teacher.model).__name__ == "Model"
    sys.modules.pop("in_this_folder")


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("no_such_module:make", "cannot import .*No module named"),
        ("mine:nothing", "cannot import mine:nothing: AttributeError"),
        ("mine:fails", r"RuntimeError: no such file \(test_own.*, line \d+\)"),
        ("mine:needs_more", "missing 1 required positional argument"),
        ("mine:number", "mine:number cannot be called: 7"),
        ("mine:no_module", "gives a int, not an nn.Module"),
        ("torchvision:resnet19", "no classifier 'resnet19'.*resnet18"),
        ("torchvision:fcn_resnet50", "no classifier 'fcn_resnet50'"),
        ("torchvision:resnet18", "has no weights for 7 classes: give --set"),
    ],
)
def test_what_cannot_be_made_costs_one_line(teacher, message):
    with pytest.raises(ValueError, match=message) as told:
        make(brought(teacher), 7, COLOUR)
    assert "\n" not in str(told.value)


def test_a_model_of_torchvision_by_its_name(tmp_path):
    from torchvision import models

    theirs = models.squeezenet1_1(num_classes=7).eval()
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    recipe = brought("torchvision:squeezenet1_1", tmp_path / "w.safetensors")
    pixels = torch.randn(2, 3, 32, 32)
    assert torch.equal(make(recipe, 7, COLOUR)(pixels), theirs(pixels))


def state_of(fault):
    state = dict(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).state_dict()
    )
    if fault == "prefix":
        return {f"module.{key}": value for key, value in state.items()}
    if fault == "shape":
        state["0.weight"] = torch.zeros(4, 1, 1, 1)
    if fault == "lacks":
        del state["1.running_var"]
    if fault == "counter":
        del state["1.num_batches_tracked"]
    return state


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "prefix",
            "lacks 0.bias, 0.weight, 1.bias and 3 more; it has, and .*"
            "not, module.0.bias, module.0.weight, module.1.bias and 4 more",
        ),
        (
            "shape",
            r"another shape 0.weight \(4, 1, 1, 1\) instead of "
            r"\(4, 3, 1, 1\)$",
        ),
        ("lacks", "model: it lacks 1.running_var$"),
    ],
)
def test_a_state_that_does_not_fit_is_named(fault, message, tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    save_file(state_of(fault), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=message):
        load_weights(tmp_path / "w.safetensors", model)


def test_a_whole_state_is_loaded_and_an_old_one_without_counters(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    state = state_of("counter")
    save_file(state, tmp_path / "w.safetensors")
    load_weights(tmp_path / "w.safetensors", model)
    assert torch.equal(model[0].weight, state["0.weight"])
    assert load_file(tmp_path / "w.safetensors").keys() == state.keys()


class Trap:
    r"""What a pickle can do when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("form", ["torch", "pickle", "half"])
def test_no_pickle_is_read(form, tmp_path):
    path, sprung = tmp_path / "w.safetensors", tmp_path / "sprung"
    if form == "torch":
        torch.save({"weight": Trap(sprung)}, path)
    elif form == "pickle":
        path.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        save_file({"weight": torch.zeros(9)}, path)
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="not a whole safetensors file") as t:
        load_weights(path, nn.Linear(3, 3))
    assert "weights_only=True" in str(t.value)
    assert not sprung.exists()
    with pytest.raises(FileNotFoundError, match="no file .*gone"):
        load_weights(tmp_path / "gone", nn.Linear(3, 3))


def test_others_may_flatten_by_view():
    # Our pixels have their channels last in memory, which `view` refuses.
    with pytest.raises(RuntimeError, match="view"):
        Flat()(COLOUR(IMAGES))
    teacher = make(brought("mine:Flat"), 7, COLOUR)
    assert teacher(COLOUR(IMAGES)).shape == (6, 7)


def test_what_is_of_a_teacher_of_ones_own_needs_one():
    brought("mine:linear", "w.safetensors", "half")
    for setting in ("teacher_weights=w.safetensors", "teacher_pixels=unit"):
        with pytest.raises(ValueError, match="for a teacher of your own"):
            change(SOFT, [setting])
    with pytest.raises(ValueError, match="teacher_pixels.*0..1"):
        change(SOFT, ["teacher=mine:linear", "teacher_pixels=0..1"])
    with pytest.raises(ValueError, match="'cross-entropy' does not go with"):
        replace(brought("mine:linear"), objective="cross-entropy")
    # Each of them is another experiment.
    recipes = [
        SOFT,
        brought("mine:linear"),
        brought("mine:linear", "w"),
        brought("mine:linear", pixels="unit"),
        replace(SOFT, image_size=8),
    ]
    assert len({digest(recipe) for recipe in recipes}) == 5


def test_it_sees_pixels_in_its_own_normalisation():
    seen = IMAGES.float() / 255
    mean, deviation = (
        torch.tensor(v)[:, None, None]
        for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    expected = {
        "student": COLOUR(IMAGES),
        "imagenet": (seen - mean) / deviation,
        "unit": seen,
        "half": 2 * seen - 1,
    }
    assert set(expected) == set(PIXELS)
    for kind, pixels in expected.items():
        own = normalisation(kind, COLOUR)
        teacher = Renormalised(nn.Identity(), COLOUR, own)
        torch.testing.assert_close(teacher(COLOUR(IMAGES)), pixels)
    # The student's are left as they are, to the bit.
    same = Renormalised(nn.Identity(), COLOUR, COLOUR)
    assert torch.equal(same(COLOUR(IMAGES)), COLOUR(IMAGES))


def test_a_blend_is_a_blend_to_it_too():
    teacher = Renormalised(
        nn.Identity(), COLOUR, normalisation("half", COLOUR)
    )
    torch.manual_seed(0)
    first = teacher(mix(COLOUR(IMAGES)))
    torch.manual_seed(0)
    torch.testing.assert_close(first, mix(teacher(COLOUR(IMAGES))))


def test_grey_images_have_three_channels_under_imagenets():
    grey = Normalise(torch.tensor([0.3]), torch.tensor([0.4]))
    own = normalisation("imagenet", grey)
    pixels = Renormalised(nn.Identity(), grey, own)(grey(IMAGES[:, :1]))
    expected = own(IMAGES[:, :1].expand(-1, 3, -1, -1))
    torch.testing.assert_close(pixels, expected)
