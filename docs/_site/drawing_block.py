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
import torch
from safetensors.torch import load_file
from soft_labels import written
from torch import nn

from labkd.lab import drawing

MARKER = "<!-- widget: draw a seven -->"
ASSET = "assets/drawing-digits.safetensors"
# A column each, by its name in the record and among the weights.
COLUMNS = {
    "teacher": "Teacher",
    "labels": "Student taught by labels",
    "soft": "Student taught by the teacher",
}
FIRST = 7


def networks() -> dict[str, nn.Module]:
    """The networks whose weights travel with the page."""
    weights = load_file(drawing.weights_in())
    students = {name: drawing.new_student(0) for name in ("labels", "soft")}
    found = {"teacher": drawing.new_teacher(), **students}
    for name, network in found.items():
        network.load_state_dict(
            {
                key.removeprefix(f"{name}."): value
                for key, value in weights.items()
                if key.startswith(f"{name}.")
            }
        )
    return found


@torch.no_grad()
def doubtful(teacher: nn.Module) -> torch.Tensor:
    """A test image a class: right, and the one the teacher is least sure of.

    Returns uint8 in 0 .. 16, shape (classes, 64).
    """
    images, labels = drawing.split_of("test")
    p, chosen = teacher(images).softmax(1).max(1)
    p[chosen != labels] = torch.inf
    found = []
    for label in range(10):
        members = (labels == label).nonzero().flatten()
        found.append(images[members[p[members].argmin()]])
    return (16 * torch.stack(found)).round().flatten(1).to(torch.uint8)


@cache
def block() -> str:
    """The HTML that takes the marker's place, one line."""
    record = json.loads(drawing.path_of().read_text("utf-8"))
    readers = networks()
    examples = doubtful(readers["teacher"])
    image = examples[FIRST].reshape(1, 1, 8, 8) / 16
    with torch.no_grad():
        answers = [r(image).softmax(1)[0].tolist() for r in readers.values()]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(written=written, spread=_spread)
    html = environment.get_template("drawing_block.html.j2").render(
        data=json.dumps(
            {
                "ink": round(record["ink"]),
                # A digit of base 17 a pixel.
                "examples": [
                    "".join(map(_sign, e)) for e in examples.tolist()
                ],
            },
            separators=(",", ":"),
        ),
        first=FIRST,
        pixels=examples[FIRST].tolist(),
        heads=[(name, _right(record[key])) for key, name in COLUMNS.items()],
        rows=list(zip(*answers, strict=True)),
        record=record,
    )
    return "".join(line.strip() + " " for line in html.splitlines()).strip()


def _sign(value: int) -> str:
    return "0123456789abcdefg"[value]


def _spread(scores: list[float]) -> str:
    mean, deviation = statistics.mean(scores), statistics.stdev(scores)
    return f"{mean:.1f} ± {deviation:.1f}\N{NO-BREAK SPACE}%"


def _right(scores: dict) -> str:
    """Of the network that is shown: that of the first seed."""
    validation = scores["validation"]
    shown = validation[0] if isinstance(validation, list) else validation
    return f"{shown:.0f}\N{NO-BREAK SPACE}%"
