"""Costs: counted by closed forms, measured in turn, written whole."""

import json

import pytest
import torch
from torch import nn

from labkd import costs, records
from labkd.arms import find
from labkd.resnet import ResNet
from labkd.vit import VisionTransformer

CPU = torch.device("cpu")
SHIPPED = sorted((records.RESULTS / "costs").glob("*.json"))


def test_a_model_weighs_what_is_saved_of_it():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    # 108 + 4 of the convolution, 4 + 4 learned by the norm; 4 + 4 floats
    # and a counter of eight bytes beside them.
    assert costs.weight(model) == {
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
    taken = costs.in_turn(sides, 5.0)
    assert calls == list("ab" + "ab" + "ab")
    assert taken == {"a": [1.0, 1.0], "b": [2.0, 2.0]}
    # Time or no time, there are two.
    assert costs.in_turn(sides, 0.0) == taken


def test_the_summary_is_the_median_of_an_image():
    found = costs._summary([0.4, 0.1, 0.2, 0.3, 5.0], batch=10)
    assert found["milliseconds"] == pytest.approx(30.0)
    assert found["quartiles"] == pytest.approx([20.0, 40.0])
    assert found["passes"] == 5


def run(capsys, *arguments):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        status = costs.main(list(arguments))
    except SystemExit as ending:
        status = ending.code
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_run_leaves_one_whole_file_among_the_records(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(costs, "BATCHES", (1, 3))
    words = ["--size", "laptop", "--seconds", "0", "--results", str(tmp_path)]
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    path = costs.path_of("laptop", tmp_path)
    assert out == f"{path}\n" and list(path.parent.iterdir()) == [path]
    # It is not a run, and no grid of runs.
    assert records.read_all(tmp_path) == []
    assert list(tmp_path.glob("*/*-grid.json")) == []
    record = costs.read("laptop", tmp_path)
    for key in ("device", "precision", "versions", "commit", "date"):
        assert record[key]
    assert record["threads"] == 1
    # The command makes the same file in its usual place.
    expected = "python -m labkd.costs --size laptop --seconds 0.0"
    assert record["command"] == expected
    teacher, student = (record["models"][name] for name in costs.MODELS)
    for model in (teacher, student):
        assert set(model["batches"]) == {"1", "3"}
        for measured in model["batches"].values():
            low, high = measured["quartiles"]
            assert 0 < low <= measured["milliseconds"] <= high
            assert measured["passes"] == 2 and measured["peak_bytes"] > 0
    for cost in ("parameters", "float16_bytes", "multiply_adds"):
        assert teacher[cost] > student[cost]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_costs_are_those_of_todays_models(path):
    shipped = json.loads(path.read_text("utf-8"))
    assert shipped["size"] == path.stem
    image = torch.randn(1, 3, 32, 32)
    for name, model in costs._models(path.stem, CPU).items():
        kept = shipped["models"][name]
        counted = costs.weight(model)
        counted["multiply_adds"] = costs.multiply_adds(model, image)
        assert counted.items() <= kept.items()
        assert kept["recipe"] == costs.MODELS[name]
        assert set(kept["batches"]) == {"1", "128"}


def test_there_are_shipped_costs_of_the_laptop():
    assert costs.path_of("laptop") in SHIPPED


def test_every_student_of_cifar10_costs_as_much():
    # The arms differ in what they learn from, and not in the network.
    shape = "architecture width patch_size depth heads mlp_ratio".split()
    first = find(costs.MODELS["student"], "laptop")
    for name in ("soft-vit_from_resnet18", "argmax-vit_from_resnet18"):
        other = find(f"{name}-cifar10", "laptop")
        assert all(getattr(other, k) == getattr(first, k) for k in shape)


def test_missing_costs_name_their_command(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="labkd.costs --size full makes"
    ):
        costs.read("full", tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seconds nan", "--seconds must be finite"),
        ("--seconds -1", "--seconds must be finite"),
        ("--seconds long", "invalid float value: 'long'"),
        ("--size huge", "invalid choice: 'huge'"),
        ("--frobnicate", "unrecognized arguments: --frobnicate"),
    ],
)
def test_a_mistake_costs_one_line(capsys, words, said):
    status, out, err = run(capsys, *words.split())
    assert (status, out) == (2, "")
    assert err.startswith("labkd.costs: ") and said in err
    assert err.count("\n") == 1
