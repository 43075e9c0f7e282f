r"""
# What a mistake costs

The record of the gallery holds the scores of every
lesson at every learning rate. At which rate should a mistake be judged? At
the best of the right lesson, if somebody had tuned first and erred later; at
its own, if it was there from the start. Either is chosen on the validation
images.
"""

from pathlib import Path

from labkd.figures import Html
from labkd.files import read_made
from labkd.inference import PairedDifference, paired_difference
from labkd.lab.lessons import LESSONS
from labkd.records import RESULTS

COMMAND = "python -m labkd.lab.gallery"
HEAD = (
    "mistake",
    "loss",
    "gradient",
    "angle",
    "few",
    "few, own rate",
    "doubtful",
    "doubtful, own rate",
    "doubtful, NLL",
)


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


def points(gap: PairedDifference, digits: int = 1) -> str:
    r"""A difference as text, with a star where zero is outside."""
    star = " *" if gap.found else ""
    return f"{gap.mean:+.{digits}f} ± {gap.half_width:.{digits}f}{star}"


def pulls(record: dict, name: str) -> list[str]:
    r"""A lesson's ratios of loss and gradient and its angle, as texts."""
    values = record["pulls"][name]
    formats = {"loss": "{:.2g}", "gradient": "{:.2g}", "angle": "{:.0f}°"}
    return [
        "–" if values[key] is None else text.format(values[key])
        for key, text in formats.items()
    ]


def by_damage(record: dict) -> list[str]:
    r"""The wrong lessons, the most harmful with doubtful labels first."""
    wrong = [name for name, lesson in LESSONS.items() if lesson.right != name]
    return sorted(
        wrong, key=lambda name: damage(record, name, "doubtful").mean
    )


def table(record: dict) -> Html:
    r"""All wrong lessons by damage, for a notebook."""
    lines = [_line("th", HEAD)]
    for name in by_damage(record):
        gaps = [
            points(damage(record, name, setting, tuned=tuned))
            for setting in ("few", "doubtful")
            for tuned in (False, True)
        ]
        cells = [name, *pulls(record, name), *gaps, _nll(record, name)]
        lines.append(_line("td", cells))
    return Html(f"<table>{''.join(lines)}</table>")


def _nll(record: dict, name: str) -> str:
    try:
        return points(damage(record, name, "doubtful", score="nll"), 2)
    except ValueError:
        return "–"


def _line(kind: str, cells) -> str:
    row = "".join(f"<{kind}>{cell}</{kind}>" for cell in cells)
    return f"<tr>{row}</tr>"
