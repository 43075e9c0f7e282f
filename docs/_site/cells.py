"""Modules and sheets as the cells of a notebook: one template for all.

A cell is a dictionary like those of nbformat. Nothing here knows of MkDocs.
"""

import re
from html import escape
from pathlib import Path

from annotate import annotate
from whole_functions import whole_function

# In the repository docs/ is a folder, on the site it is the root.
SNIPPET = re.compile(r"^<!-- (\w+\.py) -->$", re.M)
# The hook puts the real one in its place.
ADDRESS = "REPOSITORY_ADDRESS"
HEADING = re.compile(r"#{1,6} [^\n]*")


def of_module(
    source: str, chapters: dict[str, list[str]] | None = None
) -> list[dict]:
    """The cells of a module page; each definition begins with its name.

    `chapters` holds, by function, links to the chapters that use it.
    """
    cells = []
    for number, row in enumerate(annotate(source)):
        about = {}
        if row.name:
            about = _definition(row.name, source)
        users = (chapters or {}).get(row.name or "", [])
        prose = row.prose
        if users and (row.name or not number):
            used = f"Used in {', '.join(users)}.\n{{: .used-in }}"
            heading = HEADING.match(prose) if not number else None
            end = heading.end() if heading else 0
            prose = f"{prose[:end]}\n\n{used}\n\n{prose[end:]}".strip()
        cells.append(_prose(prose, **about))
        if row.code:
            cells.append(_code(row.code))
    return cells


def of_sheet(markdown: str, folder: Path) -> list[dict]:
    """The cells of a page of prose that names files of `folder`.

    `<!-- name.py -->` on a line of its own puts that file in the right
    column. Raises `FileNotFoundError` for a file that is not there.
    """
    cells = []
    for text in re.split(r"^(?=#{1,2} )", markdown.strip(), flags=re.M):
        if text.strip():
            cells.append(_prose(SNIPPET.sub("", text).strip()))
        for name in SNIPPET.findall(text):
            cells.append(_code((folder / name).read_text("utf-8").rstrip()))
    return cells


def _prose(source: str, **about) -> dict:
    return {"cell_type": "markdown", "source": source, "metadata": about}


def _code(source: str) -> dict:
    cell = {"cell_type": "code", "source": source}
    return cell | {"metadata": {}, "outputs": []}


def _definition(name: str, source: str) -> dict:
    level = 3 if "." in name else 2
    about = {"definition": name, "level": level}
    # A method is copied with its class, a helper with what calls it.
    if level == 2 and not name.startswith("_"):
        whole = whole_function(source, name, ADDRESS)
        about["whole"] = escape(whole).replace("\n", "&#10;")
    return about
