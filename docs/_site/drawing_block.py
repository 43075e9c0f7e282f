"""Draw a seven: a canvas, and three networks that answer while one draws.

A page says where by a comment. The networks travel as one file of weights,
which `touch.js` reads when a reader comes near. What stands there before, or
without a script, is an image of the test set.
"""

import json
import statistics
from functools import cache
from pathlib import Path

import jinja2
from soft_labels import written

from labkd.files import read_json
from labkd.records import RESULTS

MARKER = "<!-- widget: draw a seven -->"
ASSET = "assets/drawing-digits.safetensors"
# Read as files: what makes them would bring torch into the build.
RECORD = RESULTS / "drawing" / "digits.json"
WEIGHTS = RESULTS.with_name("weights") / "drawing-digits.safetensors"
# A column each, by its name in the record and among the weights.
COLUMNS = {
    "teacher": "Teacher",
    "labels": "Student taught by labels",
    "soft": "Student taught by the teacher",
}
FIRST = 7


@cache
def block() -> str:
    """The HTML that takes the marker's place, one line."""
    record = read_json(RECORD)
    examples = record["shown"]["examples"]
    answers = record["shown"]["answers"][FIRST]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(written=written, spread=_spread)
    html = environment.get_template("drawing_block.html.j2").render(
        data=json.dumps(
            {
                "ink": round(record["ink"]),
                "examples": examples,
            },
            separators=(",", ":"),
        ),
        first=FIRST,
        # A digit of base 17 a pixel.
        pixels=[int(sign, 17) for sign in examples[FIRST]],
        heads=[(name, _right(record[key])) for key, name in COLUMNS.items()],
        rows=list(zip(*answers, strict=True)),
        record=record,
    )
    return "".join(line.strip() + " " for line in html.splitlines()).strip()


def _spread(scores: list[float]) -> str:
    mean, deviation = statistics.mean(scores), statistics.stdev(scores)
    return f"{mean:.1f} ± {deviation:.1f}\N{NO-BREAK SPACE}%"


def _right(scores: dict) -> str:
    """Of the network that is shown: that of the first seed."""
    validation = scores["validation"]
    shown = validation[0] if isinstance(validation, list) else validation
    return f"{shown:.0f}\N{NO-BREAK SPACE}%"
