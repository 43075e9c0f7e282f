"""What a run will take, told before it; one of a teacher of one's own."""

import sys
import time

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from labkd import records
from labkd.data import load
from labkd.lab import dry_run
from labkd.lab.cli import main
from labkd.lab.dry_run import rehearse
from labkd.lab.launching import Run
from labkd.lab.recipes import change, find
from labkd.pixels import Normalise

SOFT = "soft-vit_from_resnet18-digits"
SCRATCH = "scratch-vit-digits"
CODE = """
from torch import nn

def linear(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
"""
OWN = "teacher=by_least_squares:linear teacher_weights=own.safetensors".split()


@pytest.fixture(scope="module")
def weights():
    r"""A linear classifier of the digits, in closed form."""
    digits = load("digits", "train")
    pixels = Normalise.of(digits.images)(digits.images).flatten(1)
    pixels = torch.cat([pixels, torch.ones(len(pixels), 1)], dim=1).double()
    goals = 20 * F.one_hot(digits.labels, 10).double()
    # A little ridge: some pixels are always black.
    squares = pixels.T @ pixels + torch.eye(65, dtype=torch.float64)
    found = torch.linalg.solve(squares, pixels.T @ goals).float()
    return {"1.weight": found[:-1].T.contiguous(), "1.bias": found[-1].clone()}


@pytest.fixture
def folder(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    # Each test imports its own file, and none the compiled one of another.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "by_least_squares", raising=False)
    (tmp_path / "by_least_squares.py").write_text(CODE)
    save_file(weights, tmp_path / "own.safetensors")
    return tmp_path


def words(verb, name, *settings):
    return [verb, name, *(w for s in settings for w in ("--set", s))]


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def run_of(name, folder, *settings, seed=0):
    return Run(
        name=name,
        size="laptop",
        recipe=change(find(name, "laptop"), list(settings)),
        seed=seed,
        command="",
        results=folder / "runs",
        folder=folder / "runs",
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (SCRATCH, ("width=64", "optimizer=sgd")),
        (SCRATCH, ("distillation_token=true", "training_images=300")),
        (SOFT, OWN),
    ],
)
def test_a_dry_run_tells_what_the_run_takes(
    name, settings, folder, monkeypatch
):
    # Seconds of the processor: neighbours on the same machine would slow
    # down one of the two and not the other.
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    settings = (*settings, "epochs=2")
    before = files(folder)
    found = rehearse(run_of(name, folder, *settings))
    assert files(folder) == before
    assert main(words("run", name, *settings)) == 0
    kept = records.read(name, "laptop", 0, folder / "runs")
    assert found["parameters"] == kept["parameters"]
    told = found["seconds_a_step"] * found["steps"]
    # The validation images are shown too, and not counted.
    assert 1 / 3 < told / kept["seconds"] < 2


def test_the_command_writes_nothing_and_says_so(folder, capsys):
    before = files(folder)
    command = words("run", SOFT, *OWN, "batch_size=200")
    command += ["--dry-run", "--minutes", "0", "--log", "tensorboard"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert files(folder) == before
    assert "by_least_squares:linear is right about" in told.splitlines()[0]
    assert "1,200 images to train on, 100 to validate and 497 to test" in told
    assert "of 200 images; 180 steps in 30 epochs" in told


def test_a_folder_that_cannot_be_written_is_refused(folder, monkeypatch):
    # Whoever runs the tests as root may write everywhere.
    closed = folder / "closed"
    closed.mkdir()
    allowed = dry_run.os.access
    monkeypatch.setattr(
        dry_run.os, "access", lambda p, m: p != closed and allowed(p, m)
    )
    run = run_of(SCRATCH, closed / "deeper")
    with pytest.raises(PermissionError, match="closed"):
        rehearse(run)


def test_a_teacher_that_is_not_trained_yet_is_told(folder, capsys):
    before = files(folder)
    found = rehearse(run_of(SOFT, folder, "epochs=1"))
    assert "teacher-resnet18-digits has no weights" in capsys.readouterr().out
    assert found["seconds_a_step"] > 0 and files(folder) == before


def test_what_stops_a_run_stops_a_dry_run(folder, capsys):
    for settings, message in (
        (["patch_size=3"], "patch"),
        (["training_images=5"], "5 training images"),
        ([OWN[0], "teacher_weights=gone"], "no file gone"),
        # Somebody forgot them.
        (OWN[:1], "no better than chance"),
    ):
        # It draws the values that nobody has trained.
        torch.manual_seed(0)
        assert main([*words("run", SOFT, *settings), "--dry-run"]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_ones_own_teacher_teaches_live_and_by_its_table(folder, weights):
    settings = (*OWN, "epochs=2", "training_images=100")
    assert main(words("run", SOFT, *settings)) == 0
    assert main(words("targets", SOFT, *settings)) == 0
    again = [*words("run", SOFT, *settings), "--results", "again"]
    again += ["--again"]
    assert main(again) == 0
    live = records.read(SOFT, "laptop", 0, folder / "runs")
    tabled = records.read(SOFT, "laptop", 0, folder / "again")
    said = live["teacher"]
    assert said | {"asked": "table"} == tabled["teacher"]
    assert (said["asked"], said["own"]) == ("live", "by_least_squares:linear")
    assert said["weights"] == "own.safetensors"
    for a, b in zip(live["epochs"], tabled["epochs"], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
    # What it says of the test images, by its own formula.
    normalise = Normalise.of(load("digits", "train").images)
    pixels = normalise(load("digits", "test").images).flatten(1)
    theirs = pixels @ weights["1.weight"].T + weights["1.bias"]
    (path,) = folder.glob("runs/*/laptop-seed0.predictions.safetensors")
    ours = load_file(path)["test"]
    agreement = (theirs.argmax(1) == ours).double().mean().item()
    assert live["agreement"] == agreement
    # With other weights it is another teacher, and its table another.
    weights = {key: 2 * value for key, value in weights.items()}
    save_file(weights, folder / "own.safetensors")
    assert main(again) == 0
    other = records.read(SOFT, "laptop", 0, folder / "again")["teacher"]
    assert other["asked"] == "live" and other["sha256"] != said["sha256"]
