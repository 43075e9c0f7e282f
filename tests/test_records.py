"""Records: whole files, true to their recipes, scored by their logits."""

import copy
import json
import subprocess
from dataclasses import asdict
from itertools import product

import pytest
import torch
from safetensors.torch import load_file

from labkd import data, records
from labkd.lab import store
from labkd.lab.outcomes import evaluate
from labkd.lab.recipes import GRIDS, PLAN, find

SHIPPED = records.read_all()
CIFAR10 = [r for r in SHIPPED if r["dataset"] == "cifar10"]
EXAMPLE = {
    "recipe": "teacher-resnet18-cifar10",
    "size": "laptop",
    "seed": 3,
    "dataset": "cifar10",
    "source": "original",
    "config": json.loads(
        json.dumps(asdict(find("teacher-resnet18-cifar10", "laptop")))
    ),
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


def labels_of_cifar10(answers):
    # Test images are sorted by class and evenly many a class.
    return torch.arange(10).repeat_interleave(len(answers) // 10)


def test_there_are_records():
    assert SHIPPED


def by_recipe(value):
    found = {}
    for record in SHIPPED:
        key = record["recipe"], record["size"]
        found.setdefault(key, set()).add(value(record))
    return found


def test_what_is_compared_was_computed_alike():
    used = by_recipe(lambda record: record["precision"])
    for (name, size), precisions in used.items():
        baseline = find(name, size).baseline
        assert len(precisions | used.get((baseline, size), precisions)) == 1


def test_the_seeds_of_a_recipe_had_one_teacher():
    # Older records do not name its weights.
    teachers = by_recipe(lambda r: (r.get("teacher") or {}).get("sha256"))
    assert all(len(weights) == 1 for weights in teachers.values())
    assert any(None not in weights for weights in teachers.values())


# -- What every record that the package ships must keep to ------------------


def key_of(record):
    return record["recipe"], record["size"], record["seed"]


def test_no_shipped_recipe_has_changed_since():
    for record in SHIPPED:
        assert store.differences(record) == [], key_of(record)


def test_every_shipped_record_is_whole_and_in_its_place():
    for record in SHIPPED:
        key = key_of(record)
        assert set(records.FIELDS) <= set(record), key
        assert records.read(*key) == record, key
        assert len(record["epochs"]) == record["config"]["epochs"], key
        assert set(map(str, key)) <= set(record["command"].split()), key
        assert "--set" not in record["command"], key


def test_every_shipped_commit_is_in_the_history():
    git = ["git", "-C", str(records.RESULTS)]
    options = {"capture_output": True, "text": True}
    shallow = subprocess.run(
        [*git, "rev-parse", "--is-shallow-repository"], **options
    )
    # A shallow clone has no history to look in.
    if shallow.stdout.strip() != "false":
        pytest.skip("no whole history of the repository here")
    commits = sorted({record["commit"] for record in SHIPPED})
    found = subprocess.run(
        [*git, "cat-file", "--batch-check=%(objecttype)"],
        input="\n".join(commits) + "\n",
        **options,
    )
    kinds = dict(zip(commits, found.stdout.splitlines(), strict=True))
    assert set(kinds.values()) == {"commit"}, kinds


def test_the_logits_of_first_seeds_have_their_scores():
    first = [r for r in CIFAR10 if r["seed"] == 0]
    for record in first:
        key = key_of(record)
        path = records.path_of(*key).with_suffix(".logits.safetensors")
        logits = load_file(path)
        assert logits["test"].dtype is torch.float16, key
        labels = labels_of_cifar10(logits["test"])
        heads = {"test": record["test"]}
        for head, scores in record.get("heads", {}).items():
            heads[f"test_{head}"] = scores
        for head, scores in heads.items():
            again = evaluate(logits[head].float(), labels)
            assert again == pytest.approx(scores, abs=2e-3), (key, head)
    assert len(first) > 20


def test_the_predictions_of_other_seeds_have_their_accuracy():
    for record in CIFAR10:
        key = key_of(record)
        path = records.path_of(*key).with_suffix(".predictions.safetensors")
        # Older first seeds have their logits instead.
        if record["seed"] == 0 and not path.is_file():
            continue
        predictions = load_file(path)["test"]
        hits = predictions == labels_of_cifar10(predictions)
        accuracy = hits.double().mean().item()
        assert accuracy == pytest.approx(record["test"]["accuracy"]), key


def test_a_changed_recipe_is_noticed():
    assert store.differences(EXAMPLE) == []
    stale = copy.deepcopy(EXAMPLE)
    stale["config"]["learning_rate"] *= 2
    (line,) = store.differences(stale)
    assert line.startswith("learning_rate:")
    missing = copy.deepcopy(EXAMPLE)
    del missing["config"]["width"]
    assert store.differences(missing)[0].startswith("width: None then")
    unknown = EXAMPLE | {"recipe": "gone"}
    assert store.differences(unknown) == ["there is no gone of size laptop"]


def test_another_number_of_seeds_changes_no_run():
    fewer = copy.deepcopy(EXAMPLE)
    fewer["config"]["seeds"] -= 1
    assert store.differences(fewer) == []


def test_a_field_that_is_younger_than_the_record_was_at_its_default():
    older = copy.deepcopy(EXAMPLE)
    del older["config"]["clip_norm"]
    assert store.differences(older) == []


def trial(learning_rate, accuracy):
    config = EXAMPLE["config"] | {"learning_rate": learning_rate}
    last = [{"validation": {"accuracy": accuracy}}]
    return EXAMPLE | {"config": config, "epochs": last}


def test_a_grid_chooses_the_best_rate_on_the_validation_images(tmp_path):
    trials = [trial(0.1, 0.7), trial(0.2, 0.8), trial(0.4, 0.6)]
    path = store.write_grid(trials, tmp_path)
    assert json.loads(path.read_text())["trials"] == trials
    key = EXAMPLE["recipe"], "laptop"
    assert store.tuned(*key, tmp_path).learning_rate == 0.2
    # The grid is no record, and without it the recipe is as written.
    assert records.read_all(tmp_path) == []
    path.unlink()
    assert store.tuned(*key, tmp_path) == find(*key)


def planned(recipe, grid, settings, finals):
    r"""The rates, then at the best of them what else the recipe tries."""
    own = {key: getattr(recipe, g) for g, key in GRIDS.items()}
    own = {key: values for key, values in own.items() if values}
    # What it has no grid for, another recipe's grid has chosen.
    chosen = asdict(store.tuned(grid["recipe"], grid["size"]))
    start = {
        key: getattr(recipe, key) if key in own else chosen[key]
        for key in store.TUNED
    }
    rates = own.pop("learning_rate", ())
    plan = [start | {"learning_rate": rate} for rate in rates]
    if own:
        first = finals[: len(rates)]
        rate = settings[first.index(max(first))][0] if rates else None
        start["learning_rate"] = rate or start["learning_rate"]
        plan += [
            start | dict(zip(own, values, strict=True))
            for values in product(*own.values())
        ]
    return [tuple(each.values()) for each in plan]


@pytest.mark.parametrize(
    "path",
    sorted(records.RESULTS.glob("*/*-grid.json")),
    ids=lambda path: path.parent.name,
)
def test_a_shipped_grid_is_the_recipes_own_and_opened_no_test_image(path):
    grid = json.loads(path.read_text("utf-8"))
    assert path == store.grid_path(grid["recipe"], grid["size"])
    trials = grid["trials"]
    recipe = find(grid["recipe"], grid["size"])
    keys = store.TUNED
    settings = [
        tuple((store.DEFAULTS | trial["config"])[key] for key in keys)
        for trial in trials
    ]
    finals = [t["epochs"][-1]["validation"]["accuracy"] for t in trials]
    assert settings == planned(recipe, grid, settings, finals)
    assert not any("test" in trial for trial in trials)
    best = dict(zip(keys, settings[finals.index(max(finals))], strict=True))
    assert all(grid.get(key, best[key]) == best[key] for key in best)
    today = asdict(recipe)
    chosen = asdict(store.tuned(grid["recipe"], grid["size"]))
    for each in trials:
        # A trial may be older than the plan, but not of another recipe.
        plan = {key: today[key] for key in PLAN}
        same = each["config"] | plan | {key: chosen[key] for key in keys}
        # It may have a part of the budget, as its recipe says.
        assert same["epochs"] == (today["trial_epochs"] or today["epochs"])
        same["epochs"] = today["epochs"]
        assert store.differences(each | {"config": same}) == []


def test_superseded_records_leave_the_pages(tmp_path):
    store.write(EXAMPLE, tmp_path)
    old = EXAMPLE | {"seed": 4, "superseded": "the recipe changed"}
    store.write(old, tmp_path)
    assert [r["seed"] for r in records.read_all(tmp_path)] == [3]


def test_write_and_read_back(tmp_path):
    path = store.write(EXAMPLE, tmp_path)
    assert path == tmp_path / EXAMPLE["recipe"] / "laptop-seed3.json"
    key = EXAMPLE["recipe"], "laptop", 3
    assert records.read(*key, tmp_path) == EXAMPLE


def test_an_incomplete_record_is_refused(tmp_path):
    partial = {k: v for k, v in EXAMPLE.items() if k != "device"}
    with pytest.raises(ValueError, match="lacks device"):
        store.write(partial, tmp_path)
    unscored = EXAMPLE | {"test": {"accuracy": 0.5}}
    with pytest.raises(ValueError, match="nll, ece, brier"):
        store.write(unscored, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_not_a_number_keeps_the_old_record(tmp_path):
    path = store.write(EXAMPLE, tmp_path)
    with pytest.raises(ValueError):
        store.write(EXAMPLE | {"seconds": float("nan")}, tmp_path)
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


def test_data_and_budget_are_told_from_the_record():
    told = records.data_of(EXAMPLE | {"source": "jpeg-q75"})
    assert told == "CIFAR-10 (JPEG copy, quality 75)"
    assert records.data_of(EXAMPLE) == "CIFAR-10 (original)"
    config = {"training_images": 1000, "epochs": 5}
    assert records.budget_of({"config": config}) == "1,000 images, 5 epochs"
    config = {"training_images": 0, "epochs": 5, "repeats": 3}
    told = records.budget_of({"config": config})
    assert told == "all training images, 5 epochs of 3 showings each"
    config = {"dataset": "cifar10", "training_images": 0, "epochs": 5}
    assert records.budget_of({"config": config}) == "45,000 images, 5 epochs"


@pytest.mark.parametrize("name", records.TRAINING_IMAGES)
def test_the_whole_training_split_is_as_large_as_it_is_said_to_be(name):
    try:
        images = data.load(name, "train", download=False)
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    assert len(images) == records.TRAINING_IMAGES[name]


def test_every_shipped_source_has_a_name():
    assert {r["source"] for r in SHIPPED} <= {"original", *records.SOURCES}
