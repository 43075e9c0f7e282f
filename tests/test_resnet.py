"""Our ResNets are torchvision's, but for the stem and the width."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from labkd.resnet import ResNet


@pytest.mark.parametrize("layout", ["resnet18", "resnet34", "resnet50"])
def test_equals_torchvision_with_its_stem_replaced(layout):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, layout)(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    ours = ResNet(layout)
    ours.load_state_dict(theirs.state_dict())
    # In float64, where no processor's way of rounding counts.
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    ours, theirs = (model.double().eval() for model in (ours, theirs))
    with torch.no_grad():
        torch.testing.assert_close(
            ours(images), theirs(images), rtol=1e-9, atol=1e-9
        )


def test_width_channels_and_classes():
    model = ResNet(width=8, in_channels=1, num_classes=7).eval()
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 7)
    assert model.layer4[0].conv1.out_channels == 64


def test_the_stem_keeps_every_pixel():
    model = ResNet(width=8).eval()
    stem = model.bn1(model.conv1(torch.randn(1, 3, 32, 32)))
    assert stem.shape == (1, 8, 32, 32)
    assert model.layer1(stem).shape == (1, 8, 32, 32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [3, 4, 8, 12])
def test_gradients_do_not_depend_on_the_memory_order(width, channels):
    torch.manual_seed(0)
    model = ResNet(width=width, in_channels=channels).eval()
    pixels, labels = torch.randn(4, channels, 16, 16), torch.arange(4)
    gradients = []
    for order, dtype in (
        (torch.channels_last, torch.float32),
        (torch.contiguous_format, torch.float64),
    ):
        model.zero_grad()
        model.to(dtype, memory_format=order)
        shown = pixels.to(dtype).contiguous(memory_format=order)
        F.cross_entropy(model(shown), labels).backward()
        gradients.append([p.grad.double() for p in model.parameters()])
    for ours, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, exact, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("layout", "sizes", "message"),
    [
        ("resnet19", {}, "resnet19"),
        ("resnet18", {"width": 0}, "0"),
        ("resnet18", {"num_classes": -1}, "-1"),
    ],
)
def test_bad_input(layout, sizes, message):
    with pytest.raises(ValueError, match=message):
        ResNet(layout, **sizes)
