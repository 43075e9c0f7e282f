"""From a name to a record, in processes that may be killed at any moment."""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soak
import torch
import worlds
from PIL import Image
from safetensors.torch import load_file
from tensorboardX.proto.event_pb2 import Event
from warm import ENVIRONMENT, Command

from labkd import records
from labkd.data import load
from labkd.lab.building import build
from labkd.lab.outcomes import evaluate, load_weights
from labkd.lab.recipes import find
from labkd.lab.validate_teacher import sha256_of
from labkd.pixels import Normalise, predict

SCRATCH = "scratch-vit-digits"
SOFT = "soft-vit_from_resnet18-digits"
TEACHER = "teacher-resnet18-digits"
# Stochastic depth draws from torch's own generator: it must go on too.
LONG = "--set epochs=24 --set drop_path=0.2 --set training_images=400".split()
LOGS = itertools.count()


def start(folder, *words):
    return Command(words, folder, folder / f"{next(LOGS)}.log")


def finished(folder, *words, status=0):
    command = start(folder, *words)
    assert command.wait(240) == status, command.output
    assert "Traceback" not in command.output
    return command.output


def start_cold(folder, *words, launcher=()):
    r"""A command as it is typed, with an interpreter of its own."""
    # What is told must leave a process at once without help.
    environment = ENVIRONMENT | {"PYTHONUNBUFFERED": ""}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "labkd", *words],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As at a prompt, even if these tests run in the background of a shell.
        preexec_fn=partial(
            signal.signal, signal.SIGINT, signal.default_int_handler
        ),
    )


def finished_cold(folder, *words, launcher=()):
    process = start_cold(folder, *words, launcher=launcher)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def weights(folder, name, seed=0):
    (path,) = folder.glob(f"runs/{name}/laptop-seed{seed}-*.weights*")
    return path.read_bytes()


def record(folder, name, seed=0):
    return records.read(name, "laptop", seed, folder / "runs")


def assert_same_run(first, second, name):
    assert weights(first, name) == weights(second, name)
    ours, theirs = record(first, name), record(second, name)
    assert ours["test"] == theirs["test"]
    for a, b in zip(ours["epochs"], theirs["epochs"], strict=True):
        assert (a["epoch"], a["loss"]) == (b["epoch"], b["loss"])
        assert a["validation"] == b["validation"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    finished(folder, "run", SOFT, *LONG)
    return folder


def killed(folder, sign, moment, *words):
    r"""Starts a command and kills it a moment after a sign from it."""
    command = start(folder, *words)
    while not re.search(sign, command.output):
        assert command.poll() is None, command.output
        time.sleep(0.002)
    time.sleep(moment)
    command.kill()
    assert command.returncode == -signal.SIGKILL, "it was done before"
    return command.output


def test_a_killed_run_goes_on_to_the_same_bits(undisturbed, tmp_path):
    moments, words = random.Random(0), ["run", SOFT, *LONG]
    # At once, and while it makes ready; in the teacher's epochs; in the
    # student's: in a batch, in the validation, in a checkpoint half written.
    killed(tmp_path, "", moments.uniform(0, 0.05), *words)
    killed(tmp_path, "", moments.uniform(0, 0.3), *words)
    killed(tmp_path, "trained first", moments.uniform(0, 0.1), *words)
    for _ in range(2):
        killed(tmp_path, r"epoch \d/10", moments.uniform(0, 0.1), *words)
    output = killed(tmp_path, "/24", moments.uniform(0, 0.1), *words)
    assert "going on after epoch" in output
    for _ in range(4):
        killed(tmp_path, "/24", moments.uniform(0, 0.1), *words)
    output = finished(tmp_path, *words)
    last = re.search(r"going on after epoch (\d+)\nepoch", output)
    assert 5 <= int(last[1]) < 24
    for name in (TEACHER, SOFT):
        assert_same_run(undisturbed, tmp_path, name)
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_a_run_that_stops_at_every_renaming_comes_to_the_same(tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    for folder in (whole, pieces):
        worlds.write_shades(folder / "shades")
    words = ["run", SOFT, *worlds.SHADES]
    worlds.finished(whole, *words)
    stops, status, renaming = 0, None, Path.replace
    while status != 0:
        # A few files take their places, and the next does not.
        left = iter(range(1 + stops // 3))

        def some(path, target, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return renaming(path, target)

        with patch.object(Path, "replace", some):
            status, _, told = worlds.command(pieces, *words)
        assert status in (0, 130), told
        stops += status == 130
        # The record is what comes last.
        record = pieces / f"runs/{SOFT}/laptop-seed0.json"
        assert record.exists() == (status == 0)
    assert stops > 10
    assert soak.comparable(pieces) == soak.comparable(whole)


def test_minutes_stop_a_run_and_the_same_command_goes_on(
    undisturbed, tmp_path
):
    words, statuses = ["run", SOFT, *LONG], []
    while not statuses or statuses[-1] == 75:
        # No time at all, and every time a little more.
        minutes = len(statuses) / 60
        before = time.monotonic()
        command = start(tmp_path, *words, "--minutes", f"{minutes:.3f}")
        statuses.append(command.wait(240))
        if statuses[-1] == 75:
            assert "time is up" in command.output
            assert "the same command goes on" in command.output
            assert not (
                tmp_path / "runs" / SOFT / "laptop-seed0.json"
            ).exists()
            assert time.monotonic() - before < 60 * minutes + 30
    assert statuses[-1] == 0 and len(statuses) >= 2
    assert_same_run(undisturbed, tmp_path, SOFT)


def test_an_interrupt_leaves_the_old_record(undisturbed, tmp_path):
    old = tmp_path / "runs" / SCRATCH / "laptop-seed0.json"
    old.parent.mkdir(parents=True)
    before = json.dumps(record(undisturbed, SOFT))
    old.write_text(before)
    process = start_cold(tmp_path, "run", SCRATCH, "--set", "epochs=100000")
    while "epoch 1/" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.strip().splitlines()[-1].startswith("labkd: interrupted")
    assert "Traceback" not in output
    assert old.read_text() == before


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distilled")
    settings = "--set epochs=2 --set training_images=100".split()
    live = finished(folder, "run", SOFT, *settings)
    table = finished(folder, "targets", SOFT, *settings)
    tabled = finished(folder, "run", SOFT, *settings, "--seed", "1")
    finished(folder, "run", SOFT, *settings, "--results", "again")
    return folder, live, table, tabled


def test_a_missing_teacher_is_trained_first_and_the_run_says_so(distilled):
    folder, live, _, tabled = distilled
    assert f"{TEACHER} has no weights" in live.splitlines()[0]
    assert TEACHER not in tabled
    # It ends with a table, where the weights are and how to load them.
    told = live.strip().splitlines()
    (title,) = [k for k, line in enumerate(told) if line.startswith("recipe")]
    assert told[title + 1].startswith(SOFT)
    (weights,) = [line for line in told if line.startswith("weights: ")]
    assert (folder / weights.removeprefix("weights: ")).is_file()
    assert record(folder, TEACHER)["teacher"] is None


def test_a_live_teacher_and_its_table_teach_the_same(distilled):
    folder, _, table, _ = distilled
    assert ".table is there" in table
    live = record(folder, SOFT)
    again = records.read(SOFT, "laptop", 0, folder / "again")
    assert live["teacher"] == again["teacher"] | {"asked": "live"}
    assert again["teacher"]["asked"] == "table"
    # To the half precision of the table.
    for a, b in zip(live["epochs"], again["epochs"], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)


def test_a_record_holds_what_its_files_say(distilled):
    folder, *_ = distilled
    found = record(folder, SOFT)
    stem = folder / "runs" / SOFT / "laptop-seed0"
    logits = load_file(f"{stem}.logits.safetensors")
    assert logits["test"].shape == (497, 10)
    assert logits["validation"].shape == (100, 10)
    labels = load("digits", "test").labels
    again = evaluate(logits["test"].float(), labels)
    # In half precision two logits may tie that did not: an image of 497.
    for score, value in found["test"].items():
        assert again[score] == pytest.approx(value, abs=1.01 / 497)
    predictions = load_file(f"{stem}.predictions.safetensors")["test"]
    hits = (predictions == labels).double().mean().item()
    assert hits == found["test"]["accuracy"]
    (teachers,) = (folder / "runs" / TEACHER).glob("*-????????.logits*")
    theirs = load_file(teachers)["test"].argmax(1)
    agreement = (theirs == predictions).double().mean().item()
    assert agreement == pytest.approx(found["agreement"], abs=5e-3)
    # Logits are kept of the first seed, predictions of every one.
    second = folder / "runs" / SOFT / "laptop-seed1"
    assert not second.with_suffix(".logits.safetensors").exists()
    assert second.with_suffix(".predictions.safetensors").exists()


def test_the_weights_are_those_of_the_record(distilled):
    folder, *_ = distilled
    found = record(folder, TEACHER)
    recipe = find(TEACHER, "laptop")
    images = load("digits", "train")
    (path,) = (folder / "runs" / TEACHER).glob("*.weights.safetensors")
    model = load_weights(path, build(recipe, images))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == found["parameters"]
    assert record(folder, SOFT)["teacher"]["sha256"] == sha256_of(model)
    test = load("digits", "test")
    normalise = Normalise.of(images.images)
    scores = evaluate(predict(model, test.images, normalise), test.labels)
    assert scores["accuracy"] == pytest.approx(
        found["test"]["accuracy"], abs=5e-3
    )


def test_both_heads_are_judged_apart(tmp_path):
    settings = "epochs=1 training_images=100 distillation_token=true".split()
    words = [word for s in settings for word in ("--set", s)]
    finished(tmp_path, "run", SCRATCH, *words)
    found = record(tmp_path, SCRATCH)
    assert set(found["heads"]) == {"class", "token"}
    for scores in found["heads"].values():
        assert set(scores) == set(records.SCORES)


def test_a_cohort_is_judged_one_by_one(tmp_path):
    mutual = "objective=mutual cohort=2 teacher_weight=0.5 epochs=8".split()
    settings = [word for s in mutual for word in ("--set", s)]
    finished(tmp_path, "run", SCRATCH, *settings)
    kept = record(tmp_path, SCRATCH)
    assert set(kept["heads"]) == {"student 1"}
    assert kept["heads"]["student 1"] != kept["test"]
    assert kept["test"]["accuracy"] > 0.15
    assert kept["teacher"] is None and "agreement" not in kept


def test_a_folder_of_images_in_two_commands(tmp_path):
    # Shades of red, green and blue, which is all that they have to tell.
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 10)):
        for channel, name in enumerate(("red", "green", "blue")):
            folder = tmp_path / "shades" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 128, (8, 8, 3), np.uint8)
                pixels[..., channel] += 96
                Image.fromarray(pixels).save(folder / f"{number}.png")
    teacher = "teacher-resnet50-cifar10"
    student = "soft-resnet18_from_resnet50-cifar10"
    settings = "dataset=shades width=4 epochs=15".split()
    words = [word for s in settings for word in ("--set", s)]
    finished(tmp_path, "run", teacher, "--set", "dataset=shades")
    output = finished(tmp_path, "run", student, *words)
    # The second command finds the weights of the first.
    assert "trained first" not in output
    kept = record(tmp_path, student)
    assert (kept["dataset"], kept["source"]) == ("shades", "folder")
    assert kept["teacher"]["recipe"] == teacher
    assert kept["test"]["accuracy"] > 0.8
    assert record(tmp_path, teacher)["dataset"] == "shades"


def scalars(file):
    r"""Tag -> values of an event file: each event has a frame of 16 bytes."""
    data, values = file.read_bytes(), {}
    while data:
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        for value in event.summary.value:
            values.setdefault(value.tag, []).append(value.simple_value)
        data = data[16 + length :]
    return values


def test_tensorboard_shows_what_the_record_holds(tmp_path):
    settings = "--set epochs=2 --set training_images=100".split()
    words = ["run", SCRATCH, *settings]
    finished(tmp_path, *words, "--log", "tensorboard")
    kept = record(tmp_path, SCRATCH)
    (file,) = tmp_path.glob(f"runs/{SCRATCH}/*.log/labkd/events.*")
    shown = scalars(file)
    assert shown["loss"] == pytest.approx([e["loss"] for e in kept["epochs"]])
    for score in records.SCORES:
        expected = [e["validation"][score] for e in kept["epochs"]]
        assert shown[f"validation/{score}"] == pytest.approx(expected)
    # Watching changes nothing, and is not part of what repeats the run.
    assert "--log" not in kept["command"]
    finished(tmp_path, *words, "--folder", "again", "--results", "again")
    again = records.read(SCRATCH, "laptop", 0, tmp_path / "again")
    assert again["test"] == kept["test"]
    assert not list(tmp_path.glob("again/**/events.*"))


WANDB = """
import json
class config:
    def update(values, **_): say(config=values)
def say(**what):
    with open("said.jsonl", "a") as file: file.write(json.dumps(what) + "\\n")
def init(**options):
    say(init=options)
    return Run()
class Run:
    def log(self, values, step, **_): say(step=step, **values)
    def finish(self): say(finished=True)
"""


def test_wandb_is_told_the_settings_and_every_epoch(tmp_path):
    # A stand-in with the four calls of the real one, which wants an account.
    (tmp_path / "wandb.py").write_text(WANDB)
    about = tmp_path / "wandb-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: wandb\nVersion: 1.0\n")
    path = os.pathsep.join([ENVIRONMENT["PYTHONPATH"], str(tmp_path)])
    settings = "--set epochs=2 --set training_images=100".split()
    subprocess.run(
        [sys.executable, "-m", "labkd", "run", SCRATCH, *settings]
        + ["--log", "wandb"],
        cwd=tmp_path,
        env=os.environ | ENVIRONMENT | {"PYTHONPATH": path},
        check=True,
    )
    lines = (tmp_path / "said.jsonl").read_text().splitlines()
    opened, told, *epochs, end = map(json.loads, lines)
    assert opened["init"]["project"] == "labkd"
    assert opened["init"]["name"] == f"{SCRATCH}-laptop-seed0"
    assert told["config"]["training_images"] == 100
    kept = record(tmp_path, SCRATCH)
    assert [epoch["step"] for epoch in epochs] == [1, 2]
    assert [e["loss"] for e in epochs] == [e["loss"] for e in kept["epochs"]]
    assert end == {"finished": True}


def test_two_processes_are_one_run(tmp_path):
    launcher = "-m torch.distributed.run --nproc_per_node 2".split()
    settings = "--set epochs=3 --set training_images=200".split()
    words = ["run", SCRATCH, *settings]
    parts = ["--accumulate", "2"]
    output = finished_cold(tmp_path, *words, *parts, launcher=launcher)
    # One of the two tells what happens, and how it ended.
    assert output.count("epoch 1/3") == output.count("recipe ") == 1
    # The group of processes was taken apart; nobody complains.
    assert "destroy_process_group" not in output
    assert "warn" not in output.lower()
    two = record(tmp_path, SCRATCH)
    assert (two["processes"], two["accumulation"]) == (2, 2)
    shared = stored(tmp_path)
    finished(tmp_path, *words, "--results", "one")
    one = records.read(SCRATCH, "laptop", 0, tmp_path / "one")
    assert one["processes"] == 1
    for a, b in zip(one["epochs"], two["epochs"], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
    # To half precision. No output depends on the biases of the keys.
    for key, alone in stored(tmp_path).items():
        if not key.endswith("query_key_value.bias"):
            torch.testing.assert_close(
                shared[key], alone, rtol=2e-3, atol=1e-4
            )
    assert not list(tmp_path.rglob("*.part"))


def stored(folder):
    (path,) = folder.glob(f"runs/{SCRATCH}/*.weights.safetensors")
    return {key: value.float() for key, value in load_file(path).items()}


def test_two_processes_diverge_with_one_voice_and_nobody_hangs(tmp_path):
    # Accelerate's option for several GPUs starts several CPU processes too.
    launcher = "-m accelerate.commands.launch --multi_gpu --num_processes 2"
    launcher += " --num_machines 1 --mixed_precision no --dynamo_backend no"
    launcher += " --main_process_port 0"
    wild = "learning_rate=1e9 optimizer=sgd clip_norm=0 training_images=100"
    settings = [word for s in wild.split() for word in ("--set", s)]
    process = start_cold(
        tmp_path, "run", SCRATCH, *settings, launcher=launcher.split()
    )
    output, _ = process.communicate(timeout=240)
    assert process.returncode != 0
    # Both processes see the loss of the whole batch, in the same step.
    assert output.count("labkd: ") == 1, output
    assert re.search(r"labkd: epoch 1, step \d: the loss is ", output)
    assert not list(tmp_path.rglob("*.checkpoint"))
