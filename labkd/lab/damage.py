r"""
# What a mistake costs

The record of the gallery holds the scores of every
lesson at every learning rate. At which rate should a mistake be judged? At
the best of the right lesson, if somebody had tuned first and erred later; at
its own, if it was there from the start. Either is chosen on the validation
images.
"""

from pathlib import Path

from labkd.figures import STUDENT, Html
from labkd.files import read_made
from labkd.inference import PairedDifference, paired_difference
from labkd.lab.lessons import LESSONS
from labkd.records import RESULTS

COMMAND = "python -m labkd.lab.gallery"
SETTINGS = ("few", "doubtful")
# Beyond these an interval is an arrow: most lie between them.
LOWEST, HIGHEST = -15, 3


def path_of(results: Path = RESULTS) -> Path:
    r"""Where the record is, or would be."""
    return Path(results) / "gallery" / "digits.json"


def read(results: Path = RESULTS) -> dict:
    r"""
    The record.

    Raises `FileNotFoundError` with the command that makes it.
    """
    return read_made(path_of(results), COMMAND)


def chosen(trials: list[dict]) -> dict:
    r"""The trial whose rate is best on the validation images."""
    return max(trials, key=lambda trial: sum(trial["validation"]))


def damage(
    record: dict,
    name: str,
    setting: str,
    *,
    tuned: bool = False,
    score: str = "test",
) -> PairedDifference:
    r"""
    How far a lesson is ahead of the right one, over the same seeds.

    * `name`: of the lesson
    * `setting`: `few` or `doubtful`
    * `tuned`: at its own best rate; else at the right one's
    * `score`: `test`, in points of accuracy, or `nll`, in nats

    Raises `ValueError` for the `nll` of students that are not a number.
    """
    theirs = record["lessons"][LESSONS[name].right][setting]
    right = chosen(theirs)
    ours = record["lessons"][name][setting]
    at_right = [t for t in ours if t["rate"] == right["rate"]]
    values = chosen(ours if tuned else at_right)[score]
    if None in values:
        raise ValueError(f"{name}: students that are not a number")
    return paired_difference(values, right[score])


def by_damage(record: dict) -> list[str]:
    r"""The wrong lessons, the most harmful with doubtful labels first."""
    wrong = [name for name, lesson in LESSONS.items() if lesson.right != name]
    return sorted(
        wrong, key=lambda name: damage(record, name, "doubtful").mean
    )


def harmless(record: dict, name: str) -> bool:
    r"""No interval below zero, in either setting, at either rate."""
    gaps = [
        damage(record, name, setting, tuned=tuned)
        for setting in SETTINGS
        for tuned in (False, True)
    ]
    return all(gap.high >= 0 for gap in gaps)


def picture_of(record: dict, name: str) -> Html:
    r"""What a lesson's mistake does, as a picture for its card."""
    gaps = {s: damage(record, name, s) for s in SETTINGS}
    return picture(record["pulls"][name], gaps)


def picture(pull: dict, gaps: dict[str, PairedDifference]) -> Html:
    r"""
    Loss, gradient and accuracy of a wrong form beside the right one's.

    * `pull`: `loss` and `gradient`, ratios of wrong to right, `angle` in
      degrees; nothing where they are not defined
    * `gaps`: differences in accuracy by setting; none if it cannot change

    Returns a drawing in the colour of the text around it.
    """
    loss, gradient, angle = (pull[k] for k in ("loss", "gradient", "angle"))
    loss_text = "not a number" if loss is None else f"{loss:.2g} ×"
    gradient_text = f"{gradient:.2g} ×, {angle:.0f}°"
    told = [f"{setting} {gap.short}" for setting, gap in gaps.items()]
    label = (
        f"Loss {loss_text}, gradient {gradient_text}, accuracy "
        f"{', '.join(told) or 'unchanged'}"
    )
    texts = [
        '<text y="10">loss</text><text x="100" y="10">gradient</text>',
        '<text x="194" y="10">accuracy, points</text>',
        f'<text y="62">{loss_text}</text>',
        f'<text x="100" y="62">{gradient_text}</text>',
        *(
            f'<text x="194" y="{24 + 28 * k}">{text}</text>'
            for k, text in enumerate(told or ["unchanged"])
        ),
    ]
    length = 0 if loss is None else _clip(36 * loss, -8, 88)
    wrong = [
        f'<path d="M0 34h{length}"/>',
        _arrow(min(36 * gradient, 36), angle),
        *(_interval(gap, 30 + 28 * k) for k, gap in enumerate(gaps.values())),
    ]
    return Html(
        f'<figure class="damage" role="img" aria-label="{label}">'
        '<svg viewBox="-9 0 340 68" width="340" style="max-width: 100%" '
        'fill="none" stroke="currentColor" stroke-width="2" font-size="10.5">'
        f'<g fill="currentColor" stroke="none">{"".join(texts)}</g>'
        '<path d="M0 24h36M125 48h36l-5-3"/>'
        '<path d="M314 16v50" opacity=".4"/>'
        f'<g stroke="{STUDENT}">{"".join(wrong)}</g></svg></figure>'
    )


def _arrow(length: float, angle: float) -> str:
    # Turned about where both gradients start; never too short to be seen.
    tip = f"M0 0h{max(length, 5):.0f}l-5-3"
    turned = f"translate(125 48)rotate({-angle:.0f})"
    return f'<path d="{tip}" transform="{turned}"/>'


def _interval(gap: PairedDifference, y: int) -> str:
    left, middle, right = (
        194 + 120 / -LOWEST * (_clip(x, LOWEST, HIGHEST) - LOWEST)
        for x in (gap.low, gap.mean, gap.high)
    )
    if gap.high < LOWEST:
        return f'<path d="M200 {y - 3}l-5 3l5 3M195 {y}h14"/>'
    line = f"M{left:.0f} {y}H{right:.0f}M{middle:.0f} {y - 3}v6"
    return f'<path d="{line}"/>'


def _clip(value: float, low: float, high: float) -> float:
    return round(min(max(value, low), high), 1)
