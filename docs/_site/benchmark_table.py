"""How fast the loop is, as tables of the page of benchmarks."""

import math

from records_table import rows

from labkd.files import read_json
from labkd.lab.recipes import find
from labkd.records import RESULTS

SIZES = ("laptop", "full")
TEACHER = "teacher-resnet18-cifar10"
STUDENT = "soft-vit_from_resnet18-cifar10"
GOAL = 0.94
# What each ratio says, in the order of the page.
MEANING = {
    "ours / customary": "our loop, in units of the usual one",
    "ours / bare": "the share of the time that goes into learning",
    "labels / recorded": "a step with the table, in units of one with labels",
    "labels / live": "a step with a teacher that is asked each time",
}
SPEEDS = (
    "Size",
    "Ratio",
    "What it says",
    "Median",
    "Range",
    "Images a second",
)
TIMES = ("Size", "Device", "Best on validation", "94 % after")
COSTS = ("Size", "Live", "Table", "Views", "Epochs", "The table pays from")


def path_of(size: str):
    """Where the benchmark of a size is kept."""
    return RESULTS / "benchmark" / f"{size}.json"


def speeds(found: list[dict]) -> str:
    """Markdown: the ratios at each size that was measured, and on what."""
    cells, told, reports = [], [], _reports()
    for size, report in reports.items():
        for name, meaning in MEANING.items():
            cells.append(
                [f"`{size}`", name, meaning, *_measured(report, name)]
            )
        told.append(_circumstances(size, report))
    return "\n".join([*_rows(SPEEDS, cells), *told, *_missing(reports)])


def times(found: list[dict]) -> str:
    """Markdown: how long each recorded teacher took to the goal."""
    cells = [
        [
            f"`{record['size']}`",
            record["device"],
            f"{max(map(_accuracy, record['epochs'])):.1%}",
            _time_to(record),
        ]
        for record in found
        if record["recipe"] == TEACHER
    ]
    recorded = {r["size"] for r in found if r["recipe"] == TEACHER}
    return "\n".join([*_rows(TIMES, cells), *_missing(recorded)])


def costs(found: list[dict]) -> str:
    """Markdown: what a teacher costs in each step, asked or looked up."""
    cells, reports = [], _reports()
    for size, report in reports.items():
        recipe = find(STUDENT, size)
        views = 2 * (2 * recipe.padding + 1) ** 2
        runs = math.floor(views / recipe.epochs) + 1
        cells.append(
            [
                f"`{size}`",
                *(
                    f"{report['comparisons'][name]['ratio']:.2f}"
                    for name in ("labels / live", "labels / recorded")
                ),
                str(views),
                str(recipe.epochs),
                f"run {runs}",
            ]
        )
    return "\n".join([*_rows(COSTS, cells), *_missing(reports)])


WRITTEN = {
    "<!-- speeds -->": speeds,
    "<!-- times -->": times,
    "<!-- costs -->": costs,
}


def _rows(head: tuple, cells: list) -> list[str]:
    return [*rows(head, cells), ""] if cells else []


def _reports() -> dict[str, dict]:
    return {
        size: read_json(path_of(size))
        for size in SIZES
        if path_of(size).is_file()
    }


def _measured(report: dict, name: str) -> list[str]:
    found = report["comparisons"][name]
    rates = ", ".join(
        f"{side} {rate:,.0f}"
        for side, rate in found["images_per_second"].items()
    )
    return [
        f"{found['ratio']:.2f}",
        f"{found['lowest']:.2f} to {found['highest']:.2f}",
        rates,
    ]


def _circumstances(size: str, report: dict) -> str:
    rounds = [c["rounds"] for c in report["comparisons"].values()]
    return (
        f"`{size}`: {report['device']}, {report['precision']}, batches of "
        f"{report['batch_size']}, {report['workers']} workers of the usual "
        f"loop, {min(rounds)} to {max(rounds)} pairs of rounds, PyTorch "
        f"{report['versions']['torch']}, {report['date']}, commit "
        f"`{report['commit'][:7]}`; `{report['command']}`.\n"
    )


def _missing(recorded) -> list[str]:
    absent = [f"`{size}`" for size in SIZES if size not in recorded]
    if not absent:
        return []
    return [f"Not recorded yet: {' and '.join(absent)}.", ""]


def _accuracy(epoch: dict) -> float:
    return epoch["validation"]["accuracy"]


def _time_to(record: dict) -> str:
    seconds = 0.0
    for epoch in record["epochs"]:
        seconds += epoch["seconds"]
        if _accuracy(epoch) >= GOAL:
            return f"{seconds:,.0f} s of training, epoch {epoch['epoch']}"
    return f"not reached in {seconds:,.0f} s, {len(record['epochs'])} epochs"
