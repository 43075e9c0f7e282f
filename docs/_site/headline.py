"""The central comparison, in a sentence and a table, from the records.

The home page has a marker where it goes. Nothing here knows how the runs
came out: signs, intervals and what was found are the records'.
"""

import math
import statistics
from html import escape

from records_table import teacher_percent, verdict_on

from labkd import comparisons, records, verdicts
from labkd.inference import (
    PairedDifference,
    area_under_curve,
    crossing,
    paired_difference,
)

MARKER = "<!-- headline -->"
CENTRAL = "soft-vit_from_resnet18-cifar10"
# The largest that has been recorded stands on the page.
SIZES = ("full", "overnight", "laptop")
# In the order of their rows.
LEARNED = {
    ("cross-entropy", False): "the labels alone",
    ("cross-entropy", True): "the labels, with a token (the control)",
    ("doubled", False): "the labels, with twice the loss (a control)",
    ("smoothing", False): "labels as soft as the teacher's (a control)",
    ("permuted", False): "soft labels, wrong classes permuted (a control)",
    ("soft", False): "the teacher's soft labels",
    ("argmax", False): "the teacher's first choices",
    ("token", True): "the teacher's first choices, through a token",
}


def headline(found: list[dict]) -> str:
    """Markdown: the central pair of arms, then every arm beside it."""
    arms = comparisons.arms_by_name(found)
    size = next((s for s in SIZES if (CENTRAL, s) in arms), None)
    central = arms.get((CENTRAL, size))
    if central is None or central.difference is None:
        return "The central comparison has not been recorded yet."
    baseline = arms[central.records[0]["config"]["baseline"], size]
    shown = [baseline] + [
        arm
        for (_, its_size), arm in arms.items()
        if its_size == size
        and arm.difference
        and arm.records[0]["config"]["baseline"] == baseline.recipe
        # Points of a sweep have a table of their own.
        and not arm.records[0]["config"].get("tuned_as")
    ]
    shown.sort(key=lambda arm: list(LEARNED).index(_lesson(arm)))
    told = _sentence(central, baseline, found)
    return "\n".join([told, "", *_table(shown, arms, size, found), ""])


def _lesson(arm: comparisons.Arm) -> tuple[str, bool]:
    config = arm.records[0]["config"]
    return config["objective"], config["distillation_token"]


def _sentence(
    central: comparisons.Arm, baseline: comparisons.Arm, found: list[dict]
) -> str:
    record = central.records[0]
    judged = verdict_on(central, found)
    teacher = teacher_percent(found, list(central.records))
    itself = f" (itself {teacher} % right)" if teacher else ""
    text = (
        f"A Vision Transformer of {record['parameters']:,} parameters, "
        f"trained on {records.data_of(record)}, {records.budget_of(record)}, "
        f"gets {_percent(baseline)} of the test images right when it learns "
        f"from the labels alone, and {_percent(central)} when the soft labels "
        f"of a ResNet-18{itself} are added. Over "
        f"{len(central.records)} paired seeds that is "
        f"{judged.difference.labelled('points')}. "
        f"**{judged.words.capitalize()}**"
    )
    text += (
        f": {judged.reason}."
        if judged.reason
        else f". {_on_the_way(found, baseline.recipe, central.size)}"
    )
    # A line must not end between a number and its unit.
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


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


def _on_the_way(found: list[dict], baseline: str, size: str) -> str:
    pairs = verdicts.pairs_of(found, CENTRAL, baseline, size)
    area, epochs = (paired(pairs, of) for of in (over_the_run, until_level))
    sooner = "a level that some runs never reach"
    if epochs:
        sooner = epochs.labelled("epochs")
        sooner += "" if epochs.found else ", no difference found"
    return (
        "On the way, averaged over the epochs, it is "
        f"{area.labelled('points')} of validation accuracy; until nine tenths "
        f"of where the labels alone end, {sooner}."
    )


def _percent(arm: comparisons.Arm) -> str:
    return f"{100 * statistics.mean(arm.scores('accuracy')):.1f} %"


def _table(
    shown: list[comparisons.Arm],
    arms: dict[tuple[str, str], comparisons.Arm],
    size: str,
    found: list[dict],
) -> list[str]:
    scale = scale_of([arm.difference for arm in shown if arm.difference])
    lines = [
        "| Learned from | Accuracy, %, ± deviation over the seeds | Ahead, "
        "points, ± half of the 95 % interval | Verdict |",
        "|---|---|---|---|",
    ]
    for arm in shown:
        accuracy = arm.spread("accuracy", scale=100, digits=1)
        ahead = words = ""
        if arm.difference:
            ahead = f"{arm.difference.short}{drawn(arm.difference, scale)}"
            words = verdict_on(arm, found).words
        learned = _learned(arm, arms, size)
        lines.append(f"| {learned} | {accuracy} | {ahead} | {words} |")
    return lines


def _learned(
    arm: comparisons.Arm,
    arms: dict[tuple[str, str], comparisons.Arm],
    size: str,
) -> str:
    config = arm.records[0]["config"]
    words = LEARNED[_lesson(arm)]
    teacher = arms.get((config["teacher"], size))
    if teacher:
        # Records older than this field are of all the images.
        its_images = teacher.records[0]["config"].get("training_images", 0)
        if its_images == config["training_images"] != 0:
            words += ", of a teacher that saw these images only"
    return escape(words, quote=False)


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
