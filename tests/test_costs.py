"""Weighing: counted by closed forms, measured in turn."""

import torch
from torch import nn

from labkd import costs
from labkd.resnet import ResNet
from labkd.vit import VisionTransformer

CPU = torch.device("cpu")


def test_a_model_weighs_what_is_saved_of_it():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    # 108 + 4 of the convolution, 4 + 4 learned by the norm; 4 + 4 floats
    # and a counter of eight bytes beside them.
    assert costs.size_of(model) == {
        "parameters": 120,
        "float32_bytes": 4 * 128 + 8,
        "float16_bytes": 2 * 128 + 8,
    }


def test_multiply_adds_of_a_transformer_follow_its_equations():
    width, patches, depth, hidden = 16, 4, 3, 32
    model = VisionTransformer(
        image_size=8,
        patch_size=4,
        in_channels=3,
        num_classes=10,
        width=width,
        depth=depth,
        heads=2,
        mlp_ratio=2.0,
    ).eval()
    tokens = patches + 1
    block = tokens * (4 * width**2 + 2 * width * hidden)
    block += 2 * tokens**2 * width
    expected = patches * 3 * 4**2 * width + depth * block + width * 10
    found = costs.multiply_adds(model, torch.randn(1, 3, 8, 8))
    assert found == expected
    assert costs.multiply_adds(model, torch.randn(5, 3, 8, 8)) == 5 * expected


def test_multiply_adds_of_resnet18_are_those_of_its_layers():
    model, found = ResNet("resnet18", width=4).eval(), []

    def count(layer, given, made):
        fan_in = layer.weight[0].numel()
        found.append(fan_in * made[0].numel())

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    image = torch.randn(1, 3, 32, 32)
    total = costs.multiply_adds(model, image)
    assert total == sum(found) > 0


def test_peak_memory_is_what_two_neighbours_fill():
    layers = [nn.Linear(100, 200), nn.Linear(200, 300), nn.Linear(300, 10)]
    model = nn.Sequential(*layers).eval()
    image = torch.randn(7, 100)

    def forward():
        with torch.no_grad():
            model(image)

    forward()
    # The second layer's input and output, of 7 x 4 bytes a number.
    assert costs.peak_memory(forward, CPU) == 7 * 4 * (200 + 300)


def test_peak_memory_grows_with_what_is_kept():
    image = torch.randn(1000)
    kept = []
    assert costs.peak_memory(lambda: kept.append(image.neg()), CPU) == 4000
    three = costs.peak_memory(lambda: [image.neg() for _ in range(3)], CPU)
    assert three == 12_000

    def one_by_one():
        for _ in range(3):
            image.neg()

    assert costs.peak_memory(one_by_one, CPU) == 4000


def test_sides_are_measured_in_turn_and_the_first_call_is_not(monkeypatch):
    calls, now = [], [0.0]

    def side(name, seconds):
        def work():
            calls.append(name)
            now[0] += seconds

        return work

    for clock in ("monotonic", "perf_counter"):
        monkeypatch.setattr(costs.time, clock, lambda: now[0])
    sides = {"a": side("a", 1.0), "b": side("b", 2.0)}
    taken = costs.time_in_turn(sides, 5.0)
    assert calls == list("ab" + "ab" + "ab")
    assert taken == {"a": [1.0, 1.0], "b": [2.0, 2.0]}
    # Time or no time, there are two.
    assert costs.time_in_turn(sides, 0.0) == taken
