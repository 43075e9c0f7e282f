"""Costs: of today's models, written whole."""

import json

import pytest
import torch

from labkd import costs, records
from labkd.costs import multiply_adds, size_of
from labkd.lab import cost_record
from labkd.lab.recipes import find

CPU = torch.device("cpu")
SHIPPED = sorted((records.RESULTS / "costs").glob("*.json"))


def test_the_summary_is_the_median_of_an_image():
    found = cost_record._summary([0.4, 0.1, 0.2, 0.3, 5.0], batch=10)
    assert found["milliseconds"] == pytest.approx(30.0)
    assert found["quartiles"] == pytest.approx([20.0, 40.0])
    assert found["passes"] == 5


def run(capsys, *arguments):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        status = cost_record.main(list(arguments))
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
    monkeypatch.setattr(cost_record, "BATCHES", (1, 3))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = ["--size", "overnight", "--seconds", "0"]
    status, out, err = run(capsys, *words, "--results", str(tmp_path))
    assert (status, err) == (0, "")
    path = costs.path_of("overnight", tmp_path)
    assert out == f"{path}\n" and list(path.parent.iterdir()) == [path]
    # It is not a run, and no grid of runs.
    assert records.read_all(tmp_path) == []
    assert list(tmp_path.glob("*/*-grid.json")) == []
    record = costs.read("overnight", tmp_path)
    for key in ("device", "precision", "versions", "commit", "date"):
        assert record[key]
    assert record["threads"] == 1
    # The command makes the same file in its usual place.
    command = ["python", "-m", "labkd.lab.cost_record", *words]
    assert record["command"].split() == command
    teacher, student = (record["models"][name] for name in cost_record.MODELS)
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
    for name, model in cost_record._models(path.stem, CPU).items():
        kept = shipped["models"][name]
        counted = size_of(model)
        counted["multiply_adds"] = multiply_adds(model, image)
        assert counted.items() <= kept.items()
        assert kept["recipe"] == cost_record.MODELS[name]
        assert set(kept["batches"]) == {"1", "128"}


def test_there_are_shipped_costs_of_both_sizes_that_are_recorded():
    shipped = {path.stem for path in SHIPPED}
    assert {"laptop", "overnight"} <= shipped


def test_every_student_of_cifar10_costs_as_much():
    # The arms differ in what they learn from, and not in the network.
    shape = "architecture width patch_size depth heads mlp_ratio".split()
    first = find(cost_record.MODELS["student"], "laptop")
    for name in ("soft-vit_from_resnet18", "argmax-vit_from_resnet18"):
        other = find(f"{name}-cifar10", "laptop")
        assert all(getattr(other, k) == getattr(first, k) for k in shape)


def test_missing_costs_name_their_command(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="full.json; python -m labkd.lab.cost_record --size full makes",
    ):
        costs.read("full", tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seconds nan", "--seconds must be finite"),
        ("--seconds -1", "--seconds must be finite"),
        ("--seconds long", "invalid float value: 'long'"),
        ("--frobnicate", "unrecognized arguments: --frobnicate"),
    ],
)
def test_a_mistake_costs_one_line(capsys, words, said):
    status, out, err = run(capsys, *words.split())
    assert (status, out) == (2, "")
    assert err.startswith("labkd.lab.cost_record: ") and said in err
    assert err.count("\n") == 1
