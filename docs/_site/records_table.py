"""What the results page shows of all records: by method, and run by run."""

import re
import statistics
from datetime import date
from html import escape
from itertools import groupby
from pathlib import Path

import words
from forest import Group, Row, forest
from plots import Interval

from labkd import comparisons, records, verdicts
from labkd.inference import PairedDifference
from labkd.lab import sweeps
from labkd.lab.recipes import RECIPES, SIZES

MADE = "<!-- made -->"
METHODS = "<!-- methods -->"
MARKER = "<!-- records -->"
CSV = "runs.csv"
METHOD_HEAD = (
    "Learned from",
    "Seeds",
    "Teacher, %",
    "Accuracy, %, ± deviation",
    "Ahead, points",
    "Here",
)
COLUMNS = (
    "Run",
    "Data",
    "Images and epochs",
    "Size",
    "Seed",
    "Teacher, %",
    "Accuracy, %",
    "NLL",
    "ECE",
    "Brier",
    "Time",
    "Record",
)
NUMBERS = COLUMNS[4:11]


def read(results: Path) -> dict[str, dict]:
    """The records that count, by their path under `results`."""
    return {
        records.path_of(r["recipe"], r["size"], r["seed"], results)
        .relative_to(results)
        .as_posix(): r
        for r in records.read_all(results)
    }


def grids(results: Path) -> list[str]:
    """The recorded grids of learning rates, as paths under `results`."""
    found = sorted(results.glob("*/*-grid.json"))
    return [path.relative_to(results).as_posix() for path in found]


def made(found: list[dict]) -> str:
    """Sentences: what distillation bought, and how many records there are."""
    if not found:
        return "No run has been recorded yet."
    recipes = {record["recipe"] for record in found}
    data = sorted({records.data_of(record) for record in found})
    devices = sorted({record["device"].split(",")[0] for record in found})
    return (
        f"{bought(found)}\n\n"
        f"**{len(found)} runs of {len(recipes)} recipes**, recorded "
        f"{when(found)}, on {' and '.join(devices)}. "
        f"Their images: {', '.join(data)}."
    ).lstrip()


def bought(found: list[dict]) -> str:
    """A sentence: what soft labels gained, sweeps and weak teachers aside."""
    tested, higher, lower = 0, [], []
    for arm in compared(found):
        judged = verdict_on(arm, found)
        soft = records.parts_of(arm.recipe)[0] == "soft"
        if soft and not judged.reason:
            tested += 1
            if judged.difference.found:
                gain = judged.difference.mean
                (higher if gain > 0 else lower).append(gain)
    if not higher:
        return ""
    gains = " to ".join(
        f"{gain:.1f}" for gain in sorted({min(higher), max(higher)})
    )
    return (
        "**What distillation bought.** With soft labels of a clearly better "
        f"teacher, students ended higher in {len(higher)} of {tested} "
        "comparisons with the same student on labels alone, by "
        f"{gains} points of accuracy; lower in {len(lower) or 'none'}. Each "
        "is below, in *Method by method*."
    )


def short(difference: PairedDifference) -> str:
    """`+1.2 ± 0.5`; what is rounded to zero has no sign."""
    return re.sub(r"^\+(?=0\.0 )", "", difference.short)


def when(found: list[dict]) -> str:
    """`from 21 to 26 November 2026`, say."""
    days = sorted(record["date"] for record in found)
    first, last = (date.fromisoformat(days[end][:10]) for end in (0, -1))
    if first == last:
        return f"on {last.day} {last:%B %Y}"
    start = str(first.day)
    if (first.year, first.month) != (last.year, last.month):
        start += f" {first:%B}" + f" {first:%Y}" * (first.year != last.year)
    return f"from {start} to {last.day} {last:%B %Y}"


def by_method(found: list[dict]) -> str:
    """HTML: what each recipe gains on its baseline, by student and budget."""
    arms = comparisons.arms_by_name(found)
    groups = []
    for (_, _, baseline, size), ours in groupby(compared(found), _group_of):
        known = arms[baseline, size]
        run = known.records[0]
        heading = (
            f"{words.student(run, sized=True)}; "
            f"{words.data(run)}, {records.budget_of(run)} ({size}). Labels "
            f"alone: {known.spread('accuracy', scale=100, digits=1)} % "
            f"({len(known.records)} seeds)"
        )
        rows = [_method(arm, found) for arm in ours]
        groups.append(Group(heading, rows))
    caption = (
        "What each method gains on labels alone: accuracy on the test images "
        "as mean ± standard deviation over the seeds, and the paired "
        "difference ± half of its 95 % interval."
    )
    drawn = forest(caption, METHOD_HEAD, groups, one_scale=True)
    # Nobody searches for a row, and every visit loads what can be found.
    return f"<div data-search-exclude>\n{drawn}\n</div>"


def compared(found: list[dict]) -> list[comparisons.Arm]:
    """What stands beside its baseline here, by group: sweeps are charts."""
    swept = charted()
    arms = [
        arm
        for arm in comparisons.arms(found)
        if arm.difference and (arm.recipe, arm.size) not in swept
    ]
    return sorted(arms, key=_group_of)


def charted() -> set[tuple[str, str]]:
    """Recipe and size of each point of a sweep: sweeps have their charts."""
    points = {
        (point.soft, size)
        for axis in (*sweeps.STUDENTS, *sweeps.TURNS)
        for size in sweeps.TURNED
        for point in sweeps.points(axis, size, RECIPES)
    }
    # Where the axes meet stands the pair itself.
    return {(name, size) for name, size in points if name != sweeps.SOFT}


def _group_of(arm: comparisons.Arm) -> tuple:
    baseline = arm.records[0]["config"]["baseline"]
    size = -SIZES.index(arm.size)
    return arm.records[0]["dataset"], size, baseline, arm.size


def _method(arm: comparisons.Arm, found: list[dict]) -> Row:
    judged = verdict_on(arm, found)
    run, ahead = arm.records[0], arm.difference
    taught = words.teacher(run)
    name = words.lesson(run) + (f", from a {taught}" if taught else "")
    if settings := words.settings(run):
        name += f", {settings}"
    if run["config"]["epochs"] != baseline_epochs(arm, found):
        name += f", {run['config']['epochs']} epochs"
    finding = judged.words.removeprefix("here: ")
    if judged.reason:
        finding += f"<br><small>{judged.reason}</small>"
    return Row(
        f"{escape(name, quote=False)}<br><small><code>{arm.recipe}</code>"
        "</small>",
        (
            str(len(arm.records)),
            teacher_percent(found, list(arm.records)) or "none",
            arm.spread("accuracy", scale=100, digits=1),
        ),
        short(ahead),
        Interval(ahead.mean, ahead.low, ahead.high, not judged.reason),
        finding,
    )


def baseline_epochs(arm: comparisons.Arm, found: list[dict]) -> int:
    """How long the arm's baseline trains."""
    baseline = arm.records[0]["config"]["baseline"]
    return verdicts.runs_of(found, baseline, arm.size)[0]["config"]["epochs"]


def verdict_on(arm: comparisons.Arm, known: list[dict]) -> verdicts.Verdict:
    """The verdict on an arm against its baseline."""
    baseline = arm.records[0]["config"]["baseline"]
    return verdicts.judge(known, arm.recipe, baseline, arm.size)


def teacher_percent(known: list[dict], runs: list[dict]) -> str:
    """The test accuracy of the teachers that runs asked, if it is recorded."""
    right = [t["test"]["accuracy"] for t in verdicts.teachers_of(known, runs)]
    return f"{100 * statistics.mean(right):.1f}" if right else ""


def table(found: dict[str, dict], grids: list[str], base: str) -> str:
    """HTML: every run, ready for the script that filters and sorts.

    `base` leads from the page to the records.
    """
    if not found:
        return "No run has been recorded yet."
    known = list(found.values())
    head = "".join(
        f'<th scope="col"{_number(name)}>{name}</th>' for name in COLUMNS
    )
    lines = [
        f'<p><a href="{base}{CSV}" download>Download all runs as CSV</a></p>',
        '<div class="find" hidden><label>Find <input type="search" '
        'placeholder="soft vit t = 3"></label> '
        '<output aria-live="polite"></output></div>',
        '<div class="all-runs" role="region" tabindex="0" '
        'aria-label="All runs" data-search-exclude>',
        f'<table class="runs"><thead><tr>{head}</tr></thead><tbody>',
        *(_line(name, run, known, base) for name, run in found.items()),
        "</tbody></table></div>",
    ]
    if grids:
        names = ", ".join(
            f'<a href="{base}{grid}">{grid}</a>' for grid in grids
        )
        lines.append(
            "<details><summary>The grids that settings were chosen from"
            f"</summary><p>{names}</p></details>"
        )
    return "\n".join(lines)


def _number(name: str) -> str:
    return ' class="number"' if name in NUMBERS else ""


def _line(name: str, run: dict, known: list[dict], base: str) -> str:
    test, seconds = run["test"], run["seconds"]
    cells = [
        words.data(run),
        records.budget_of(run),
        run["size"],
        run["seed"],
        teacher_percent(known, [run]),
        f"{100 * test['accuracy']:.2f}",
        *(f"{test[score]:.3f}" for score in ("nll", "ece", "brier")),
        _time(seconds),
    ]
    shown = "".join(
        f"<td{_number(column)}{_value(column, seconds)}>"
        f"{escape(str(cell), quote=False)}</td>"
        for column, cell in zip(COLUMNS[1:], cells, strict=False)
    )
    title = escape(words.whole(run), quote=False)
    return (
        f'<tr><th scope="row">{title}<br><small><code>{run["recipe"]}</code>'
        f'</small></th>{shown}<td><a href="{base}{name}">JSON</a></td></tr>'
    )


def _value(column: str, seconds: float) -> str:
    # By these a column of times is sorted.
    return f' data-value="{seconds}"' if column == "Time" else ""


def csv(results: Path) -> str:
    """`records.load_runs` as a file, with each recipe in words."""
    runs = records.load_runs(results)
    if len(runs):
        known = records.read_all(results)
        runs.insert(0, "name", [words.whole(run) for run in known])
        for key in ("epochs", "temperature", "teacher_weight"):
            runs[key] = [run["config"].get(key) for run in known]
        runs["training_images"] = [
            run["config"].get("training_images", 0) for run in known
        ]
        runs["date"] = [run["date"] for run in known]
    return runs.to_csv(index=False)


def rows(head, cells) -> list[str]:
    """The lines of a Markdown table: a heading, and a list of cells a row."""
    lines = [head, ["---"] * len(head), *cells]
    # A bar would end the cell.
    return [
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |"
        for line in lines
    ]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
