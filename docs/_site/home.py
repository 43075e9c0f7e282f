"""The home page: its picture, and a card for each chapter of the nav."""

import re
from pathlib import Path

from labkd.pictures import picture

PICTURE = "<!-- picture -->"
CARDS = "<!-- chapters -->"
# Who searches finds the chapters themselves.
LIST = '<ul class="chapters" data-search-exclude markdown="1">'
# A thumbnail a chapter, by its name; in the colours of the page.
THUMBNAILS = Path(__file__).with_name("cards")
QUESTION = re.compile(r"\*\*Question\.\*\*\s+(.+?)\n\s*\n", re.S)
LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")


def drawing() -> str:
    """Teacher and student, as the first chapters explain them."""
    return picture("teacher_and_student")._repr_html_()


def cards(nav: list, notebooks: dict[str, dict]) -> str:
    """Markdown: the parts of the course, a card for each of their chapters.

    * `nav`: as mkdocs.yml has it
    * `notebooks`: by the path that the nav names
    """
    (parts,) = [item["Course"] for item in nav if "Course" in item]
    lines = []
    for part in parts:
        for name, chapters in part.items():
            lines += [f"### {name}", "", LIST, ""]
            for uri in chapters:
                lines += _card(uri, notebooks[uri])
            lines += ["</ul>", ""]
    return "\n".join(lines)


def _card(uri: str, notebook: dict) -> list[str]:
    thumbnail = (THUMBNAILS / Path(uri).name).with_suffix(".svg")
    drawn = "".join(thumbnail.read_text("utf-8").splitlines())
    return [
        '<li markdown="block">',
        f'<div class="thumbnail">{drawn}</div>',
        "",
        f"[{title(notebook)}](../{uri})",
        "",
        question(notebook),
        "",
        "</li>",
        "",
    ]


def title(notebook: dict) -> str:
    """The heading of a chapter: `1 · Hard and soft labels`."""
    first = "".join(notebook["cells"][0]["source"])
    return first.partition("\n")[0].removeprefix("# ")


def question(notebook: dict) -> str:
    """What a chapter asks in its first cell, or its first sentence."""
    first = "".join(notebook["cells"][0]["source"])
    text = re.sub(r"^> ?", "", first.partition("\n")[2], flags=re.M)
    if asked := QUESTION.search(text):
        return LINK.sub(r"\1", " ".join(asked[1].split()))
    opening = LINK.sub(r"\1", " ".join(text.split()))
    return re.split(r"(?<=[.?!]) ", opening)[0]
