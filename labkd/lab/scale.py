r"""
# Scale, measured

`python -m labkd.lab.scale` trains one small network in every
way that a step can be computed, compares losses and
weights with those of one process in single precision, measures what a second
process is worth in throughput, and writes
`scale/laptop.json` among the [records](../labkd/records.py). It is about two
cores of a CPU, whatever else the machine has.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from labkd.files import read_made
from labkd.lab import agreement, engine, throughput
from labkd.lab.outcomes import circumstances
from labkd.lab.store import write_whole
from labkd.records import RESULTS

COMMAND = "python -m labkd.lab.scale"


def path_of(results: Path = RESULTS) -> Path:
    r"""Where the record is, or would be."""
    return Path(results) / "scale" / "laptop.json"


def read(results: Path = RESULTS) -> dict:
    r"""
    The record.

    Raises `FileNotFoundError` with the command that makes it.
    """
    return read_made(path_of(results), COMMAND)


def table(record: dict) -> str:
    r"""The record as a plain-text table, a line a setting and a speed."""
    lines = [f"{'setting':44}{'losses':>10}{'weights':>10}{'bar':>10}"]
    for row in record["rows"]:
        keys = ("loss_difference", "weight_difference", "tolerance")
        cells = [_cell(row[key]) for key in keys]
        lines.append(f"{row['setting']:44}{''.join(cells)}")
    for key in ("throughput", "precision_throughput"):
        for row in record[key]:
            lines.append(
                f"{row['processes']} x {row['threads']} threads, "
                f"{row['precision']}: {row['images_per_second']:.1f} images/s "
                f"({row['lowest']:.1f} to {row['highest']:.1f}), "
                f"{row['processor_milliseconds']:.2f} ms of a core each"
            )
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.2g'):>10}"


def measure(rounds: int) -> dict:
    r"""
    All of it.

    * `rounds`: how often each speed is measured, at least 2

    Returns `rows`, `recipes`, and what `throughput.measure` returns.
    """
    references, rows = {}, []
    for setting in agreement.SETTINGS:
        reference = references.get(setting.model)
        row, found = agreement.row(setting, reference)
        references.setdefault(setting.model, found)
        rows.append(row)
        print(f"{setting.setting}: done", file=sys.stderr, flush=True)
    recipes = {
        model: asdict(agreement.recipe_of(model)) for model in agreement.MODELS
    }
    speeds = engine.together(2, throughput.measure, rounds)
    return {"rows": rows, "recipes": recipes, **speeds}


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"labkd.lab.scale: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    r"""Measure and write; returns the exit status."""
    parser = _OneLine(prog=COMMAND, description="The same, at any scale.")
    parser.add_argument(
        "--rounds", type=int, default=20, help="of every speed, at least 2"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="of the records"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 2:
        parser.error(f"--rounds must be at least 2, got {options.rounds}")
    record = {
        "size": "laptop",
        "steps": agreement.STEPS,
        "seed": agreement.SEED,
        "rounds": options.rounds,
        "threads": 1,
        **measure(options.rounds),
        **circumstances(torch.device("cpu"), False),
        "command": f"{COMMAND} --rounds {options.rounds}",
    }
    try:
        path = write_whole(record, path_of(options.results))
    except OSError as error:
        print(f"labkd.lab.scale: {error}", file=sys.stderr)
        return 2
    print(f"{table(record)}\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
