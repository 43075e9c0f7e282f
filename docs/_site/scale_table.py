"""How far the ways to compute agree, as a table of the results page."""

from records_table import rows

from labkd.files import read_json
from labkd.records import RESULTS

MARKER = "<!-- scale -->"
# Read as a file: what makes the record would bring torch into the build.
RECORD = RESULTS / "scale" / "laptop.json"
HEAD = (
    "Way",
    "Loss of any step",
    "Any final weight",
    "Tolerance of the losses",
    "Why",
)


def table() -> str:
    """Markdown: a row a way, and what each number of processes does."""
    record = read_json(RECORD)
    lines = ['//// html | section[data-search-exclude=""]', ""]
    lines += rows(HEAD, map(_way, record["rows"]))
    speeds = "; ".join(map(_speed, record["throughput"]))
    told = (
        f"Images a second, the median of {record['rounds']} measurements "
        f"(the lowest to the highest): {speeds}."
    )
    return "\n".join([*lines, "", told, "", "////"])


def _way(row: dict) -> list[str]:
    keys = ("loss_difference", "weight_difference", "tolerance")
    return [row["setting"], *(_cell(row[key]) for key in keys), row["reason"]]


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.2g}"


def _speed(row: dict) -> str:
    processes, threads = row["processes"], row["threads"]
    who = "1 process" if processes == 1 else f"{processes} processes"
    of = "1 thread" if threads == 1 else f"{threads} threads"
    speed, low, high = (
        f"{row[key]:.0f}" for key in ("images_per_second", "lowest", "highest")
    )
    return f"{who} of {of}, {speed} ({low} to {high})"
