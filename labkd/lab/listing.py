r"""
# What there is to run, and what came out

Tables for the command line: the recipes by chapter, with how often each was
recorded and what that cost, and the mean of every comparison.
"""

import statistics
from fnmatch import fnmatch

import pandas as pd

from labkd import records
from labkd.comparisons import arms
from labkd.lab.recipes import CHAPTERS, RECIPES, Recipe
from labkd.records import parts_of
from labkd.verdicts import judge

# What a student learns from, in words.
METHODS = {
    "cross-entropy": "labels",
    "doubled": "labels, the loss twice",
    "soft": "soft labels of {}",
    "permuted": "soft labels of {}, wrong classes permuted",
    "smoothing": "smoothed labels of the entropy of {}",
    "argmax": "decisions of {}",
    "token": "decisions of {}, through a token",
    "decoupled": "decoupled soft labels of {}",
    "standardised": "standardised logits of {}",
    "correlations": "correlations with {}",
    "hint": "hints, then soft labels of {}",
    "attention": "attention maps of {}",
    "relations": "relations between images in {}",
    "mutual": "labels and peers",
    "mutual-ensemble": "labels and the mean of peers",
    "virtual": "a virtual teacher",
}


def describe(name: str, recipe: Recipe) -> str:
    r"""
    What a recipe shows, in words: who learns from what.

    * `name`: of the recipe
    """
    _, student, _ = parts_of(name)
    teacher = parts_of(recipe.teacher)[1] or recipe.teacher
    words = f"{student or recipe.architecture}: "
    words += METHODS[recipe.objective].format(teacher)
    if recipe.distillation_token and recipe.objective != "token":
        words += ", with an idle token"
    return words.replace("_", " ")


def chapter_of(name: str) -> int:
    r"""The chapter that a recipe belongs to: of the first pattern it fits."""
    for number, pattern in CHAPTERS:
        if fnmatch(name, pattern):
            return number
    raise ValueError(f"no chapter for the recipe {name!r}")


def recipes() -> str:
    r"""Every recipe and size, by chapter, as a plain-text table."""
    found = {}
    for record in records.read_all():
        key = record["recipe"], record["size"]
        found.setdefault(key, []).append(record["seconds"] / 60)
    rows = []
    for name in sorted(RECIPES, key=lambda name: (chapter_of(name), name)):
        for size, recipe in RECIPES[name].items():
            minutes = found.get((name, size), [])
            cost = "not recorded yet"
            if minutes:
                cost = f"{statistics.mean(minutes):.1f}"
            rows.append(
                {
                    "chapter": chapter_of(name),
                    "recipe": name,
                    "shows": describe(name, recipe),
                    "data": recipe.dataset,
                    "size": size,
                    "recorded": f"{len(minutes)} of {recipe.seeds}",
                    "minutes a run": cost,
                }
            )
    return _text(rows)


def comparisons(found: list[dict]) -> str:
    r"""
    The mean of every recipe, and what it gains over its baseline.

    * `found`: records, as `records.read_all` gives them

    Returns a plain-text table, a line a recipe and size.
    """
    rows = []
    for arm in arms(found):
        baseline = arm.records[0]["config"].get("baseline", "")
        verdict = ""
        if arm.difference:
            verdict = judge(found, arm.recipe, baseline, arm.size)
        rows.append(
            {
                "recipe": arm.recipe,
                "size": arm.size,
                "data": records.data_of(arm.records[0]),
                "seeds": len(arm.records),
                "accuracy": arm.spread("accuracy", scale=100, digits=1),
                "over": baseline,
                "paired difference in points": str(verdict),
            }
        )
    return _text(rows) + "\naccuracy in %: mean ± standard deviation"


def _text(rows: list[dict]) -> str:
    # Left-aligned, which pandas leaves to its readers.
    table = pd.DataFrame(rows).astype(str)
    widths = {key: table[key].str.len().max() for key in table}
    left = {
        key: lambda cell, width=width: cell.ljust(width)
        for key, width in widths.items()
    }
    text = table.to_string(index=False, justify="left", formatters=left)
    return "\n".join(line.rstrip() for line in text.splitlines())
