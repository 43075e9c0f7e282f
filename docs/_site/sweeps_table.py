"""What the gain of soft labels depends on, as charts of the results page."""

import math
import statistics
from itertools import pairwise

from forest import plain_table
from plots import Line, chart
from records_table import rows, teacher_percent, verdict_on

from labkd import comparisons, records, verdicts
from labkd.lab import sweeps
from labkd.lab.recipes import RECIPES

MARKER = "<!-- sweeps -->"
ADVICE = "<!-- advice -->"
SIZES = tuple(sweeps.TURNED)
# By axis: what it is called, how its values are written, and whether equal
# steps are equal ratios.
AXES = {
    "training_images": ("Training images", "{:,.0f}", True),
    "epochs": ("Epochs", "{:g}", True),
    "temperature": ("Temperature", "{:g}", True),
    "teacher_weight": ("Teacher weight", "{:g}", False),
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
    """HTML: a chart for each axis at each size that has been recorded."""
    arms = comparisons.arms_by_name(found)
    drawn = [_axis(arms, found, axis, size) for size in SIZES for axis in AXES]
    if not any(drawn):
        return "Nothing has been recorded yet."
    lines = [
        '<div class="charts" data-search-exclude>',
        *filter(None, drawn),
        "</div>",
    ]
    return "\n".join(lines)


def read(arms, axis: str, size: str) -> dict:
    """The points of an axis whose two arms are recorded."""
    return {
        point: arms[point.soft, size]
        for point in sweeps.points(axis, size, RECIPES)
        if (point.soft, size) in arms and arms[point.soft, size].difference
    }


def _axis(arms, found: list[dict], axis: str, size: str) -> str:
    name, shape, _ = AXES[axis]
    points = read(arms, axis, size)
    if len(points) < 2:
        return ""
    cells = _cells(arms, found, points, shape)
    told = _crossing(points, shape)
    if any(row[-1] == verdicts.NOT_TESTED for row in cells):
        told = "Not every point is a test: its teacher is too weak."
    runs = list(next(iter(points.values())).records)
    about = f"At size {size}, {records.data_of(runs[0])}"
    if teacher := teacher_percent(found, runs):
        about += f", the teacher {teacher} % right"
    anchor = axis.removeprefix("training_").removeprefix("teacher_")
    anchor += "" if size == "laptop" else f"-{size}"
    return "\n".join(
        [
            f'<figure class="chart"><h3 id="{anchor}">{name}</h3>',
            _drawing(arms, points, axis),
            f"<figcaption>{told} {about}.</figcaption>",
            "<details><summary>The numbers</summary>",
            plain_table(f"{name}, the numbers", (name, *HEAD), cells),
            "</details></figure>",
        ]
    )


def _drawing(arms, points: dict, axis: str) -> str:
    name, shape, by_ratio = AXES[axis]
    soft = list(points.values())
    scratch = [arms[point.scratch, arm.size] for point, arm in points.items()]
    ahead = Line(
        "ahead",
        "soft",
        [arm.difference.mean for arm in soft],
        [arm.difference.half_width for arm in soft],
    )
    return chart(
        [shape.format(point.value) for point in points],
        [math.log2(p.value) if by_ratio else p.value for p in points],
        [
            _line("soft labels", "soft", soft),
            _line("labels alone", "labels", scratch),
        ],
        ahead,
        name.lower(),
    )


def _cells(arms, found, points: dict, shape: str) -> list[list[str]]:
    return [
        [
            shape.format(point.value),
            records.budget_of(arm.records[0]),
            arms[point.scratch, arm.size].spread(
                "accuracy", scale=100, digits=1
            ),
            arm.spread("accuracy", scale=100, digits=1),
            f"{validation(arm):.1f}",
            arm.spread("ece"),
            str(len(arm.records)),
            arm.difference.short,
            verdict_on(arm, found).words,
        ]
        for point, arm in points.items()
    ]


def _line(name: str, kind: str, arms: list[comparisons.Arm]) -> Line:
    scores = [[100 * v for v in arm.scores("accuracy")] for arm in arms]
    return Line(
        name,
        kind,
        [statistics.mean(each) for each in scores],
        [statistics.stdev(each) for each in scores],
    )


def validation(arm: comparisons.Arm) -> float:
    """The mean accuracy on the validation images, at the end, in per cent."""
    return statistics.mean(_validation(arm))


def _validation(arm: comparisons.Arm) -> list[float]:
    return [
        100 * record["epochs"][-1]["validation"]["accuracy"]
        for record in arm.records
    ]


def _crossing(read: dict, shape: str) -> str:
    """Where along the axis the gain turns into a loss, or that it does not."""
    turns = [
        f"between {shape.format(a.value)} and {shape.format(b.value)}"
        for (a, before), (b, after) in pairwise(read.items())
        if before.difference.mean * after.difference.mean < 0
    ]
    if turns:
        return f"The mean gain changes its sign {' and '.join(turns)}."
    lost = any(arm.difference.mean < 0 for arm in read.values())
    found = sum(arm.difference.found for arm in read.values())
    return (
        f"Soft labels are {'behind' if lost else 'ahead'} in the mean at "
        f"every point, and at {found} of {len(read)} the interval excludes "
        "zero."
    )


def advice(found: list[dict]) -> str:
    """Markdown: which temperature and weight our own sweep would choose."""
    arms = comparisons.arms_by_name(found)
    size = next((s for s in SIZES if len(read(arms, "temperature", s)) > 1), 0)
    if not size:
        return "Our own sweep has not been recorded yet."
    lines = []
    for axis in ("temperature", "teacher_weight"):
        lines += [*_choice(axis, read(arms, axis, size)), ""]
    run = arms[sweeps.points("temperature", size, RECIPES)[0].soft, size]
    run = run.records[0]
    lines.append(
        f"Means of a ViT taught by a ResNet-18 that is "
        f"{teacher_percent(found, [run])} % right: {records.data_of(run)}, "
        f"{records.budget_of(run)}."
    )
    return "\n".join(lines)


def _choice(axis: str, points: dict) -> list[str]:
    """The lines of a table: validation accuracy and ECE along an axis."""
    name, shape, _ = AXES[axis]
    best = max(points, key=lambda point: validation(points[point]))
    cells = []
    for point, arm in points.items():
        right = _validation(arm)
        bold = "**" if point == best else ""
        cells.append(
            [
                f"{bold}{shape.format(point.value)}{bold}",
                f"{bold}{statistics.mean(right):.1f} ± "
                f"{statistics.stdev(right):.1f}{bold}",
                f"{statistics.mean(arm.scores('ece')):.3f}",
            ]
        )
    head = (name, "Validation accuracy, %, ± deviation", "ECE, test images")
    return rows(head, cells)
