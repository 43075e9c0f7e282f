r"""The networks that come with the package are those of their records."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.functional import to_tensor

from labkd import data, pictures, records, shipped

SIDE = 32
THERE = [
    n
    for n in shipped.NAMES
    if (shipped.WEIGHTS / f"{n}.safetensors").is_file()
]


def recorded(name, kind):
    return load_file(shipped.RESULTS / name / f"overnight-seed0.{kind}")[
        "test"
    ]


def answers(name, pixels):
    network = shipped.pretrained(name)
    assert not network.training
    with torch.no_grad():
        return network((pixels - network.mean) / network.deviation)


def test_the_teacher_is_there():
    assert "teacher-resnet18-cifar10" in THERE


@pytest.mark.parametrize("name", THERE)
def test_the_thumbnails_get_the_recorded_logits(name):
    about = json.loads((pictures.FOLDER / "thumbnails.json").read_text())
    sheet = to_tensor(Image.open(pictures.FOLDER / "thumbnails.png"))
    rows = sheet.unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE)
    pixels = rows.permute(1, 2, 0, 3, 4).reshape(-1, 3, SIDE, SIDE)
    shown = [image["test_index"] for image in about["images"]]
    expected = recorded(name, "logits.safetensors")[shown].float()
    found = answers(name, pixels)
    # The teacher's were computed in bfloat16: eight bits, a step of 1 in 256.
    apart = (found - expected).abs().max() / expected.abs().max()
    assert apart < 0.02
    assert (found.argmax(1) == expected.argmax(1)).all()


@pytest.mark.parametrize("name", THERE)
def test_the_test_images_get_the_recorded_accuracy(name):
    try:
        test = data.load("cifar10", "test", download=False)
    except (OSError, ValueError) as absent:
        pytest.skip(str(absent))
    record = records.read(name, "overnight", 0)
    if test.source != record["source"]:
        pytest.skip(f"the images are {test.source}")
    # Fifty of each class, which are sorted.
    some = torch.arange(0, len(test), 20)
    found = answers(name, test.images[some] / 255).argmax(1)
    kept = recorded(name, "predictions.safetensors")
    assert (found == kept[some]).double().mean() > 0.99
    whole = (kept == test.labels).double().mean().item()
    assert whole == pytest.approx(record["test"]["accuracy"], abs=1e-9)


def test_what_is_not_there_is_told(tmp_path, monkeypatch):
    with pytest.raises(ValueError):
        shipped.pretrained("resnet18")
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError):
        shipped.pretrained("teacher-resnet18-cifar10")
