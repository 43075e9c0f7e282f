"""The command line, from a name to a record, on the embedded digits."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from labkd import records
from labkd.__main__ import main

NAME = "teacher-resnet18-cifar10"
SMALL = [
    word
    for setting in (
        "dataset=digits",
        "epochs=2",
        "width=4",
        "padding=1",
        "batch_size=64",
        "learning_rate=0.05",
    )
    for word in ("--set", setting)
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_leaves_a_record_logits_and_weights(folder, capsys):
    assert main(["run", NAME, "--seed", "5", *SMALL]) == 0
    assert NAME in capsys.readouterr().out
    record = records.read(NAME, "laptop", 5, folder / "runs")
    assert record["config"]["dataset"] == "digits"
    assert [e["epoch"] for e in record["epochs"]] == [1, 2]
    assert set(record["epochs"][0]["validation"]) == set(records.SCORES)
    assert record["command"].endswith("--seed 5 " + " ".join(SMALL))
    stem = folder / "runs" / NAME / "laptop-seed5"
    logits = load_file(f"{stem}.logits.safetensors")
    assert logits["test"].shape == (497, 10)
    assert logits["validation"].shape == (100, 10)
    weights = load_file(f"{stem}.weights.safetensors")
    assert weights["conv1.weight"].dtype is torch.float16
    assert not list(folder.rglob("*.part"))


def test_a_run_repeats(folder):
    for results in ("first", "second"):
        assert main(["run", NAME, *SMALL, "--results", results]) == 0
    first, second = (
        records.read(NAME, "laptop", 0, folder / results)
        for results in ("first", "second")
    )
    assert first["test"] == second["test"]
    losses = [[e["loss"] for e in r["epochs"]] for r in (first, second)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nothing"], "no recipe 'nothing'"),
        (["run", NAME, "--seed", "-1"], "at least 0, got -1"),
        (["run", NAME, "--set", "epochs=x"], "type int, got 'x'"),
        (["run", NAME, "--set", "dataset=gone"], "no data set 'gone'"),
        (
            [
                *("run", NAME, "--set", "epochs=1"),
                *("--results", str(records.RESULTS)),
            ],
            "leave out --results",
        ),
        (["run", NAME, "--size", "huge"], "huge"),
        (["run", NAME, "--seed", "x"], "x"),
        (["run"], "NAME"),
        ([], "verb"),
        (["dance"], "dance"),
    ],
)
def test_a_mistake_costs_one_line_and_status_2(words, message, folder, capsys):
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code
    error = capsys.readouterr().err
    assert status == 2
    assert message in error and error.startswith("labkd: ")
    assert error.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_list_and_table(capsys):
    assert main(["list"]) == 0
    assert NAME in capsys.readouterr().out
    assert main(["table"]) == 0
    assert NAME in capsys.readouterr().out


def test_an_interrupt_leaves_the_old_record(folder):
    old = folder / "runs" / NAME / "laptop-seed0.json"
    assert main(["run", NAME, *SMALL]) == 0
    before = old.read_bytes()
    command = [sys.executable, "-m", "labkd", "run", NAME, *SMALL]
    # Long enough that it can only end by the signal.
    command += ["--set", "epochs=100000"]
    path = {"PYTHONPATH": str(records.RESULTS.parents[1])}
    running = subprocess.Popen(
        command,
        env=os.environ | path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "epoch 1/" in running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 130
    assert error.strip().splitlines()[-1].startswith("labkd: interrupted")
    assert "Traceback" not in error
    assert old.read_bytes() == before
    assert json.loads(before)["config"]["epochs"] == 2
    assert not list(folder.rglob("*.part"))
