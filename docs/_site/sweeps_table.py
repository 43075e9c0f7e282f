"""What the gain of soft labels depends on, as charts of the results page."""

import math
import statistics
from dataclasses import replace

from forest import plain_table
from plots import Line, chart
from records_table import rows, short, teacher_percent, verdict_on

from labkd import comparisons, records, verdicts
from labkd.inference import paired_difference
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
    told = _told(cells)
    if any(row[-1] == verdicts.NOT_TESTED for row in cells):
        told = "Not every point is a test: its teacher is too weak."
    runs = list(next(iter(points.values())).records)
    about = f"At size {size}, {records.data_of(runs[0])}"
    if teacher := teacher_percent(found, runs):
        about += f", the teacher {teacher} % right"
    if axis == "training_images":
        about += _also_seen(found, runs)
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
    scratch = [_alone(arms, point, arm) for point, arm in points.items()]
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
            _alone(arms, point, arm).spread("accuracy", scale=100, digits=1),
            arm.spread("accuracy", scale=100, digits=1),
            f"{validation(arm):.1f}",
            arm.spread("ece"),
            str(len(arm.records)),
            short(arm.difference),
            verdict_on(arm, found).words,
        ]
        for point, arm in points.items()
    ]


def _alone(arms, point: sweeps.Point, arm) -> comparisons.Arm:
    """The arm on labels alone, of the seeds that the difference is over."""
    scratch = arms[point.scratch, arm.size]
    ours = {record["seed"] for record in arm.records}
    shared = [run for run in scratch.records if run["seed"] in ours]
    return replace(scratch, records=tuple(shared))


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


def _told(cells: list[list[str]]) -> str:
    """At which points soft labels were found ahead, at which behind."""
    phrases = {
        "here: higher": "soft labels are ahead",
        "here: lower": "soft labels are behind",
        "here: no difference found": "no difference was found",
    }
    said = []
    for verdict, phrase in phrases.items():
        values = [value for value, *_, judged in cells if judged == verdict]
        *others, last = values or [""]
        where = f"{', '.join(others)} and {last}" if others else last
        if len(values) == len(cells):
            where = "every point"
        if values:
            said.append(f"at {where} {phrase}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _also_seen(found: list[dict], runs: list[dict]) -> str:
    """What few images are confounded with: a teacher that saw more."""
    teachers = verdicts.teachers_of(found, runs)
    if not teachers:
        return ""
    config = teachers[0]["config"]
    images = (
        config.get("training_images")
        or records.TRAINING_IMAGES[config["dataset"]]
    )
    return (
        f". The teacher learned from {images:,} images: the fewer its student "
        "has, the more of them are the teacher's alone. So two causes are "
        "mixed: few images, and a teacher that saw more"
    )


def advice(found: list[dict]) -> str:
    """Markdown: which temperature and weight our own sweep would choose."""
    arms = comparisons.arms_by_name(found)
    size = next((s for s in SIZES if len(read(arms, "temperature", s)) > 1), 0)
    if not size:
        return "Our own sweep has not been recorded yet."
    lines, leads, first = [], False, {}
    for axis in ("temperature", "teacher_weight"):
        points = read(arms, axis, size)
        best = _leader(points)
        lines += [*_choice(axis, points, best), ""]
        leads = leads or best is not None
        first[axis] = next(iter(points.values()))
    lines.append(
        "In bold: ahead of the next best, in paired seeds."
        if leads
        else "No value was found to be ahead of the next best in paired seeds."
    )
    seeds = first["temperature"].records
    run, fixed = seeds[0], first["teacher_weight"].records[0]["config"]
    lines.append(
        f"Means of {len(seeds)} seeds of a ViT taught by a ResNet-18 "
        f"that is {teacher_percent(found, [run])} % right: "
        f"{records.data_of(run)}, {records.budget_of(run)}; above with "
        f"$w = {run['config']['teacher_weight']:g}$, below with "
        f"$T = {fixed['temperature']:g}$."
    )
    return "\n".join(lines)


def _leader(points: dict) -> sweeps.Point | None:
    """The best point on validation, if its lead over the next is found."""
    best, second = sorted(
        points, key=lambda point: validation(points[point]), reverse=True
    )[:2]
    lead = paired_difference(
        _validation(points[best]), _validation(points[second])
    )
    return best if lead.low > 0 else None


def _choice(axis: str, points: dict, best) -> list[str]:
    """The lines of a table: validation accuracy and ECE along an axis."""
    name, shape, _ = AXES[axis]
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
