r"""
# Writing records

What a run leaves, whole or not at all; the grids that its settings were
chosen from; and whether a record still stands for the recipe of its name.
Reading is in [records](../records.py).
"""

import json
import math
import statistics
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path

from labkd.files import atomic_write, read_json, reading
from labkd.lab.recipes import GRIDS, RECIPES, Recipe, find
from labkd.records import DAMAGED, RESULTS, check, path_of

# What a grid may choose.
TUNED = tuple(GRIDS.values())
DEFAULTS = {
    field.name: list(field.default)
    if isinstance(field.default, tuple)
    else field.default
    for field in fields(Recipe)
    if field.default is not MISSING
}


def grid_path(recipe: str, size: str, results: Path = RESULTS) -> Path:
    r"""Where the trials of a recipe's learning rates are, or would be."""
    return Path(results) / recipe / f"{size}-grid.json"


def grids_of(
    recipe: str, size: str, results: Path = RESULTS
) -> tuple[Path, ...]:
    r"""
    The grids that tune a recipe: that of `tuned_as`, then its own.

    Raises `ValueError` for a name or a size that does not exist.
    """
    found = find(recipe, size)
    names = [found.tuned_as] * bool(found.tuned_as)
    names += [recipe] * any(getattr(found, grid) for grid in GRIDS)
    return tuple(grid_path(name, size, results) for name in names)


def tuned(recipe: str, size: str, results: Path = RESULTS) -> Recipe:
    r"""
    A recipe with what its grids chose, as far as they were recorded.

    Raises `ValueError` for a name or a size that does not exist.
    """
    found = find(recipe, size)
    for name in filter(None, (found.tuned_as, recipe)):
        path = grid_path(name, size, results)
        if not path.is_file():
            continue
        grid = read_json(path)
        with reading(path, DAMAGED):
            float(grid["learning_rate"])
            chosen = {k: float(grid[k]) for k in TUNED if k in grid}
            for key, value in chosen.items():
                if not 0 < value < math.inf:
                    raise ValueError(f"{key} is {value}")
            found = replace(found, **chosen)
    return found


def write_grid(trials: list[dict], results: Path) -> Path:
    r"""
    Write the trials of a recipe; the best on the validation images is chosen.

    * `trials`: records without a score on test images
    """
    first = trials[0]
    key = {"recipe": first["recipe"], "size": first["size"]}
    grid = {**key, **best(trials), "trials": trials}
    return write_whole(grid, grid_path(*key.values(), results))


def best(trials: list[dict]) -> dict[str, float]:
    r"""
    The settings with the highest mean accuracy on the validation images.

    * `trials`: records, one or more a setting, each of another seed

    Returns the learning rate, and of `TUNED` what differs between trials.
    """
    scores = {}
    for trial in trials:
        # A field younger than the trial was, then, at its default.
        config = DEFAULTS | trial["config"]
        settings = tuple(config[key] for key in TUNED)
        accuracy = trial["epochs"][-1]["validation"]["accuracy"]
        scores.setdefault(settings, []).append(accuracy)
    chosen = max(
        scores, key=lambda settings: statistics.mean(scores[settings])
    )
    varied = zip(*scores, strict=True)
    return {
        key: value
        for key, value, values in zip(TUNED, chosen, varied, strict=True)
        if key == TUNED[0] or len(set(values)) > 1
    }


def write(record: dict, results: Path) -> Path:
    r"""
    Write a record, whole or not at all.

    Raises `ValueError` when a field or a score is missing.
    """
    check(record)
    key = record["recipe"], record["size"], record["seed"]
    return write_whole(record, path_of(*key, results))


def write_whole(content: dict, path: Path) -> Path:
    r"""
    Write a dictionary as JSON, whole or not at all.

    * `content`: of plain values
    * `path`: replaced when all is written

    Returns the path. Raises `ValueError` for a number that is none, `OSError`
    when it cannot be written.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    with atomic_write(path) as part:
        part.write_text(text, "utf-8")
    return path


def differences(record: dict) -> list[str]:
    r"""
    In what a record's recipe differs from the recipe of today.

    How many seeds are planned is left out: it says nothing of one of them.

    Returns one line a difference: none means that the record still stands
    for the recipe whose name it has.
    """
    if record["size"] not in RECIPES.get(record["recipe"], {}):
        return [f"there is no {record['recipe']} of size {record['size']}"]
    today = _as_read(asdict(tuned(record["recipe"], record["size"])))
    # A field younger than the record was, then, at its default.
    then = DEFAULTS | _as_read(record["config"])
    return [
        f"{key}: {then.get(key)!r} then, {today.get(key)!r} today"
        for key in sorted((today.keys() | then.keys()) - {"seeds"})
        if then.get(key) != today.get(key)
    ]


def _as_read(config: dict) -> dict:
    return json.loads(json.dumps(config))
