"""Notebooks and modules as the sections and rows that the template lays out.

A section is a heading with the rows under it, a row is prose beside code.
Nothing here knows of MkDocs.
"""

import base64
import hashlib
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from annotate import annotate
from whole_functions import whole_function

HEADING = re.compile(r"(#{1,6}) [^\n]*")
# What a terminal takes for a colour.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# In the repository docs/ is a folder, on the site it is the root.
SNIPPET = re.compile(r"^<!-- (\w+\.py) -->$", re.M)
TO_DOCS = re.compile(r"\]\(\.\./docs/")
DETAILS = re.compile(
    r"^<details[^>]*>\s*<summary>(.*?)</summary>\n(.*?)^</details>\s*$",
    re.M | re.S,
)


@dataclass
class Output:
    """One thing that a cell printed, drew or returned."""

    kind: str  # "text", "figure", "html" or "markdown"
    text: str = ""
    stream: str = ""  # of a text: "stdout", "stderr" or ""
    alt: str = ""
    size: tuple[int, int] = (0, 0)
    photo: bool = False


@dataclass
class Code:
    """What stands in the right column: one cell or one piece of a module."""

    source: str
    numbers: tuple[int, ...] = ()
    outputs: list[Output] = field(default_factory=list)


@dataclass
class Row:
    """Prose, the code beside it, and outputs that need the whole width."""

    prose: str = ""
    code: list[Code] = field(default_factory=list)
    wide: list[Output] = field(default_factory=list)


@dataclass
class Section:
    """A heading and its rows."""

    heading: str = ""
    rows: list[Row] = field(default_factory=list)
    name: str = ""  # of the function or class it shows
    level: int = 2
    whole: str = ""  # the text of its copy button
    chapters: list[str] = field(default_factory=list)  # links to users

    @property
    def layout(self) -> str:
        """Its class: a section without code has a column of its own."""
        pairs = any(row.code for row in self.rows)
        return "columns" if pairs else "alone"


def read_notebook(path: Path) -> dict:
    """A chapter, with the lines of each text joined.

    nbformat checks a notebook when it is executed and in the tests; to do so
    at each build takes it a third of a second.
    """
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        for out in cell.get("outputs", ()):
            if "text" in out:
                out["text"] = "".join(out["text"])
            for kind, data in out.get("data", {}).items():
                if not kind.endswith("json"):
                    out["data"][kind] = "".join(data)
    return notebook


def of_notebook(notebook: dict) -> list[Section]:
    """The sections of a chapter: a heading that starts a cell starts one."""
    sections = [Section()]
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", ())
        rows = sections[-1].rows
        if "remove" in tags:
            continue
        if cell["cell_type"] == "markdown":
            text = TO_DOCS.sub("](../", cell["source"].strip())
            if match := HEADING.match(text):
                level = match[1].count("#")
                sections.append(Section(match[0], level=level))
                rows = sections[-1].rows
                text = text[match.end() :].strip()
            if text:
                _add_prose(rows, folded(text))
        elif cell["cell_type"] == "code":
            # Below a wide output nothing else fits beside that prose.
            if not rows or rows[-1].wide:
                rows.append(Row())
            _add_code(rows[-1], cell, tags)
    return [section for section in sections if section.heading or section.rows]


def of_module(
    source: str, chapters: dict[str, list[str]] | None = None
) -> list[Section]:
    """The sections of a module page: one for each definition.

    `chapters` holds, by function, links to the chapters that use it.
    """
    sections: list[Section] = []
    for row in annotate(source):
        if row.name is not None:
            sections.append(_definition(row.name, source))
            # The first section is the module's own, a later one without a
            # name is code between two functions.
            if row.name or not sections[1:]:
                users = (chapters or {}).get(row.name, [])
                sections[-1].chapters = users
        prose = TO_DOCS.sub("](../", row.prose)
        if not sections[0].heading and (match := HEADING.match(prose)):
            sections[0].heading = match[0]
            sections[0].level = match[1].count("#")
            prose = prose[match.end() :].strip()
        code = [Code(row.code, row.numbers)] if row.code else []
        sections[-1].rows.append(Row(prose, code))
    return sections


def of_sheet(markdown: str, folder: Path) -> list[Section]:
    """The sections of a page of prose that names files of `folder`.

    `<!-- name.py -->` on a line of its own puts that file in the right
    column. Raises `FileNotFoundError` for a file that is not there.
    """
    sections = []
    for text in re.split(r"^(?=#{1,2} )", markdown.strip(), flags=re.M):
        if not (match := HEADING.match(text)):
            continue
        level = match[1].count("#")
        files = SNIPPET.findall(text)
        prose = SNIPPET.sub("", text[match.end() :]).strip()
        code = [
            Code((folder / name).read_text("utf-8").rstrip()) for name in files
        ]
        row = Row(prose, code)
        sections.append(Section(match[0], [row], level=level))
    return sections


def folded(text: str) -> str:
    """`<details>` as a block that the site's Markdown looks into.

    Jupyter, Colab and GitHub fold the tag itself.
    """
    return DETAILS.sub(
        r"///// details | \1\n    type: solution\n\n\2\n/////\n", text
    )


def figure_name(png: str) -> str:
    """The file name of a figure, from its base64 text."""
    return f"{hashlib.sha256(base64.b64decode(png)).hexdigest()[:12]}.png"


def figures(notebook: dict) -> dict[str, bytes]:
    """The figures of a chapter, by file name."""
    return {
        figure_name(png): base64.b64decode(png)
        for cell in notebook["cells"]
        for out in cell.get("outputs", ())
        if (png := out.get("data", {}).get("image/png"))
    }


def _definition(name: str, source: str) -> Section:
    level = 3 if "." in name else 2
    # A method is copied with its class, a helper with what calls it.
    alone = level == 2 and name and not name.startswith("_")
    whole = whole_function(source, name) if alone else ""
    return Section(name=name, level=level, whole=whole)


def _add_prose(rows: list[Row], text: str) -> None:
    if rows and not rows[-1].code:
        rows[-1].prose += "\n\n" + text
    else:
        rows.append(Row(text))


def _add_code(row: Row, cell: dict, tags) -> None:
    alts = cell["metadata"].get("fig_alt", "")
    alts = [alts] if isinstance(alts, str) else list(alts)
    outputs = []
    for out in cell["outputs"]:
        output = _output(out)
        if output.kind == "figure":
            output.alt = alts.pop(0) if alts else ""
            output.photo = "photo" in tags
        # A kernel sends what is printed in as many pieces as it likes.
        elif output.stream and outputs and output.stream == outputs[-1].stream:
            output.text = outputs.pop().text + output.text
        outputs.append(output)
    source = "" if "hide-input" in tags else cell["source"]
    wide = "wide" in tags
    row.code.append(Code(source, outputs=[] if wide else outputs))
    row.wide += outputs if wide else []


def _output(out: dict) -> Output:
    if out["output_type"] == "stream":
        text = COLOUR.sub("", out["text"])
        return Output("text", text, stream=out["name"])
    data = out.get("data", {})
    if png := data.get("image/png"):
        # Width and height stand at a fixed place in a PNG; figures are drawn
        # at twice the size at which they are shown.
        pixels = struct.unpack(">II", base64.b64decode(png[:64])[16:24])
        shown = pixels[0] // 2, pixels[1] // 2
        return Output("figure", figure_name(png), size=shown)
    for kind in ("markdown", "html"):
        if text := data.get(f"text/{kind}"):
            return Output(kind, text)
    return Output("text", data.get("text/plain", ""))
