"""Pictures: sound SVG that follows the page's colours and says what it is."""

import json
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from labkd.pictures import FOLDER, NAMES, picture

SVG = "{http://www.w3.org/2000/svg}"
LINK = re.compile(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)')


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_says_what_it_shows_and_fetches_nothing(name):
    shown = picture(name)
    root = ElementTree.fromstring(shown.svg)
    assert root.findtext(f"{SVG}title") and root.findtext(f"{SVG}desc")
    assert len(shown.alternative_text) > 40
    html = shown._repr_html_()
    assert 'role="img"' in html and "aria-label" in html
    assert "<script" not in html and "viewBox" in shown.svg
    # The theme sets the `href` of whatever has one, and here it cannot.
    assert " href=" not in html
    for quoted, bare in LINK.findall(html):
        assert (quoted or bare).startswith(("#", "data:"))


@pytest.mark.parametrize("name", NAMES)
def test_lines_and_letters_have_the_colour_of_the_page(name):
    svg = picture(name).svg
    assert "currentColor" in svg or "currentcolor" in svg
    for fixed in ("black", "white", "#000", "#fff", "#000000", "#ffffff"):
        # What a crop adds to a photograph is black on any page: a `rect`.
        drawn = rf'<(?!rect)\w+[^>]*(fill|stroke)[=:]"?\s*{fixed}\b'
        assert not re.search(drawn, svg)


def test_all_of_them_on_one_page_have_ids_of_their_own():
    page = "".join(picture(name)._repr_html_() for name in NAMES)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(NAMES)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="portrait"):
        picture("portrait")


def test_thumbnails_are_twenty_four_test_images_with_their_source():
    about = json.loads((FOLDER / "thumbnails.json").read_text("utf-8"))
    text = json.dumps(about)
    assert "Krizhevsky" in text and text.count('"label"') == 24
    image = Image.open(FOLDER / "thumbnails.png")
    assert image.width * image.height == 24 * 32 * 32
