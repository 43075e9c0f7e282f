"""Draws what is measured in labkd/pictures: `python docs/_site/draw_pictures.py`.

The thumbnails come from the test images of CIFAR-10 (LABKD_DATA), the bars
from recorded networks. The rest of each drawing is written by hand.
"""

import json
from pathlib import Path

from PIL import Image

from labkd import data

FOLDER = Path(__file__).parents[2] / "labkd" / "pictures"
CREDIT = (
    "Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "2009"
)
# Test images, by their place in the order of `labkd.data`. The first of each
# class are clear; the others could be taken for something else.
CLEAR = (
    *(430, 486, 1455, 1776, 2018, 2899, 3482, 3687, 4840),
    *(5175, 5583, 6275, 6440, 7947, 8738, 8894, 9071, 9624),
)
AMBIGUOUS = (817, 1229, 2546, 3313, 4382, 9341)
COLUMNS = 6
SIDE = 32


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


if __name__ == "__main__":
    thumbnails()
