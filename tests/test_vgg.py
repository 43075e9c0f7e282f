"""labml's two networks: sizes, running statistics, bad input."""

import pytest
import torch
from torch import nn

from labkd.vgg import SMALL, PlainCNN, large_cnn, small_cnn


@pytest.mark.parametrize(
    ("build", "count"), [(large_cnn, 14_728_266), (small_cnn, 437_034)]
)
@pytest.mark.parametrize("running_statistics", [True, False])
def test_as_many_parameters_as_labmls(build, count, running_statistics):
    model = build(running_statistics=running_statistics)
    assert sum(p.numel() for p in model.parameters()) == count


def test_the_layers_in_their_order():
    kinds = [type(layer).__name__ for layer in small_cnn().features]
    convolution = ["Dropout", "Conv2d", "BatchNorm2d", "ReLU"]
    by_hand = []
    for count in (2, 2, 1, 1, 1):
        by_hand += count * convolution + ["MaxPool2d"]
    assert kinds == by_hand
    convolutions = [
        layer for layer in small_cnn().features if hasattr(layer, "stride")
    ]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3), 2}


def test_other_classes_and_channels():
    model = small_cnn(num_classes=7, in_channels=1).eval()
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 7)


def test_only_the_large_one_has_dropout():
    rates = [
        {m.p for m in model.modules() if isinstance(m, nn.Dropout)}
        for model in (large_cnn(), small_cnn())
    ]
    assert rates == [{0.1}, {0.0}]


def first_image_alone_and_not(running_statistics):
    torch.manual_seed(0)
    model = small_cnn(running_statistics=running_statistics)
    images = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        model.train()(images)
        model.eval()
        return model(images)[0], model(images[:4])[0]


def test_with_running_statistics_an_image_is_judged_alone():
    torch.testing.assert_close(*first_image_alone_and_not(True))


def test_without_them_by_its_company():
    whole, part = first_image_alone_and_not(False)
    assert (whole - part).abs().max() > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 0}, "got 0, 3 and 0.0"),
        ({"in_channels": -1}, "got 10, -1 and 0.0"),
        ({"dropout": 1.5}, "1.5"),
        ({"blocks": SMALL[:4]}, "5 rows, got 4"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PlainCNN(**{"blocks": SMALL} | arguments)


def test_another_size_of_image_is_refused():
    with pytest.raises(ValueError, match="32 x 32, got 8 x 8"):
        small_cnn()(torch.zeros(2, 3, 8, 8))
