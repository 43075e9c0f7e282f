r"""The coursework: points add up, the guide is complete, solutions run."""

import inspect
import re
import runpy
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from prose import measured_numbers

from labkd import records

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "coursework"
PAGES = sorted(FOLDER.glob("*.md"))
SHEETS = sorted(FOLDER.glob("[0-9]*.md"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.py"))
SNIPPETS = sorted((FOLDER / "snippets").glob("*.py"))
# PyTorch warns of one of the mistakes that sheet 3 is about.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
GUIDE = (FOLDER / "marking.md").read_text("utf-8")
PART = re.compile(r"^##+ \((\w)\) .+ \[(\d+)\]$", re.M)
ENTRY = re.compile(r"^\*\*\((\w)\) \[(\d+)\]\*\* ", re.M)
FENCE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@cache
def solution(stem):
    torch.set_num_threads(1)
    return runpy.run_path(str(FOLDER / "solutions" / f"{stem}.py"))


def functions(stem):
    r"""The letters of the parts that a program solves."""
    return [n[-1] for n in solution(stem) if re.fullmatch(r"part_\w", n)]


@cache
def answers(stem, letter):
    r"""Runs a part, with its assertions: the numbers of the guide."""
    return solution(stem)[f"part_{letter}"]() or []


def entries(number):
    r"""What the guide says of a sheet, by the letter of the part."""
    (section,) = (
        text
        for text in re.split(r"^## ", GUIDE, flags=re.M)
        if text.startswith(f"{number}. ")
    )
    _, *found = ENTRY.split(section)
    return {
        letter: (int(points), " ".join(text.split()))
        for letter, points, text in zip(
            found[::3], found[1::3], found[2::3], strict=True
        )
    }


def parts_of(sheet):
    found = PART.findall(sheet.read_text("utf-8"))
    return {letter: int(points) for letter, points in found}


SOLVED = [
    pytest.param(path.stem, letter, id=f"{path.stem}-{letter}")
    for path in SOLUTIONS
    for letter in re.findall(
        r"^def part_(\w)\(", path.read_text("utf-8"), re.M
    )
]


def test_there_are_ten_sheets_each_with_a_solution():
    assert len(SHEETS) == 10
    assert [p.stem for p in SOLUTIONS] == [p.stem for p in SHEETS]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.stem)
def test_points_sum_to_20_and_the_guide_has_every_part(sheet):
    parts = parts_of(sheet)
    assert 4 <= len(parts) <= 7 and sum(parts.values()) == 20
    assert list(parts) == list("abcdefg"[: len(parts)])
    guide = entries(int(sheet.stem[:2]))
    assert {letter: points for letter, (points, _) in guide.items()} == parts
    assert all(len(text.split()) > 12 for _, text in guide.values())


@pytest.mark.parametrize(("stem", "letter"), SOLVED)
def test_a_part_comes_out_as_the_guide_says(stem, letter):
    _, text = entries(int(stem[:2]))[letter]
    stated = answers(stem, letter)
    assert [number for number in stated if number not in text] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.stem)
def test_what_the_guide_calls_asserted_is_computed(sheet):
    solved = functions(sheet.stem)
    assert set(solved) <= parts_of(sheet).keys()
    for letter, (_, text) in entries(int(sheet.stem[:2])).items():
        if re.search("asserted|measured", text, re.I):
            assert letter in solved, (sheet.stem, letter)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_no_page_types_a_measured_number(page):
    text = page.read_text("utf-8")
    if page.stem == "marking":
        # These are computed again above, and may be anybody's by chance.
        for stem, letter in (param.values for param in SOLVED):
            for number in sorted(answers(stem, letter), key=len)[::-1]:
                text = text.replace(number, "")
    assert measured_numbers(text, records.read_all()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_page_says_what_it_is(page):
    _, front, body = page.read_text("utf-8").split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["title"] and front["description"]
    # The index of the search comes with every first visit.
    assert front["search"] == {"exclude": True}
    (heading,) = re.findall(r"^# (.+)$", FENCE.sub("", body), re.M)
    assert heading == front["title"]


def test_the_overview_names_every_sheet_and_its_chapters():
    overview = (FOLDER / "index.md").read_text("utf-8")
    rows = re.findall(
        r"^\| \[(.+?)\]\((.+?)\) \|.*\| (.+?) \|$", overview, re.M
    )
    assert [name for _, name, _ in rows] == [path.name for path in SHEETS]
    for (title, _, chapters), sheet in zip(rows, SHEETS, strict=True):
        text = sheet.read_text("utf-8")
        assert f"# Sheet {title.replace('. ', ': ')}\n" in text
        needs = re.search(r"^\*.+?Needs.+?(?:^\n|\Z)", text, re.M | re.S)[0]
        needed = re.findall(r"\[(\d+)\]\(../../notebooks/\d", needs)
        assert needed == re.findall(r"\d+", chapters), sheet.stem


def test_each_snippet_is_shown_on_one_sheet():
    shown = []
    for sheet in SHEETS:
        text = sheet.read_text("utf-8")
        shown += re.findall(r"^<!-- (\w+\.py) -->$", text, re.M)
    assert sorted(shown) == [path.name for path in SNIPPETS]


@pytest.mark.parametrize(
    "path", [*SNIPPETS, *SOLUTIONS], ids=lambda path: path.stem
)
def test_a_program_needs_nothing_but_what_the_course_has(path):
    imported = re.findall(
        r"^(?:import|from) (\w+)", path.read_text("utf-8"), re.M
    )
    ours = {"torch", "numpy", "scipy", "safetensors", "labkd"}
    standard = set(
        "copy functools inspect itertools json math pathlib".split()
    )
    standard |= set("re runpy shlex shutil statistics sys tempfile".split())
    assert set(imported) <= ours | standard


def test_what_sheets_give_is_what_the_solutions_take():
    given = {}
    for stem in ("05_a_fair_comparison", "07_calibration"):
        page = (FOLDER / f"{stem}.md").read_text("utf-8")
        for source in FENCE.findall(page):
            exec(source, given)
    taken = solution("05_a_fair_comparison")
    assert [given["labels"], given["soft"]] == [taken["LABELS"], taken["SOFT"]]
    taken = solution("07_calibration")
    assert given["confidence"] == taken["CONFIDENCE"]
    assert given["right"] == taken["RIGHT"]
    assert given["logits"]["test"].shape == (10_000, 10)


def test_the_loop_is_asked_for_as_the_tests_call_it():
    page = (FOLDER / "04_a_loop.md").read_text("utf-8")
    (source,) = FENCE.findall(page)
    given = {}
    exec(source + "    pass\n", given)
    asked = inspect.signature(given["distill"]).parameters
    ours = inspect.signature(solution("04_a_loop")["distill"]).parameters
    assert list(asked.values()) == list(ours.values())[: len(asked)]


def test_the_records_are_read_as_sheet_9_shows(capsys):
    runpy.run_path(str(FOLDER / "snippets" / "reading_records.py"))
    assert "scratch-vit-cifar10 laptop" in capsys.readouterr().out


def test_the_checks_say_which_failed(capsys, monkeypatch):
    names = "step_checks", "wrong_step"
    files = [str(FOLDER / "snippets" / f"{name}.py") for name in names]
    monkeypatch.setattr("sys.argv", files)
    runpy.run_path(files[0], run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("failed check_") for line in lines)
