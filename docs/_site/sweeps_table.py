"""What the gain of soft labels depends on, as tables of the results page."""

import statistics
from itertools import pairwise

from headline import drawn, scale_of
from records_table import rows, teacher_percent, verdict_on

from labkd import comparisons, records, verdicts
from labkd.lab import sweeps
from labkd.lab.recipes import RECIPES

MARKER = "<!-- sweeps -->"
SIZES = ("laptop", "full")
# By axis: what it is called, and how its values are written.
AXES = {
    "training_images": ("Training images", "{:,.0f}"),
    "epochs": ("Epochs", "{:g}"),
    "temperature": ("Temperature", "{:g}"),
    "teacher_weight": ("Teacher weight", "{:g}"),
}
HEAD = (
    "Budget",
    "Labels alone, %, ± deviation",
    "Soft labels, %, ± deviation",
    "Soft labels, validation, %",
    "Soft labels, ECE, ± deviation",
    "Seeds",
    "Ahead, points, ± half of the 95 % interval",
    "Verdict",
)


def table(found: list[dict]) -> str:
    """Markdown: for each axis and size a table, and where the gain ends."""
    arms = comparisons.arms_by_name(found)
    lines = []
    for axis in AXES:
        lines += [f"### {AXES[axis][0]}", ""]
        for size in SIZES:
            lines += [*_axis(arms, found, axis, size), ""]
    return "\n".join(lines)


def _axis(arms, found: list[dict], axis: str, size: str) -> list[str]:
    name, shape = AXES[axis]
    points = sweeps.points(axis, size, RECIPES)
    read = {
        point: arms[point.soft, size]
        for point in points
        if (point.soft, size) in arms and arms[point.soft, size].difference
    }
    if not read:
        return [f"At size `{size}` nothing has been recorded yet."]
    scale = scale_of([arm.difference for arm in read.values()])
    words = {
        point: verdict_on(arm, found).words for point, arm in read.items()
    }
    cells = [
        [
            shape.format(point.value),
            records.budget_of(arm.records[0]),
            arms[point.scratch, size].spread("accuracy", scale=100, digits=1),
            arm.spread("accuracy", scale=100, digits=1),
            _validation(arm),
            arm.spread("ece"),
            str(len(arm.records)),
            f"{arm.difference.short}{drawn(arm.difference, scale)}",
            words[point],
        ]
        for point, arm in read.items()
    ]
    told = _crossing(read, shape)
    if verdicts.NOT_TESTED in words.values():
        told = "Not every point is a test: its teacher is too weak."
    missing = len(points) - len(read)
    if missing:
        told += f" {missing} of {len(points)} points are not recorded yet."
    runs = list(next(iter(read.values())).records)
    about = f"At size `{size}`, {records.data_of(runs[0])}"
    if teacher := teacher_percent(found, runs):
        about += f", the teacher {teacher} % right"
    return [f"{about}:", "", *rows((name, *HEAD), cells), "", told]


def _validation(arm: comparisons.Arm) -> str:
    values = [
        100 * record["epochs"][-1]["validation"]["accuracy"]
        for record in arm.records
    ]
    return f"{statistics.mean(values):.1f}"


def _crossing(read: dict, shape: str) -> str:
    """Where along the axis the gain turns into a loss, or that it does not."""
    turns = [
        f"between {shape.format(a.value)} and {shape.format(b.value)}"
        for (a, before), (b, after) in pairwise(read.items())
        if before.difference.mean * after.difference.mean < 0
    ]
    if turns:
        return f"The mean changes its sign {' and '.join(turns)}."
    lost = any(arm.difference.mean < 0 for arm in read.values())
    found = sum(arm.difference.found for arm in read.values())
    return (
        "No crossing point: soft labels are "
        f"{'behind' if lost else 'ahead'} in the mean at every point, and at "
        f"{found} of {len(read)} the interval excludes zero."
    )
