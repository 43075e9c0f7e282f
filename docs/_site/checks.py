"""What must not reach a reader: mistakes in a notebook or in a page."""

import re
from collections.abc import Iterator

from digest import code_digest

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.M)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+(?:\n[^$\n]+)*\$", re.S)
VOID = set(
    "area base br col embed hr img input link meta source track wbr".split()
)
# A comment, what is text whatever it holds, or a tag: its solidus, its name,
# its attributes. One pattern reads a page several times as fast as a parser.
TAG = re.compile(
    r"<!--.*?-->|<(script|style|textarea|title)\b[^>]*>.*?</\1\s*>"
    r"|<(/?)([a-z][^\s/>]*)((?:\"[^\"]*\"|'[^']*'|[^'\">])*)>",
    re.S | re.I,
)


def notebook_problems(notebook: dict) -> Iterator[str]:
    """What is wrong with a chapter, each with the cell it is in."""
    if not "".join(notebook["cells"][0]["source"]).startswith("# "):
        yield "the first cell does not begin with the title"
    if notebook["metadata"].get("labkd_digest") != code_digest(notebook):
        yield (
            "the outputs are stale: the code has changed since they were "
            "made (`make notebooks` runs it again)"
        )
    for number, cell in enumerate(notebook["cells"], 1):
        first = "".join(cell["source"]).strip().partition("\n")[0][:60]
        for problem in _cell_problems(cell):
            yield f"cell {number} ({first!r}): {problem}"


def prose_problems(text: str) -> Iterator[str]:
    """What is wrong with a piece of Markdown."""
    outside, fence = [], ""
    for line in text.splitlines():
        if match := FENCE.match(line):
            mark = match[1]
            if not fence:
                fence = mark
            elif mark.startswith(fence) and not line.strip(" " + mark[0]):
                fence = ""
        elif not fence:
            outside.append(line)
    if fence:
        yield f"the fence {fence} is never closed"
    if any(re.match(r"#{1,6} ", line) for line in outside[1:]):
        # Only a heading that starts a cell starts a section, and with it
        # an entry of the search index.
        yield "a heading stands in the middle: give it a cell of its own"
    bare = MATH.sub("", CODE.sub("", "\n".join(outside)))
    yield from html_problems(bare)


def html_problems(html: str) -> list[str]:
    """Tags that are not closed, or closed but never opened."""
    opened, problems = [], []
    for _, closing, name, attributes in TAG.findall(html):
        tag = name.lower()
        if not tag or tag in VOID or attributes.endswith("/"):
            continue
        if not closing:
            opened.append(tag)
        elif tag not in opened:
            problems.append(f"</{tag}> closes nothing")
        else:
            while (inner := opened.pop()) != tag:
                problems.append(f"<{inner}> is never closed")
    return problems + [f"<{tag}> is never closed" for tag in opened]


def _cell_problems(cell: dict) -> Iterator[str]:
    if cell["cell_type"] == "markdown":
        yield from prose_problems("".join(cell["source"]))
        return
    alts = cell["metadata"].get("fig_alt", "")
    alts = [alts] if isinstance(alts, str) else list(alts)
    for out in cell.get("outputs", ()):
        if out["output_type"] == "error":
            yield f"an output is an error: {out['ename']}: {out['evalue']}"
        table = out.get("data", {}).get("text/html", "")
        for problem in html_problems("".join(table)):
            yield f"an output's HTML: {problem}"
        figure = "image/png" in out.get("data", {})
        if figure and not (alts and alts.pop(0).strip()):
            yield "a figure has no alternative text (metadata fig_alt)"
