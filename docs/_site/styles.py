"""One style sheet of several: a page waits for one, and not for four."""

import re
from pathlib import PurePosixPath

NAME = "assets/site.css"
# In this order: the theme's, KaTeX's, ours.
PARTS = (
    re.compile(r"assets/stylesheets/main\..+\.css"),
    re.compile(r"assets/stylesheets/palette\..+\.css"),
    re.compile(r"assets/katex/katex\.min\.css"),
    re.compile(r"assets/labkd\.css"),
)
RELATIVE = re.compile(r"url\((?![\"']?(?:data:|#|/|[a-z]+:))([\"']?)")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
# Of the theme, for what no page has: tabs, and a moment without transitions
# while colours switch. A change at the root makes a browser match what they
# match, which is everything, anew.
UNUSED = re.compile(r"\.tabbed-|\[data-md-color-switching\]")
# Valid at the beginning of a file alone; maps lead to files that differ.
DROPPED = re.compile(r'@charset "UTF-8";|/\*# sourceMappingURL=.*?\*/', re.S)


def parts_of(names: list[str]) -> list[str]:
    """The style sheets among a site's files, in their order.

    Raises `ValueError` when one is missing, or two could be meant.
    """
    found = [[n for n in names if part.fullmatch(n)] for part in PARTS]
    for part, matching in zip(PARTS, found, strict=True):
        if len(matching) != 1:
            raise ValueError(f"{part.pattern} stands for {matching}")
    return [matching[0] for matching in found]


def merged(sheets: dict[str, str]) -> str:
    """Sheets by their names in the site, as one sheet beside `NAME`."""
    home, written = PurePosixPath(NAME).parent, ['@charset "UTF-8";']
    for name, text in sheets.items():
        folder = PurePosixPath(name).parent.relative_to(home).as_posix()
        prefix = "" if folder == "." else f"{folder}/"
        text = RULE.sub(_used, DROPPED.sub("", text))
        written.append(RELATIVE.sub(rf"url(\g<1>{prefix}", text))
    return "\n".join(written)


def _used(rule: re.Match) -> str:
    # Commas inside of :is() divide no selectors.
    selectors = re.split(r",(?![^(]*\))", rule[1])
    kept = [each for each in selectors if not UNUSED.search(each)]
    if len(kept) == len(selectors):
        return rule[0]
    return f"{','.join(kept)}{{{rule[2]}}}" if kept else ""
