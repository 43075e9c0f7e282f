"""Soft labels to touch: a photograph, three networks and a temperature.

A page says where by a comment. The numbers are the recorded logits of the
teacher and of two students for the thumbnails that come with labkd; the
table is whole without a script, and `touch.js` changes it.
"""

import json
import math
from functools import cache
from pathlib import Path

import jinja2
import numpy as np
from headline import parameters
from safetensors.numpy import load_file

from labkd import pictures, records

MARKER = "<!-- widget: soft labels -->"
TEACHER = "teacher-resnet18-cifar10"
# A column each, in this order.
COLUMNS = {
    TEACHER: "Teacher",
    "scratch-vit-cifar10": "Student taught by labels",
    "soft-vit_from_resnet18-cifar10": "Student taught by the teacher",
}
# The largest that is recorded of all three is shown.
SIZES = ("full", "overnight", "laptop")
NETWORKS = {"resnet18": "ResNet-18", "vit": "Vision Transformer"}


def size_shown(results: Path = records.RESULTS) -> str:
    """The largest size of which every network's logits are recorded.

    Raises `FileNotFoundError` when there is none.
    """
    for size in SIZES:
        paths = [records.path_of(name, size, 0, results) for name in COLUMNS]
        logits = [_logits_beside(path) for path in paths]
        if all(path.is_file() for path in paths + logits):
            return size
    raise FileNotFoundError(f"no size has logits of {', '.join(COLUMNS)}")


@cache
def block() -> str:
    """The HTML that takes the marker's place, one line."""
    size = size_shown()
    runs = [records.read(name, size, 0) for name in COLUMNS]
    about = json.loads((pictures.FOLDER / "thumbnails.json").read_text())
    images = [
        image | {"place": _place(number, about["columns"])}
        for number, image in enumerate(about["images"])
    ]
    # All ten are among them, and the data set has them by the alphabet.
    classes = sorted({image["label"] for image in images})
    labels = [classes.index(image["label"]) for image in images]
    logits = _logits(size, [image["test_index"] for image in images])
    first = least_sure(logits[0], labels)
    answers = softmax(logits[:, first])
    spread = np.exp(-(answers * np.log(answers)).sum(1))
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["written"] = written
    html = environment.get_template("soft_labels.html.j2").render(
        images=images,
        classes=classes,
        correct=labels[first],
        first=first,
        beside=classes[int(answers[0].argsort()[-2])],
        outcome=outcome(*(answers[1:].argmax(1) == labels[first])),
        heads=list(zip(COLUMNS.values(), map(_accuracy, runs), strict=True)),
        rows=answers.T.tolist(),
        spread=spread.tolist(),
        data=json.dumps(
            {"labels": labels, "logits": _short(logits)},
            separators=(",", ":"),
        ),
        teacher=_about(runs[0]),
        student=_about(runs[1]),
        temperature=f"{runs[2]['config']['temperature']:g}",
        source=records.data_of(runs[0]),
        credit=about["credit"],
    )
    # To Markdown an empty line would end it.
    return "".join(line.strip() + " " for line in html.splitlines()).strip()


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis; without torch, which takes seconds to import."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def least_sure(logits: np.ndarray, labels: list[int]) -> int:
    """Which image to begin with: right, and with the most to say.

    Of the images that the teacher gets right, the one to whose label it
    gives the least. The students are not asked.
    """
    p = softmax(logits)[np.arange(len(labels)), labels]
    p[logits.argmax(1) != labels] = math.inf
    return int(p.argmin())


def outcome(by_labels: bool, by_teacher: bool) -> str:
    """Which of the two students are right about an image."""
    if by_labels == by_teacher:
        return f"Both students are {'right' if by_labels else 'wrong'}."
    right = "labels" if by_labels else "the teacher"
    return f"The student taught by {right} is right, the other one is wrong."


def written(p: float) -> str:
    """A probability in three digits, as `touch.js` writes it."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def _place(number: int, columns: int) -> str:
    """Where a thumbnail is on the one picture that holds all."""
    return f"--column:{number % columns};--row:{number // columns}"


def _logits_beside(path: Path) -> Path:
    return path.with_suffix(".logits.safetensors")


def _logits(size: str, indices: list[int]) -> np.ndarray:
    """What is recorded, shape (networks, images, classes)."""
    found = [
        load_file(_logits_beside(records.path_of(name, size, 0)))["test"]
        for name in COLUMNS
    ]
    return np.stack([each[indices].astype(float) for each in found])


def _short(logits: np.ndarray) -> list:
    # Half precision holds no more than two decimals of what is above 8.
    return [
        [[round(value, 2) for value in image] for image in network]
        for network in logits.tolist()
    ]


def _accuracy(run: dict) -> str:
    return f"{100 * run['test']['accuracy']:.1f}\N{NO-BREAK SPACE}%"


def _about(run: dict) -> str:
    network = NETWORKS[run["config"]["architecture"]]
    count = parameters(run, records.read_all())
    return f"{network}, {count:,} parameters, {records.budget_of(run)}"
