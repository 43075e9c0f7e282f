"""No measured number is typed into prose."""

from pathlib import Path

import nbformat
import pytest
from headline import sentence
from prose import measured_numbers

from labkd import records

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
RECORD = {"test": {"accuracy": 0.87654, "nll": 0.4321, "ece": 0.0081}}


def prose_of(page):
    if page.suffix == ".md":
        # README's one sentence that is written from the records.
        text = page.read_text("utf-8")
        return text.replace(sentence(records.read_all()), "")
    notebook = nbformat.read(page, as_version=4)
    cells = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    return "\n\n".join(cells)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_types_a_measured_number(page):
    assert measured_numbers(prose_of(page), records.read_all()) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The student reaches 87 %.",
        "The student reaches 95 %, an interval wide.",
        "It reached 87.3% in the end.",
        "That is **1.2 points** more.",
        "Soft labels give $58.2 \\pm 0.8$.",
        "Soft labels give 58.2 ± 0.8.",
        "It took 12 minutes.",
        "Training takes 40s.",
        "The table is 3.5 x faster.",
        "It runs at 114 images per second.",
        "with an accuracy of 0.91",
        "The median is 0.021 nats.",
        # No unit, but the score of a record.
        "We saw 87.65 there.",
        "The divergence was 0.432 at last.",
        "As others found ([2015](references.md#hinton2015)), 0.8765.",
        "Section 2.1 and a score of 87.7.",
        "A formula, $q = 1 - p$, and a score of 0.432 beside it.",
        "In a formula with four digits, $p = 0.8765$, it is one too.",
    ],
)
def test_the_guard_finds(sentence):
    text = f"# Title\n\nSome text.\n\n{sentence}\n\nMore text."
    assert measured_numbers(text, [RECORD])


@pytest.mark.parametrize(
    "sentence",
    [
        "Take $T = 4$ and $p = (0.70, 0.25, 0.05)$.",
        "Section 2, equation 1; chapter 3; 32 x 32 pixels; 10 classes.",
        "Both give the truck 0.60.",
        "Krizhevsky reports 89 % ([2009](../docs/references.md#k2009)).",
        "Use `sleep 40s`, with 50 images.",
        "```\n87.65 % in 12 minutes\n```",
        "<!-- 87 % -->",
        "with its 95 % interval, nine degrees of freedom",
        "A small score is 0.008, and 0.8 of all is something else.",
        # Worked by hand, and by chance the same.
        "The mean is $\\bar p = (0.432, 0.450)$.",
        "$$\n0.432 = 0.5 - 0.068\n$$",
        "Hinton et al., sections 4.3 and 87.7, and in Section 43.2.",
    ],
)
def test_the_guard_lets_pass(sentence):
    assert measured_numbers(sentence, [RECORD]) == []
