"""Draws what is measured in labkd/pictures: run it as a program.

The thumbnails come from the test images of CIFAR-10 (LABKD_DATA), the bars
from recorded networks. The rest of each drawing is written by hand.
"""

import json
import re
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from labkd import data, pretrained, records
from labkd.data import CIFAR10_CLASSES
from labkd.soft_targets import soften
from labkd.views import apply_views

FOLDER = Path(__file__).parents[2] / "labkd" / "pictures"
CREDIT = (
    "Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "2009"
)
# Test images, by their place in the order of `labkd.data`. The first of each
# class are clear; the others could be taken for something else.
CLEAR = (
    *(430, 486, 1455, 1776, 2018, 2899, 3482, 3687, 4840),
    *(5175, 5583, 6275, 6440, 7947, 8738, 8894, 9071, 9403),
)
AMBIGUOUS = (817, 1229, 2546, 3313, 4882, 9341)
COLUMNS = 6
SIDE = 32
TEACHER = "teacher-resnet18-cifar10"
STUDENT = "soft-vit_from_resnet18-cifar10"
# The largest that is recorded of both is drawn.
SIZES = ("full", "overnight", "laptop")
TEMPERATURE = 4.0
TRUCK = 9403
DEER = 4882
# Top and left offset of four crops of an image that is padded by 4 pixels.
CROPS = ((4, 4), (0, 0), (0, 8), (8, 8))
PADDING = 4
# What CIFAR-10 calls an automobile is a car to everybody else.
SHORT = {"automobile": "car"}
NAMED = ("truck", "car", "frog")
# Of the padding, which is zeros.
BLACK = '<rect width="40" height="40" fill="#000" stroke="none"/>'
COLOURS = {
    "deer": 'fill="var(--picture-teacher, #0c8599)"',
    "horse": 'fill="var(--picture-student, #d9480f)"',
}


def thumbnails() -> None:
    """One file of 24 test images, and beside it which they are."""
    test = data.load("cifar10", "test", download=False)
    shown = sorted(CLEAR + AMBIGUOUS)
    rows = len(shown) // COLUMNS
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * SIDE))
    images = []
    for place, index in enumerate(shown):
        left, top = SIDE * (place % COLUMNS), SIDE * (place // COLUMNS)
        pixels = test.images[index].permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (left, top))
        label = test.class_names[test.labels[index]]
        images.append({"test_index": index, "label": label})
    sheet.save(FOLDER / "thumbnails.png", optimize=True)
    about = {
        "credit": CREDIT,
        "data": f"CIFAR-10, test images, {test.source}",
        "columns": COLUMNS,
        "images": images,
    }
    text = json.dumps(about, indent=1)
    (FOLDER / "thumbnails.json").write_text(text + "\n", "utf-8")


def answers(index: int) -> dict[str, list[float]]:
    """What teacher and student say of one test image: p and q, and q at 1."""
    size = next(
        s for s in SIZES if _logits(TEACHER, s) and _logits(STUDENT, s)
    )
    teacher, student = (
        load_file(_logits(recipe, size))["test"][index].double()
        for recipe in (TEACHER, STUDENT)
    )
    return {
        "p": soften(teacher, TEMPERATURE).tolist(),
        "q": soften(student, TEMPERATURE).tolist(),
        "q1": soften(student, 1.0).tolist(),
    }


def _logits(recipe: str, size: str) -> Path | None:
    path = records.RESULTS / recipe / f"{size}-seed0.logits.safetensors"
    return path if path.is_file() else None


def filled(drawing: str, group: str, content: list[str]) -> str:
    """A drawing with other content in one of its groups."""
    pattern = re.compile(rf'(<g id="{group}"[^>]*>).*?(</g>)', re.S)
    lines = "".join(f"\n{line}" for line in content)
    changed, times = pattern.subn(rf"\g<1>{lines}\n\g<2>", drawing)
    if times != 1:
        raise ValueError(f"{times} groups {group!r} in the drawing, not one")
    return changed


def upright(values: list[float], left: float, foot: float) -> list[str]:
    """Ten upright bars, 104 units wide and at most 60 high."""
    return [
        f'<rect x="{left + 10.4 * place + 1:.1f}" y="{foot - 60 * value:.1f}" '
        f'width="8.4" height="{60 * value:.1f}"/>'
        for place, value in enumerate(values)
    ]


def lying(values: list[float], left: float, top: float) -> list[str]:
    """A bar a row of 35 units, at most 110 wide."""
    return [
        f'<rect x="{left}" y="{top + 35 * row}" '
        f'width="{110 * value:.1f}" height="12"/>'
        for row, value in enumerate(values)
    ]


def teacher_and_student() -> None:
    """Their answers, between the softmaxes and the losses."""
    path = FOLDER / "teacher_and_student.svg"
    drawing = path.read_text("utf-8")
    for (group, values), left in zip(
        answers(TRUCK).items(), (34, 192, 304), strict=True
    ):
        bars = upright(values, left, 292)
        drawing = filled(drawing, f"teacher_and_student-{group}", bars)
    path.write_text(drawing, "utf-8")


def one_loss_two_labels() -> None:
    """A row a class: left what cross-entropy reads, right what KL reads."""
    path = FOLDER / "one_loss_two_labels.svg"
    drawing = path.read_text("utf-8")
    found = answers(TRUCK)
    classes = [SHORT.get(name, name) for name in CIFAR10_CLASSES]
    named = [classes.index(name) for name in NAMED]
    truck = classes.index("truck")
    hard = [float(place == truck) for place in range(len(classes))]
    groups = {
        "highlight": [
            f'<rect y="{98 + 35 * row}" width="440" height="34"/>'
            for row in named
        ],
        "names": [
            f'<text x="96" y="{121 + 35 * row}"{bold}>{name}</text>'
            for row, name in enumerate(classes)
            for bold in [' font-weight="700"' * (row in named)]
        ],
        "hard": lying(hard, 104, 102),
        # What the label does not name, cross-entropy does not read.
        "unread": lying(found["q1"], 104, 116),
        "q1": [lying(found["q1"], 104, 116)[truck]],
        "p": lying(found["p"], 282, 102),
        "q": lying(found["q"], 282, 116),
        "values": [
            f'<text x="{288 + 110 * longer:.1f}" y="{121 + 35 * row}">'
            f"{found['p'][row]:.3f}</text>"
            for row in named
            for longer in [max(found["p"][row], found["q"][row])]
        ],
    }
    for group, content in groups.items():
        drawing = filled(drawing, f"one_loss_two_labels-{group}", content)
    path.write_text(drawing, "utf-8")


def of_crops(index: int) -> list[list[float]]:
    """The probabilities that the shipped teacher gives to four crops."""
    teacher = pretrained(TEACHER)
    test = data.load("cifar10", "test", download=False)
    images = test.images[index].expand(len(CROPS), -1, -1, -1)
    views = torch.tensor([(top, left, False) for top, left in CROPS])
    pixels = apply_views(images, views, padding=PADDING) / 255
    with torch.no_grad():
        logits = teacher((pixels - teacher.mean) / teacher.deviation)
    return soften(logits, 1.0).tolist()


def crop_and_label() -> None:
    """A row a crop: where it was cut, what it shows, what is said of it."""
    path = FOLDER / "crop_and_label.svg"
    drawing = path.read_text("utf-8")
    rows = []
    for row, (crop, answer) in enumerate(
        zip(CROPS, of_crops(DEER), strict=True)
    ):
        rows += cut(*crop, top=30 + 84 * row)
        rows += said(answer, top=30 + 84 * row)
    drawing = filled(drawing, "crop_and_label-rows", rows)
    path.write_text(drawing, "utf-8")


def cut(down: int, right: int, top: int) -> list[str]:
    """The padded image with a window in it, and the crop beside it."""
    image = '<use href="#crop_and_label-image" x="4" y="4"'
    image = f'{BLACK}{image} width="32" height="32"/>'
    frame = 'stroke="var(--picture-student, #d9480f)" stroke-width="1.8"'
    return [
        f'<svg x="4" y="{top}" width="64" height="64" viewBox="0 0 40 40">'
        f'{image}<rect x="{right + 0.9}" y="{down + 0.9}" width="30.2" '
        f'height="30.2" {frame}/></svg>',
        f'<path d="M74 {top + 32}H90" '
        'marker-end="url(#crop_and_label-arrow)"/>',
        f'<svg x="96" y="{top + 6.4}" width="51.2" height="51.2" '
        f'viewBox="{right} {down} 32 32">{image}</svg>',
    ]


def said(answer: list[float], top: int) -> list[str]:
    """Ten upright bars, and the numbers of the two classes in question."""
    lines = []
    for place, value in enumerate(answer):
        name = CIFAR10_CLASSES[place]
        colour = COLOURS.get(name, 'fill="currentColor" fill-opacity=".4"')
        lines.append(
            f'<rect x="{166 + 14 * place}" y="{top + 64 - 64 * value:.1f}" '
            f'width="11" height="{64 * value:.1f}" stroke="none" {colour}/>'
        )
    lines.append(f'<path d="M166 {top + 64}h137" stroke-opacity=".5"/>')
    for line, name in enumerate(COLOURS):
        value = answer[CIFAR10_CLASSES.index(name)]
        height = top + 28 + 24 * line
        lines.append(
            f'<rect x="316" y="{height - 12}" width="12" height="12" '
            f'stroke="none" {COLOURS[name]}/>'
            f'<text x="334" y="{height}" fill="currentColor" stroke="none">'
            f"{name} {value:.2f}</text>"
        )
    return lines


if __name__ == "__main__":
    thumbnails()
    teacher_and_student()
    one_loss_two_labels()
    crop_and_label()
