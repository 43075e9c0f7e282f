"""What distillation buys: a row a comparison, drawn from the records.

The home page has a marker where it goes. Nothing here knows how the runs
came out: means, intervals and verdicts are the records'.
"""

import math
import statistics

from records_table import (
    baseline_epochs,
    compared,
    teacher_percent,
    verdict_on,
)

from labkd import comparisons, records, verdicts
from labkd.inference import (
    PairedDifference,
    area_under_curve,
    crossing,
    paired_difference,
)

MARKER = "<!-- headline -->"
CENTRAL = "soft-vit_from_resnet18-cifar10"
# The largest that has three pairs stands on the page, else the largest: the
# interval of two pairs is 12.7 standard errors long to each side.
SIZES = ("full", "overnight", "laptop")
FEWEST_PAIRS = 3
# Networks by their names in recipes; how large they are stands beside them.
# The students that see less than their teacher are those of 28 x 28 pixels.
NETWORKS = {
    "vit": "ViT",
    "resnet18": "ResNet-18",
    "resnet18_10k": "ResNet-18 trained on the same images",
    "resnet18_4500": "ResNet-18 with a tenth of the labels",
    "resnet18_half": "ResNet-18 that sees 14 x 14 of the 28 x 28 pixels",
    "resnet18_narrow": "ResNet-18",
    "resnet18_quarter": "ResNet-18 that sees 7 x 7 of the 28 x 28 pixels",
    "resnet50": "ResNet-50",
    "resnet50_long": "ResNet-50, trained for longer",
    "small_cnn": "small CNN",
    "large_cnn": "large CNN",
}
# A ResNet's channels after its stem, as published, and how ours are fewer.
USUAL_WIDTH = 64
NARROWER = {2: "half as wide", 4: "a quarter as wide", 8: "an eighth as wide"}
# Records of networks that are alike in these are of equally large ones.
SHAPE = ("dataset", "architecture", "width", "depth", "patch_size")


def headline(found: list[dict]) -> str:
    """HTML: each pair of networks, and how far its soft labels went."""
    arms = pairs_of_networks(found)
    tested = [a for a in arms if verdict_on(a, found).reason == ""]
    if not tested:
        return "No comparison has been recorded yet."
    tested.sort(key=lambda arm: -arm.difference.mean)
    scale = scale_of([arm.difference for arm in tested])
    rows = [_row(arm, found, scale) for arm in tested]
    axis = f'<li class="axis" aria-hidden="true">{_axis(scale)}</li>'
    told = _legend(len(arms) - len(tested))
    return "\n".join([told, "", '<ul class="gains">', *rows, axis, "</ul>"])


def pairs_of_networks(found: list[dict]) -> list[comparisons.Arm]:
    """Students of soft labels beside the same students of labels alone.

    One arm a student, teacher and data set: the largest recorded. The points
    of a sweep, shorter runs than the baseline's, and the rehearsal on digits
    are left to the tables.
    """
    largest: dict[str, comparisons.Arm] = {}
    for arm in compared(found):
        config = arm.records[0]["config"]
        soft = records.parts_of(arm.recipe)[0] == "soft"
        rehearsed = config.get("dataset") == "digits"
        if not soft or rehearsed:
            continue
        if config["epochs"] != baseline_epochs(arm, found):
            continue
        known = largest.get(arm.recipe)
        if not known or rank(arm) > rank(known):
            largest[arm.recipe] = arm
    return list(largest.values())


def rank(arm: comparisons.Arm) -> tuple[bool, int]:
    """The higher, the sooner an arm is shown among those of its recipe."""
    return len(arm.records) >= FEWEST_PAIRS, -SIZES.index(arm.size)


def sentence(found: list[dict]) -> str:
    """The central comparison, in one sentence of Markdown."""
    (arm,) = [a for a in pairs_of_networks(found) if a.recipe == CENTRAL]
    record = arm.records[0]
    baseline, taught = _means(arm)
    (teacher,) = verdicts.teachers_of(found, [record])
    return (
        f"A Vision Transformer of {parameters(record, found):,} parameters "
        f"gets {baseline:.1f} % of the test images right with labels alone, "
        f"and {taught:.1f} % with the soft labels of a ResNet-18 of "
        f"{parameters(teacher, found):,} (itself "
        f"{teacher_percent(found, [record])} %): "
        f"{arm.difference.labelled('points')}, over {len(arm.records)} "
        f"paired seeds on {records.data_of(record)}, "
        f"{records.budget_of(record)}."
    )


def _means(arm: comparisons.Arm) -> tuple[float, float]:
    """Test accuracy in per cent with labels alone, and taught."""
    taught = 100 * statistics.mean(arm.scores("accuracy"))
    return taught - arm.difference.mean, taught


def _row(arm: comparisons.Arm, found: list[dict], scale) -> str:
    _, student, teacher = records.parts_of(arm.recipe)
    run = arm.records[0]
    baseline, taught = _means(arm)
    (its_teacher,) = verdicts.teachers_of(found, [run])
    finding = "" if arm.difference.found else " No difference found."
    return (
        f"<li><p><b>{_capital(_network(student))}</b> "
        f"({_how_large(run, found)}), taught by a "
        f"<b>{_network(teacher)}</b> ({_how_large(its_teacher, found)})</p>"
        f"<p><strong>{arm.difference.short}</strong></p>"
        f"{drawn(arm.difference, scale)}"
        f"<p>Student: {records.data_of(run)}, {records.budget_of(run)}; "
        f"{len(arm.records)} pairs of runs. "
        f"Labels alone {baseline:.1f}\u00a0%, taught {taught:.1f}\u00a0%, "
        f"teacher {teacher_percent(found, [run])}\u00a0%.{finding}</p></li>"
    )


def _network(name: str) -> str:
    return NETWORKS.get(name, name)


def parameters(run: dict, found: list[dict]) -> int:
    """How many the network of a run has; old records do not count them."""
    counted = [run, *(other for other in found if _alike(run, other))]
    return next(r["parameters"] for r in counted if r.get("parameters"))


def _alike(run: dict, other: dict) -> bool:
    # An old record has no settings that its kind of network does not use.
    ours, theirs = run["config"], other["config"]
    return all(ours[key] == theirs.get(key) for key in SHAPE if key in ours)


def _how_large(run: dict, found: list[dict]) -> str:
    """A ResNet's width if narrow, a ViT's patches, anyone's parameters."""
    millions = f"{parameters(run, found) / 1e6:.2g}\u00a0M"
    config = run["config"]
    side = config.get("patch_size")
    if config.get("architecture") == "vit" and side:
        return f"patches of {side} by {side}, {millions}"
    width = config.get("width", USUAL_WIDTH)
    if "resnet" not in config.get("architecture", "") or width == USUAL_WIDTH:
        return millions
    narrower = NARROWER.get(USUAL_WIDTH / width, f"width {width}")
    return f"{narrower}, {millions}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _axis(scale: tuple[float, float]) -> str:
    low, high = scale
    ticks = range(math.ceil(low), math.floor(high) + 1)
    return "".join(
        f'<span style="left:{100 * (tick - low) / (high - low):.1f}%">'
        f"{f'{tick:+d}' if tick else 0}</span>"
        for tick in ticks
    )


def _legend(untested: int) -> str:
    text = (
        "What a student gains in test accuracy when a teacher's soft labels "
        "are added, against the same student with labels alone: the mean "
        "difference of runs with equal seeds, in percentage points, ± half "
        "of its 95 % interval. Differences were taken before rounding. In "
        "brackets: a ResNet's width relative to the published one's, a ViT's "
        "patches in pixels, and parameters in millions. Where a pair of "
        "networks was recorded with several budgets, the largest with at "
        "least three pairs of runs is shown; Results has the others, sweeps, "
        "shorter trainings and a rehearsal on digits too."
    )
    if untested:
        text += (
            f" Left out too: {untested} comparisons whose teacher is not "
            "clearly better than its student."
        )
    return text


def curve_of(run: dict) -> list[float]:
    """The validation accuracy after each epoch, in per cent."""
    return [100 * e["validation"]["accuracy"] for e in run["epochs"]]


def until_level(ours: dict, theirs: dict) -> tuple[float, float]:
    """Epochs of both runs until nine tenths of where the second one ends."""
    level = 0.9 * curve_of(theirs)[-1]
    return tuple(crossing(curve_of(run), level) for run in (ours, theirs))


def over_the_run(ours: dict, theirs: dict) -> tuple[float, float]:
    """Both runs' mean validation accuracy from the first epoch to the last."""
    return tuple(area_under_curve(curve_of(run)) for run in (ours, theirs))


def paired(pairs, of) -> PairedDifference | None:
    """The difference of what a function finds in pairs of runs.

    Nothing where one of them never reaches its level.
    """
    found = list(zip(*(of(*pair) for pair in pairs), strict=True))
    if any(math.isnan(value) for values in found for value in values):
        return None
    return paired_difference(*found)


def scale_of(
    differences: list[PairedDifference],
) -> tuple[float, float]:
    """What the intervals of a table span, zero included, and a little more."""
    reach = [end for each in differences for end in (each.low, each.high)]
    low, high = min(0.0, *reach), max(0.0, *reach)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def drawn(difference: PairedDifference, scale: tuple[float, float]) -> str:
    """An interval as a picture, on the scale of its table."""
    # The numbers stand beside it: nothing here is for a screen reader.
    low, high = scale

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.1f}%"

    start, end = difference.low, difference.high
    return (
        '<span class="interval" aria-hidden="true">'
        f'<span class="zero" style="left:{place(0.0)}"></span>'
        f'<span class="reach" style="left:{place(start)};'
        f'width:{place(end - start + low)}"></span>'
        f'<span class="mean" style="left:{place(difference.mean)}"></span>'
        "</span>"
    )
