r"""
# Records

What a run leaves: one JSON file, `<recipe>/<size>-seed<N>.json`, with the
recipe as it was, every epoch, the scores on the test images, the seconds,
the machine, the versions, the commit and the command that repeats it. The
records of this site are part of the package, so that a notebook anywhere
reads the same ones. Beside each lies what the model predicted for the test
images; beside the first seed's, its logits too, in half precision. A grid,
`<recipe>/<size>-grid.json`, holds the trials that a learning rate was chosen
from, on the validation images alone.
"""

import math
from pathlib import Path

from labkd.extras import needs_extra
from labkd.files import read_json, reading

with needs_extra("course"):
    import pandas as pd

RESULTS = Path(__file__).with_name("results")
FIELDS = (
    "recipe",
    "size",
    "seed",
    "dataset",
    "source",
    "config",
    "epochs",
    "test",
    "seconds",
    "device",
    "precision",
    "versions",
    "commit",
    "date",
    "command",
)
DAMAGED = "delete it and make it anew, or take it from a copy"
SCORES = ("accuracy", "nll", "ece", "brier")
DATASETS = {"cifar10": "CIFAR-10", "fashion-mnist": "Fashion-MNIST"}
SOURCES = {"jpeg-q75": "JPEG copy, quality 75"}
# What `data.load` leaves for training, where a recipe takes all.
TRAINING_IMAGES = {"digits": 1_200, "cifar10": 45_000, "fashion-mnist": 54_000}


def path_of(
    recipe: str, size: str, seed: int, results: Path = RESULTS
) -> Path:
    r"""Where the record of a run is, or would be."""
    return Path(results) / recipe / f"{size}-seed{seed}.json"


def read(recipe: str, size: str, seed: int, results: Path = RESULTS) -> dict:
    r"""
    One record.

    Raises `FileNotFoundError` with the command that makes it when it is not
    there.
    """
    path = path_of(recipe, size, seed, results)
    if not path.is_file():
        raise FileNotFoundError(
            f"no record {path}; python -m labkd run {recipe} --size {size} "
            f"--seed {seed} makes one"
        )
    return _record_in(path)


def read_all(results: Path = RESULTS) -> list[dict]:
    r"""Every record that is not superseded, by recipe, size and seed."""
    # Trials have no score on test images, and are no records.
    found = [
        _record_in(path)
        for path in Path(results).glob("*/*-seed*.json")
        if not path.name.endswith(".trial.json")
    ]
    current = [record for record in found if not record.get("superseded")]
    return sorted(current, key=lambda r: (r["recipe"], r["size"], r["seed"]))


def load_runs(results: Path = RESULTS) -> pd.DataFrame:
    r"""
    The records as a table, a row a run.

    Scores are those of the test images, in 0 .. 1; `teacher_accuracy` is the
    teacher's on the same images, missing where there is no teacher of ours.

    * `results`: the folder of the records; those of the course if left out

    Returns a DataFrame with the columns recipe, method, student, teacher,
    data, source, size, seed, accuracy, nll, ece, brier, teacher_accuracy,
    parameters, seconds, device, commit and command, in the order of recipe,
    size and seed.
    """
    found = read_all(results)
    accuracy = {
        (record["recipe"], record["size"]): record["test"]["accuracy"]
        for record in found
        if record["seed"] == 0
    }
    rows = []
    for record in found:
        method, student, teacher = parts_of(record["recipe"])
        asked = record["config"].get("teacher", ""), record["size"]
        rows.append(
            {
                "recipe": record["recipe"],
                "method": method,
                "student": student,
                "teacher": teacher,
                "data": record["dataset"],
                **{key: record[key] for key in ("source", "size", "seed")},
                **{score: record["test"][score] for score in SCORES},
                "teacher_accuracy": accuracy.get(asked),
                # Old records do not count them.
                "parameters": record.get("parameters"),
                "seconds": record["seconds"],
                **{key: record[key] for key in ("device", "commit")},
                "command": record["command"],
            }
        )
    return pd.DataFrame(rows)


def curves(recipe: str, size: str, results: Path = RESULTS) -> pd.DataFrame:
    r"""
    How the runs of a recipe went, a row an epoch.

    * `recipe`, `size`: which runs, of all seeds

    Returns a DataFrame with the columns recipe, size, seed, epoch, loss (of
    training), seconds (from the start to the end of the epoch), and accuracy,
    nll, ece and brier on the validation images. Raises `FileNotFoundError`
    when there is no such record.
    """
    rows = []
    for record in read_all(results):
        if (record["recipe"], record["size"]) != (recipe, size):
            continue
        seconds = 0.0
        for epoch in record["epochs"]:
            seconds += epoch["seconds"]
            rows.append(
                {
                    **{key: record[key] for key in ("recipe", "size", "seed")},
                    **{key: epoch[key] for key in ("epoch", "loss")},
                    "seconds": seconds,
                    **epoch["validation"],
                }
            )
    if not rows:
        raise FileNotFoundError(
            f"no record of {recipe} at size {size}; python -m labkd run "
            f"{recipe} --size {size} makes one"
        )
    return pd.DataFrame(rows)


def parts_of(recipe: str) -> tuple[str, str, str]:
    r"""
    Method, student and teacher in a recipe's name.

    * `recipe`: `METHOD-STUDENT_from_TEACHER-DATASET`, or without the teacher
    """
    method, _, rest = recipe.partition("-")
    models, _, _ = rest.rpartition("-")
    student, _, teacher = models.partition("_from_")
    return method, student, teacher


def data_of(record: dict) -> str:
    r"""
    The images of a run, and whether they are the original ones.

    `CIFAR-10 (JPEG copy, quality 75)`, say: what stands beside every figure
    and table that is made of a record.
    """
    dataset, source = record["dataset"], record["source"]
    return f"{DATASETS.get(dataset, dataset)} ({SOURCES.get(source, source)})"


def budget_of(record: dict) -> str:
    r"""How many images a run had, and for how long: `10,000 images, ...`."""
    config = record["config"]
    whole = TRAINING_IMAGES.get(config.get("dataset"), 0)
    images = config.get("training_images") or whole
    count = f"{images:,}" if images else "all training"
    text = f"{count} images, {config['epochs']} epochs"
    repeats = config.get("repeats", 1)
    return f"{text} of {repeats} showings each" if repeats > 1 else text


def _record_in(path: Path) -> dict:
    record = read_json(path)
    with reading(path, DAMAGED):
        check(record)
    return record


def check(record: dict) -> None:
    r"""Raises `ValueError` for a record that lacks something or cannot be."""
    missing = [field for field in FIELDS if field not in record]
    missing += [s for s in SCORES if s not in record.get("test", {})]
    if missing:
        raise ValueError(f"the record lacks {', '.join(missing)}")
    scores = {f"test {score}": record["test"][score] for score in SCORES}
    kinds = {
        float | int: scores | {"seconds": record["seconds"]},
        str: {key: record[key] for key in ("recipe", "size", "source")},
        int: {"seed": record["seed"]},
        dict: {"config": record["config"]},
    }
    for kind, values in kinds.items():
        for key, value in values.items():
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"{key} is {value!r}")
    # An escape would change what the terminal shows of it.
    for key in ("recipe", "size", "source"):
        if not record[key].isprintable():
            raise ValueError(f"{key} is {record[key]!r}")
    if not record["config"]:
        raise ValueError("config is empty")
    for key, value in scores.items():
        most = math.inf if key == "test nll" else 2 if "brier" in key else 1
        if not 0 <= value <= most or math.isinf(value):
            raise ValueError(f"{key} is {value!r}")


def table(records: list[dict]) -> str:
    r"""Records as a plain-text table, a line each."""
    rows = [("recipe", "size", "seed", "source", *SCORES, "seconds")]
    for record in records:
        scores = [f"{record['test'][score]:.4f}" for score in SCORES]
        rows.append(
            (
                record["recipe"],
                record["size"],
                str(record["seed"]),
                record["source"],
                *scores,
                f"{record['seconds']:.0f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
