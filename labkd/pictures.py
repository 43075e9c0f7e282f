r"""
# Pictures

Drawings that explain a mechanism, as SVG files beside the records. They take
the colour of the text around them, so they are dark on a light page and light
on a dark one. That is why a picture is shown as HTML: as an image it would
know nothing of the page, and stay black in the dark.

The photographs in them are test images of CIFAR-10 (Alex Krizhevsky, Learning
Multiple Layers of Features from Tiny Images, 2009), from one file of
thumbnails. Bars are never invented: `docs/_site/draw_pictures.py` computes
them from the recorded networks.
"""

import base64
import io
import re
from html import escape
from pathlib import Path
from xml.etree import ElementTree

FOLDER = Path(__file__).with_name("pictures")
NAMES = (
    "teacher_and_student",
    "vision_transformer",
    "residual_block",
    "two_stems",
    "crop_and_label",
    "one_loss_two_labels",
    "features_and_relations",
)
# A window of 32 x 32 pixels on the file of thumbnails.
THUMBNAIL = re.compile(
    r'viewBox="(\d+) (\d+) 32 32"([^>]*)><image href="thumbnails\.png"'
    r' width="\d+" height="\d+"'
)
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
SVG = "{http://www.w3.org/2000/svg}"


class Picture:
    r"""
    A drawing that a notebook shows.

    * `svg`: the drawing, with a title and a description
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg
        root = ElementTree.fromstring(svg)
        title, description = (
            root.findtext(SVG + tag, "") for tag in ("title", "desc")
        )
        self.alternative_text = f"{title}. {description}"

    def _repr_html_(self) -> str:
        # The label of the whole stands for all that is inside of it: a screen
        # reader says it once.
        label = escape(self.alternative_text)
        return (
            f'<figure class="picture" role="img" aria-label="{label}"'
            f' style="margin: 0 auto; max-width: 35rem">{self.svg}</figure>'
        )

    def __repr__(self) -> str:
        return self.alternative_text


def picture(name: str) -> Picture:
    r"""
    One of the drawings of this course, for the last line of a cell.

    ```python
    from labkd.pictures import picture

    picture("teacher_and_student")
    ```

    * `name`: one of `pictures.NAMES`

    Returns a `Picture`, which Jupyter, Colab and the site show in the colours
    of the page. Raises `ValueError` for another name.
    """
    if name not in NAMES:
        raise ValueError(f"no picture {name!r}: there are {', '.join(NAMES)}")
    svg = (FOLDER / f"{name}.svg").read_text("utf-8")
    # One line: to Markdown, an empty one would end the drawing.
    svg = "".join(line.strip() for line in svg.splitlines())
    svg = THUMBNAIL.sub(_embedded, svg)
    # The site's theme makes every `href` of a page absolute, and stumbles
    # over those of a drawing. The older name does the same.
    svg = re.sub(r"(<(?:use|image)) href=", r"\1 xlink:href=", svg)
    return Picture(svg.replace("<svg ", f"<svg {XLINK} ", 1))


def _embedded(window: re.Match) -> str:
    r"""A window on the thumbnails with the image itself in place of a link."""
    # Imported here: most pictures have no photograph.
    from PIL import Image

    left, top = int(window[1]), int(window[2])
    png = io.BytesIO()
    with Image.open(FOLDER / "thumbnails.png") as thumbnails:
        image = thumbnails.crop((left, top, left + 32, top + 32))
        image.save(png, "PNG", optimize=True)
    data = base64.b64encode(png.getvalue()).decode()
    return (
        f'viewBox="0 0 32 32"{window[3]}>'
        f'<image href="data:image/png;base64,{data}" width="32" height="32"'
    )
