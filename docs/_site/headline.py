"""The central comparison, in a sentence and a table, from the records.

The home page has a marker where it goes. Nothing here knows how the runs
came out: signs, intervals and what was found are the records'.
"""

from html import escape

from labkd import comparisons

MARKER = "<!-- headline -->"
CENTRAL = "soft-vit_from_resnet18-cifar10"
# The largest that has been recorded stands on the page.
SIZES = ("full", "overnight", "laptop")
# In the order of their rows.
LEARNED = {
    ("cross-entropy", False): "the labels alone",
    ("cross-entropy", True): "the labels, with a token (the control)",
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
    return "\n".join(
        [_sentence(central, baseline), "", *_table(shown, arms, size), ""]
    )


def _lesson(arm: comparisons.Arm) -> tuple[str, bool]:
    config = arm.records[0]["config"]
    return config["objective"], config["distillation_token"]


def _sentence(central: comparisons.Arm, baseline: comparisons.Arm) -> str:
    record = central.records[0]
    config = record["config"]
    count = config["training_images"]
    images = f"{count:,}" if count else "all training"
    return (
        f"A Vision Transformer of {record['parameters']:,} parameters, "
        f"trained on {images} images of CIFAR-10, gets "
        f"{_percent(baseline)} of the test "
        "images right when it learns from the labels alone, and "
        f"{_percent(central)} when a "
        "ResNet-18's soft labels are added. The difference over "
        f"{len(central.records)} paired seeds: **{central.difference} "
        "points**, with half the width of its 95 % interval."
    )


def _percent(arm: comparisons.Arm) -> str:
    # A line must not end between a number and its unit.
    text = f"{arm.spread('accuracy', scale=100, digits=1)} %"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _table(
    shown: list[comparisons.Arm],
    arms: dict[tuple[str, str], comparisons.Arm],
    size: str,
) -> list[str]:
    scale = scale_of([arm.difference for arm in shown if arm.difference])
    lines = [
        "| Learned from | Accuracy, % | Ahead, points, with its 95 % "
        "interval |",
        "|---|---|---|",
    ]
    for arm in shown:
        accuracy = arm.spread("accuracy", scale=100, digits=1)
        ahead = ""
        if arm.difference:
            ahead = f"{arm.difference}{drawn(arm.difference, scale)}"
        lines.append(f"| {_learned(arm, arms, size)} | {accuracy} | {ahead} |")
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


def _ends(difference: comparisons.PairedDifference) -> tuple[float, float]:
    width = difference.half_width
    return difference.mean - width, difference.mean + width


def scale_of(
    differences: list[comparisons.PairedDifference],
) -> tuple[float, float]:
    """What the intervals of a table span, zero included, and a little more."""
    reach = [end for each in differences for end in _ends(each)]
    low, high = min(0.0, *reach), max(0.0, *reach)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def drawn(
    difference: comparisons.PairedDifference, scale: tuple[float, float]
) -> str:
    """An interval as a picture, on the scale of its table."""
    # The numbers stand beside it: nothing here is for a screen reader.
    low, high = scale

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.1f}%"

    start, end = _ends(difference)
    return (
        '<span class="interval" aria-hidden="true">'
        f'<span class="zero" style="left:{place(0.0)}"></span>'
        f'<span class="reach" style="left:{place(start)};'
        f'width:{place(end - start + low)}"></span>'
        f'<span class="mean" style="left:{place(difference.mean)}"></span>'
        "</span>"
    )
