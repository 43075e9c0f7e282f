"""Writes what README.md takes from elsewhere: run it as a program.

The measured sentence comes from the records, the list of chapters from the
nav, the picture from `labkd/pictures`. Needs Chromium for the picture.
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import headline
import home
import yaml

from labkd import records
from labkd.pictures import picture

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "assets" / "readme.png"
PLACE = r"(<!-- {0} -->\n).*?(<!-- /{0} -->)"
WIDTH = 440


def written(text: str) -> str:
    """README's text with its sentence and its list as they are today."""
    made = {
        "measured": headline.sentence(records.read_all()),
        "chapters": chapters(),
    }
    for name, content in made.items():
        pattern = re.compile(PLACE.format(name), re.S)
        text, times = pattern.subn(rf"\g<1>\n{content}\n\n\g<2>", text)
        if times != 1:
            raise ValueError(f"README.md has {times} places for {name!r}")
    return text


def chapters() -> str:
    """A line a chapter of the nav, with its page and its Colab notebook."""
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    nav = yaml.load(settings, yaml.BaseLoader)["nav"]
    parts = next(item["Course"] for item in nav if "Course" in item)
    lines = ["| Chapter | Run it |", "| --- | --- |"]
    for part in parts:
        for name, uris in part.items():
            lines.append(f"| **{name}** | |")
            lines += map(_line, uris)
    return "\n".join(lines)


def _line(uri: str) -> str:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    address = tomllib.loads(project)["project"]["urls"]["Repository"]
    slug = address.removeprefix("https://github.com/")
    owner, _, name = slug.partition("/")
    notebook = json.loads((ROOT / uri).read_text("utf-8"))
    page = f"https://{owner}.github.io/{name}/{uri.removesuffix('.ipynb')}/"
    colab = f"https://colab.research.google.com/github/{slug}/blob/main/{uri}"
    return f"| [{home.title(notebook)}]({page}) | [Colab]({colab}) |"


def digest() -> str:
    """Of the drawing that the picture is made of; the picture carries it."""
    svg = picture("teacher_and_student").svg
    return hashlib.sha256(svg.encode()).hexdigest()


def draw() -> None:
    """The drawing as GitHub can show it: an image on white."""
    from pages_server import find_browser
    from PIL import Image, PngImagePlugin
    from playwright.sync_api import sync_playwright

    svg = picture("teacher_and_student").svg
    page_of_it = f'<body style="margin:0;color:#1b2431">{svg}</body>'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"]
        )
        page = browser.new_page(device_scale_factor=2)
        page.set_viewport_size({"width": WIDTH, "height": WIDTH})
        page.set_content(page_of_it)
        page.locator("svg").first.screenshot(path=PICTURE)
        browser.close()
    about = PngImagePlugin.PngInfo()
    about.add_text("drawing", digest())
    with Image.open(PICTURE) as image:
        few = image.convert("RGB").quantize(128)
    few.save(PICTURE, pnginfo=about, optimize=True)


if __name__ == "__main__":
    README.write_text(written(README.read_text("utf-8")), "utf-8")
    draw()
