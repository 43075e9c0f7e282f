"""Records as tables: what is in the files, and nothing else."""

import json

import pytest

from labkd.records import RESULTS, curves, load_runs, parts_of


@pytest.fixture(scope="module")
def runs():
    return load_runs()


def test_a_row_a_run_with_the_numbers_of_its_file(runs):
    files = list(RESULTS.glob("*/*-seed*.json"))
    kept = [json.loads(file.read_text("utf-8")) for file in files]
    current = [record for record in kept if not record.get("superseded")]
    assert len(runs) == len(current)
    index = runs.set_index(["recipe", "size", "seed"])
    assert index.index.is_unique
    for record in current:
        row = index.loc[record["recipe"], record["size"], record["seed"]]
        for score in ("accuracy", "nll", "ece", "brier"):
            assert row[score] == record["test"][score]
        assert row["source"] == record["source"]
        assert row["command"] == record["command"]


def test_names_have_three_parts():
    assert parts_of("soft-vit_from_resnet18-cifar10") == (
        *("soft", "vit", "resnet18"),
    )
    assert parts_of("scratch-resnet18_half-fashion_mnist") == (
        *("scratch", "resnet18_half", ""),
    )


def test_a_teacher_is_as_good_as_its_own_record_says(runs):
    name = "teacher-resnet18-cifar10"
    (teacher,) = runs[(runs.recipe == name) & (runs["size"] == "laptop")].index
    accuracy = runs.accuracy[teacher]
    taught = runs[(runs.teacher == "resnet18") & (runs["size"] == "laptop")]
    taught = taught[taught.data == "cifar10"]
    assert len(taught) and (taught.teacher_accuracy == accuracy).all()
    assert runs.teacher_accuracy[runs.method == "scratch"].isna().all()


def test_a_row_an_epoch():
    found = curves("scratch-vit-cifar10", "laptop")
    assert len(found) == 5 * 20
    path = RESULTS / "scratch-vit-cifar10" / "laptop-seed3.json"
    epochs = json.loads(path.read_text("utf-8"))["epochs"]
    ours = found[found.seed == 3]
    assert ours.loss.tolist() == [epoch["loss"] for epoch in epochs]
    assert ours.accuracy.tolist() == [
        epoch["validation"]["accuracy"] for epoch in epochs
    ]
    assert ours.seconds.iloc[-1] == pytest.approx(
        sum(epoch["seconds"] for epoch in epochs)
    )


def test_what_was_not_recorded_is_missed():
    with pytest.raises(FileNotFoundError):
        curves("scratch-vit-cifar10", "full")
