"""The table of all records that a page shows in place of its marker."""

import json
from pathlib import Path

MARKER = "<!-- records -->"
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
    found = {
        path.relative_to(results).as_posix(): json.loads(
            path.read_text("utf-8")
        )
        for path in sorted(results.glob("*/*.json"))
    }
    return {
        name: record
        for name, record in found.items()
        if not record.get("superseded")
    }


def table(records: dict[str, dict]) -> str:
    """Markdown: a line each, then the commands that repeat the runs."""
    if not records:
        return "No run has been recorded yet."
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(_cells(name, record)) for name, record in records.items()]
    commands = [record["command"] for record in records.values()]
    return "\n".join(
        [*lines, "", "Each run again:", "", "```bash", *commands, "```", ""]
    )


def _cells(name: str, record: dict) -> list[str]:
    test = record["test"]
    return [
        f"`{record['recipe']}`",
        record["size"],
        str(record["seed"]),
        f"{record['dataset']} ({record['source']})",
        f"{test['accuracy']:.2%}",
        f"{test['nll']:.3f}",
        f"{test['ece']:.3f}",
        f"{test['brier']:.3f}",
        _time(record["seconds"]),
        record["device"],
        f"[JSON](results/{name})",
    ]


def _line(cells) -> str:
    # A bar would end the cell.
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
