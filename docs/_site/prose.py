"""Finds measured numbers that were typed into prose.

A number that somebody measured must be printed by a cell or a table from a
record: typed, it stays behind when the record changes. Numbers of the theory
may be typed, and so may published figures in a paragraph that cites them.
"""

import re

# A share, a number with a spread, a time, a speed or an improvement: the
# forms in which a measurement is told. Signs alone would also catch algebra.
MEASURED = re.compile(
    r"""
    \d[\d.,]*\s*(?:\\?%|per\ cent\b|percent\b)
    | \d[\d.,]*\s*(?:percentage\ )?points?\b
    | \d[\d.,]*\s*(?:±|\+/-|\\pm)\s*\d
    | \d[\d.,]*\s*(?:s|ms|h|seconds?|minutes?|hours?)\b(?!-)
    | \d[\d.,]*\s*(?:images|steps|samples)\s*(?:/|per|a)\s*s
    | \d[\d.,]*\s*(?:x|×|times)\s+(?:faster|slower|smaller|larger|better)
    | (?:accuracy|nll|ece|brier|error|loss)\s+(?:of|is|was)\s+\d[\d.]*
    | \d\.\d+\s+nats
    """,
    re.X | re.I,
)
# Published: the paragraph links to the list of references.
CITED = re.compile(r"references\.md#\w+")
CODE = re.compile(r"^(`{3,}).*?^\1|`[^`\n]+`", re.S | re.M)
COMMENT = re.compile(r"<!--.*?-->", re.S)
# How sure an interval is meant to be is chosen, not measured.
LEVEL = re.compile(r"\d+(?:\.\d+)?\s*%\s+(?:confidence\s+)?interval")
# Worked by hand: three digits in a formula meet those of some score by chance
# once there are a hundred records; four hardly do.
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.S)
NUMBER = re.compile(r"(?<![\d.])\d+\.\d+(?!\d|\.\d)")
# Where in a paper; the number of a section may look like a score.
PLACE = re.compile(r"\bsections?\s+\d[\d.]*\d(?:\s+and\s+\d[\d.]*\d)?", re.I)


def measured_numbers(text: str, records: list[dict] = ()) -> list[str]:
    """The measured numbers in a piece of Markdown that cites nothing.

    `records` are those of the package: their scores may not be typed, with
    three digits in prose, with four not even in a formula; a citation does
    not excuse them.
    """
    short, long = _written(records)
    found = []
    for paragraph in re.split(r"\n\s*\n", COMMENT.sub("", text)):
        bare = PLACE.sub("", LEVEL.sub("", CODE.sub("", paragraph)))
        if not CITED.search(bare):
            found += [match[0] for match in MEASURED.finditer(bare)]
        told = NUMBER.findall(FORMULA.sub(" ", bare))
        found += [number for number in told if number in short]
        found += [n for n in NUMBER.findall(bare) if n in long]
    return found


def _written(records: list[dict]) -> tuple[set[str], set[str]]:
    # As a fraction and as a percentage, with three digits and with four. A
    # small score has fewer, and 0.7 is nobody's.
    short, long = set(), set()
    for record in records:
        for value in record["test"].values():
            short |= {f"{value:.3f}", f"{100 * value:.1f}"}
            long |= {f"{value:.4f}", f"{100 * value:.2f}"}
    return (
        {way for way in short if _digits(way) >= 3},
        {way for way in long if _digits(way) >= 4},
    )


def _digits(number: str) -> int:
    return len(number.replace(".", "").lstrip("0"))
