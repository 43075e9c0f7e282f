"""Records: whole files, true to their recipes, scored by their logits."""

import copy
import json
import subprocess

import pytest
import torch
from safetensors.torch import load_file

from labkd import records
from labkd.experiments import evaluate
from labkd.recipes import find

SHIPPED = records.read_all()
EXAMPLE = {
    "recipe": "teacher-resnet18-cifar10",
    "size": "laptop",
    "seed": 3,
    "dataset": "cifar10",
    "source": "original",
    "config": records.asdict(find("teacher-resnet18-cifar10", "laptop")),
    "epochs": [],
    "test": {"accuracy": 0.5, "nll": 1.0, "ece": 0.1, "brier": 0.7},
    "seconds": 1.0,
    "device": "a device",
    "precision": "float32",
    "versions": {},
    "commit": "0" * 40,
    "date": "2026-01-01",
    "command": "a command",
}


def test_there_are_records():
    assert SHIPPED


@pytest.mark.parametrize(
    "record", SHIPPED, ids=lambda r: f"{r['recipe']}-{r['size']}-{r['seed']}"
)
class TestShipped:
    """What every record that the package ships must keep to."""

    def test_its_recipe_has_not_changed_since(self, record):
        assert records.differences(record) == []

    def test_it_is_whole_and_in_its_place(self, record):
        assert set(records.FIELDS) <= set(record)
        key = record["recipe"], record["size"], record["seed"]
        assert records.read(*key) == record
        assert len(record["epochs"]) == record["config"]["epochs"]

    def test_its_command_names_it(self, record):
        for word in (record["recipe"], record["size"], str(record["seed"])):
            assert word in record["command"].split()
        assert "--set" not in record["command"]

    def test_its_commit_is_in_the_history(self, record):
        # A shallow clone has no history to look in.
        git = ["git", "-C", str(records.RESULTS)]
        shallow = subprocess.run(
            [*git, "rev-parse", "--is-shallow-repository"],
            capture_output=True,
            text=True,
        )
        if shallow.stdout.strip() != "false":
            pytest.skip("no whole history of the repository here")
        kind = subprocess.run(
            [*git, "cat-file", "-t", record["commit"]],
            capture_output=True,
            text=True,
        )
        assert kind.stdout.strip() == "commit", record["commit"]

    def test_its_logits_have_its_scores(self, record):
        key = record["recipe"], record["size"], record["seed"]
        path = records.path_of(*key).with_suffix(".logits.safetensors")
        logits = load_file(path)
        test = logits["test"]
        assert test.dtype is torch.float16
        # Test images are sorted by class and evenly many a class.
        images, classes = test.shape
        labels = torch.arange(classes).repeat_interleave(images // classes)
        again = evaluate(test.float(), labels)
        for score, value in record["test"].items():
            assert again[score] == pytest.approx(value, abs=2e-3), score


def test_a_changed_recipe_is_noticed():
    assert records.differences(EXAMPLE) == []
    stale = copy.deepcopy(EXAMPLE)
    stale["config"]["learning_rate"] *= 2
    (line,) = records.differences(stale)
    assert line.startswith("learning_rate:")
    missing = copy.deepcopy(EXAMPLE)
    del missing["config"]["width"]
    assert records.differences(missing)[0].startswith("width: None then")
    unknown = EXAMPLE | {"recipe": "gone"}
    assert records.differences(unknown) == ["there is no gone of size laptop"]


def test_superseded_records_leave_the_pages(tmp_path):
    records.write(EXAMPLE, tmp_path)
    old = EXAMPLE | {"seed": 4, "superseded": "the recipe changed"}
    records.write(old, tmp_path)
    assert [r["seed"] for r in records.read_all(tmp_path)] == [3]


def test_write_and_read_back(tmp_path):
    path = records.write(EXAMPLE, tmp_path)
    assert path == tmp_path / EXAMPLE["recipe"] / "laptop-seed3.json"
    key = EXAMPLE["recipe"], "laptop", 3
    assert records.read(*key, tmp_path) == EXAMPLE


def test_an_incomplete_record_is_refused(tmp_path):
    partial = {k: v for k, v in EXAMPLE.items() if k != "device"}
    with pytest.raises(ValueError, match="lacks device"):
        records.write(partial, tmp_path)
    unscored = EXAMPLE | {"test": {"accuracy": 0.5}}
    with pytest.raises(ValueError, match="nll, ece, brier"):
        records.write(unscored, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_not_a_number_keeps_the_old_record(tmp_path):
    path = records.write(EXAMPLE, tmp_path)
    with pytest.raises(ValueError):
        records.write(EXAMPLE | {"seconds": float("nan")}, tmp_path)
    assert json.loads(path.read_text()) == EXAMPLE
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_missing_record_names_its_command(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="run gone --size laptop --seed 1"
    ):
        records.read("gone", "laptop", 1, tmp_path)


def test_the_table_has_a_line_a_record():
    lines = records.table([EXAMPLE, EXAMPLE]).splitlines()
    assert len(lines) == 3
    assert "0.5000" in lines[1] and lines[0].startswith("recipe")
