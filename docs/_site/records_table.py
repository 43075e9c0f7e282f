"""The tables of all records that a page shows in place of its marker."""

import statistics
from pathlib import Path

from labkd import comparisons, records, verdicts

MARKER = "<!-- records -->"
ARMS = (
    "Recipe",
    "Size",
    "Seeds",
    "Data and budget",
    "Its teacher, %",
    "Accuracy, %, ± deviation",
    "NLL, ± deviation",
    "ECE, ± deviation",
    "Brier, ± deviation",
    "Ahead of its baseline, points, ± half of the 95 % interval",
    "Verdict",
)
COLUMNS = (
    "Recipe",
    "Size",
    "Seed",
    "Data",
    "Accuracy",
    "NLL",
    "ECE",
    "Brier",
    "Time",
    "Device",
    "Record",
)


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


def table(found: dict[str, dict], grids: list[str]) -> str:
    """Markdown: the arms, the single runs, the commands that repeat them."""
    if not found:
        return "No run has been recorded yet."
    known = list(found.values())
    lines = rows(ARMS, [_arm(a, known) for a in comparisons.arms(known)])
    # Nobody searches for a row, and every visit loads what can be found.
    lines += ["", "## Every run", ""]
    lines += ['//// html | section[data-search-exclude=""]', ""]
    lines += rows(COLUMNS, [_cells(*item) for item in found.items()])
    if grids:
        names = [f"[{grid}](results/{grid})" for grid in grids]
        lines += ["", f"Learning rates were chosen in {', '.join(names)}."]
    commands = [record["command"] for record in found.values()]
    lines += ["", "/// details | Each run again", "", "```bash"]
    return "\n".join([*lines, *commands, "```", "", "///", "", "////", ""])


def _arm(arm: comparisons.Arm, known: list[dict]) -> list[str]:
    runs = list(arm.records)
    ahead = words = ""
    if arm.difference:
        ahead, words = arm.difference.short, verdict_on(arm, known).words
    return [
        f"`{arm.recipe}`",
        arm.size,
        str(len(runs)),
        f"{records.data_of(runs[0])}, {records.budget_of(runs[0])}",
        teacher_percent(known, runs),
        arm.spread("accuracy", scale=100, digits=2),
        *(arm.spread(score) for score in ("nll", "ece", "brier")),
        ahead,
        words,
    ]


def verdict_on(arm: comparisons.Arm, known: list[dict]) -> verdicts.Verdict:
    """The verdict on an arm against its baseline."""
    baseline = arm.records[0]["config"]["baseline"]
    return verdicts.judge(known, arm.recipe, baseline, arm.size)


def teacher_percent(known: list[dict], runs: list[dict]) -> str:
    """The test accuracy of the teachers that runs asked, if it is recorded."""
    right = [t["test"]["accuracy"] for t in verdicts.teachers_of(known, runs)]
    return f"{100 * statistics.mean(right):.1f}" if right else ""


def _cells(name: str, record: dict) -> list[str]:
    test = record["test"]
    return [
        f"`{record['recipe']}`",
        record["size"],
        str(record["seed"]),
        records.data_of(record),
        f"{test['accuracy']:.2%}",
        f"{test['nll']:.3f}",
        f"{test['ece']:.3f}",
        f"{test['brier']:.3f}",
        _time(record["seconds"]),
        record["device"],
        f"[JSON](results/{name})",
    ]


def rows(head, cells) -> list[str]:
    """The lines of a Markdown table: a heading, and a list of cells a row."""
    return [_line(head), _line(["---"] * len(head)), *map(_line, cells)]


def _line(cells) -> str:
    # A bar would end the cell.
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
