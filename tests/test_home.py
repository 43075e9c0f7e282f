r"""The way in: the home page, the five tabs, README."""

import ast
import re
import shlex
import shutil
import sys
from itertools import product
from pathlib import Path

import home
import pytest
import readme
import torch
import yaml
from built_site import Page
from conftest import ROOT
from headline import MARKER, sentence
from packaging.requirements import Requirement
from PIL import Image
from test_browser import AXE, AXE_RUN, violations
from test_setup import PROJECT
from torchvision.models import resnet18

from labkd import records
from labkd.lab.cli import main

NAV = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), yaml.BaseLoader)[
    "nav"
]
PARTS = next(item["Course"] for item in NAV if "Course" in item)
CHAPTERS = [uri for part in PARTS for uris in part.values() for uri in uris]
TABS = ["Course", "Cheat sheet", "Exercises", "Results", "Reference"]
COLOURS = ("red", "green", "blue")
FENCE = re.compile(r"^```python\n(.*?)^```$", re.S | re.M)


def notebook(source):
    return {"cells": [{"source": source.splitlines(keepends=True)}]}


# -- the cards -----------------------------------------------------------


def test_a_card_asks_the_question_of_its_chapter():
    asked = notebook(
        "# 3 · Name\n\n> [!NOTE]\n> **Question.** Why\n> [here](a.ipynb)?\n>\n"
        "> **Answer.** So.\n"
    )
    assert home.title(asked) == "3 · Name"
    assert home.question(asked) == "Why here?"
    assert home.question(notebook("# Name\n\nFirst one. And two.")) == (
        "First one."
    )


def test_cards_come_from_the_nav():
    one, two = CHAPTERS[:2]
    nav = [{"Home": "x.md"}, {"Course": [{"B": [two]}, {"A": [one]}]}]
    notebooks = {one: notebook("# One\n\nYes."), two: notebook("# Two\n\nNo.")}
    text = home.cards(nav, notebooks)
    assert re.findall(r"^### (\w)|\[(\w+)\]", text, re.M) == [
        ("B", ""),
        ("", "Two"),
        ("A", ""),
        ("", "One"),
    ]
    with pytest.raises(FileNotFoundError):
        home.cards(
            [{"Course": [{"A": ["n/gone.ipynb"]}]}],
            {"n/gone.ipynb": notebook("# Gone")},
        )


@pytest.mark.parametrize(
    "path", sorted(home.THUMBNAILS.iterdir()), ids=lambda path: path.stem
)
def test_a_thumbnail_follows_the_colours_of_the_page(path):
    svg = path.read_text("utf-8")
    assert "currentColor" in svg and 'aria-hidden="true"' in svg
    assert not re.search(r"href|<style|<script|\bid=", svg)
    bare = re.sub(r"var\(--picture-(teacher|student), #\w{6}\)", "", svg)
    assert "#" not in bare


# -- the built page ------------------------------------------------------


@pytest.fixture(scope="module")
def text(site):
    return (site / "index.html").read_text("utf-8")


def test_the_home_page_says_where_to_begin(site, text):
    (buttons,) = re.findall(r'<p class="buttons">(.*?)</p>', text, re.S)
    start, copy, colab = re.findall(r'href="([^"]+)"', buttons)
    assert start == f"{CHAPTERS[0].removesuffix('.ipynb')}/"
    assert copy == "cheatsheet/"
    chapter = (site / start / "index.html").read_text("utf-8")
    assert f'<a href="{colab}">Open in Colab</a>' in chapter
    assert '<figure aria-label="Teacher and student.' in text
    cards = re.findall(r'<ul class="chapters".*?</ul>', text, re.S)
    links = re.findall(r'<a href="([^"]+)"', "".join(cards))
    assert links == [f"{uri.removesuffix('.ipynb')}/" for uri in CHAPTERS]
    assert (site / "snippets" / "cnn_to_vit.py").is_file()
    assert "snippets/cnn_to_vit.py" in Page(text).links


def test_the_home_page_says_how_long_a_chapter_takes():
    index = " ".join((ROOT / "docs" / "index.md").read_text("utf-8").split())
    assert (
        "A chapter takes ten to twenty minutes to read and, on a laptop "
        "without a GPU, about a minute at most to run."
    ) in index
    for uri in CHAPTERS:
        box = (ROOT / uri).with_suffix(".py").read_text("utf-8")
        box = " ".join(box.replace("# >", "").split())
        read, run = re.search(
            r"To read: (\w+) minutes[^.]*\. To run: ([^.,]+)", box
        ).groups()
        assert read in ("ten", "twelve", "twenty")
        assert re.fullmatch(
            r"(a quarter of a|half a|under a|a) minute( offline)?", run
        )


def test_every_measured_row_says_which_data(text):
    rows = re.findall(r"<li><p><b>.*?</li>", text)
    assert rows
    for row in rows:
        assert re.search(r"(JPEG copy, quality 75|original)\)", row)
    # Nothing of it was typed.
    assert MARKER in (ROOT / "docs" / "index.md").read_text("utf-8")


def test_every_page_is_two_clicks_from_home(site):
    pages = {
        path.parent: Page(path.read_text("utf-8")).links
        for path in site.rglob("index.html")
    }
    reached = {site}
    for _ in range(2):
        reached |= {
            (page / link.partition("#")[0]).resolve()
            for page in reached & pages.keys()
            for link in pages[page]
            if ":" not in link
        }
    assert pages.keys() - reached == set()


def test_five_tabs_and_the_logo_lead_everywhere(open_page):
    page = open_page("")
    tabs = page.locator(".md-tabs__link:visible").all()
    assert [tab.text_content().strip() for tab in tabs] == TABS
    tabs[-1].click()
    page.wait_for_selector(".md-tabs__item--active >> text=Reference")
    for name in ("Losses", "Images", "Notation", "Papers"):
        beside = page.locator(".md-sidebar--primary").get_by_text(
            name, exact=True
        )
        assert beside.first.is_visible()
    page.locator(".md-header .md-logo").click()
    page.wait_for_selector(".hero")


def test_on_a_phone_the_drawer_has_the_same_five(open_page):
    page = open_page("", 390)
    page.locator("label.md-header__button[for=__drawer]").click()
    drawer = page.locator(".md-nav--primary > .md-nav__list > li")
    names = [item.inner_text().split("\n")[0] for item in drawer.all()]
    assert names == ["Home", *TABS]
    drawer.nth(1).locator("a").first.click()
    page.wait_for_selector(".prose")
    assert page.url.endswith(f"{CHAPTERS[0].removesuffix('.ipynb')}/")


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_the_smallest_phone(open_page, scheme):
    page = open_page("", 320, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.wait_for_function("() => !document.getAnimations().length")
    page.evaluate(AXE.read_text("utf-8"))
    assert violations(page.evaluate(AXE_RUN)) == []


def test_no_script_is_needed(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    for seen in (".picture svg", ".chapters svg", ".gains .interval"):
        assert page.locator(seen).first.is_visible()
    page.get_by_text("Start with chapter 1").click()
    page.wait_for_url("**/01_hard_and_soft_labels/")
    context.close()


# -- README --------------------------------------------------------------


@pytest.fixture
def told():
    return (ROOT / "README.md").read_text("utf-8")


def test_the_readme_is_as_records_and_nav_have_it(told):
    # python docs/_site/readme.py writes it anew.
    assert readme.written(told) == told
    assert sentence(records.read_all()) in told
    for uri in CHAPTERS:
        assert told.count(f"/{uri})") == 1
    with pytest.raises(ValueError):
        readme.written("# Nothing")


def test_the_picture_of_the_readme_is_of_todays_drawing(told):
    with Image.open(readme.PICTURE) as image:
        assert image.text["drawing"] == readme.digest()
        assert image.width == 2 * readme.WIDTH
    path = readme.PICTURE.relative_to(ROOT).as_posix()
    assert re.search(
        rf'<img src="{path}" width="{readme.WIDTH}" alt="An', told
    )


def test_the_snippet_runs_as_it_stands(told, capsys):
    names = {}
    exec(FENCE.findall(told)[0], names)
    truck, car, frog = -names["student_logits"].grad[0]
    assert truck > 0 and car > 0 > frog
    assert "tensor(" in capsys.readouterr().out


def paint(folder, kind, count):
    r"""A folder of so many images of one colour, each with a noise."""
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = torch.randint(60, (40, 50, 3), dtype=torch.uint8)
        pixels[..., COLOURS.index(kind)] += 180
        Image.fromarray(pixels.numpy()).save(folder / f"{number}.png")


def test_ones_own_data_and_teacher(told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Saved from the cheat sheet, as its reader is told.
    shutil.copy(ROOT / "docs" / "snippets" / "whole_loop.py", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(0)
    for part, kind in product(("train", "validation"), COLOURS):
        paint(Path("photos", part, kind), kind, count=2)
    teacher = resnet18(num_classes=3)
    torch.save(teacher.state_dict(), "teacher.pt")
    code = FENCE.findall(told)[1]
    lines = [line for line in code.splitlines() if line]
    assert sum(not line.startswith("#") for line in lines) <= 15
    names = {}
    exec(code, names)
    assert names["training"].classes == sorted(COLOURS)
    # The teacher stays as it was.
    for name, value in names["teacher"].state_dict().items():
        assert torch.equal(value.cpu(), teacher.state_dict()[name])
    accuracies = ast.literal_eval(capsys.readouterr().out)
    assert len(accuracies) == 10 and set(accuracies) <= {
        n / 6 for n in range(7)
    }
    names["student"].load_state_dict(torch.load("student.pt"))
    assert all(
        value.isfinite().all() for value in torch.load("student.pt").values()
    )


def test_the_laboratory_with_ones_own_teacher(
    told, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for part, kind in product(("train", "test"), COLOURS):
        paint(Path("photos", part, kind), kind, count=20)
    # It knows what it sees if it is given pixels in 0 .. 1, as it is told.
    Path("mine.py").write_text(
        "from torch import nn\n\n\n"
        "class Colours(nn.Module):\n"
        "    def forward(self, pixels):\n"
        f"        order = {[COLOURS.index(k) for k in sorted(COLOURS)]}\n"
        "        return 9 * pixels.mean((2, 3))[:, order]\n\n\n"
        "def my_teacher():\n"
        "    return Colours()\n"
    )
    lines = told.replace("\\\n", "").splitlines()
    commands = [
        shlex.split(line)[3:]
        for line in lines
        if line.startswith("python -m labkd ")
    ]
    assert [words[0] for words in commands] == "run run table list".split()
    for words in commands:
        short = ["--set", "epochs=1"] * (words[0] == "run")
        assert main(words + short) == 0
    taught, alone = (
        records.read(words[1], "laptop", 0, Path("runs"))
        for words in commands[:2]
    )
    assert taught["teacher"]["validation"]["accuracy"] == 1
    assert taught["config"]["baseline"] == alone["recipe"]
    differing = {
        key
        for key, value in taught["config"].items()
        if alone["config"].get(key) != value
    }
    assert differing >= {"objective", "teacher"}
    assert not differing & {"dataset", "image_size", "epochs", "width"}
    out = capsys.readouterr().out
    assert "mine:my_teacher is right about 100.0 %" in out
    assert f"\n{alone['recipe']} " in out
    sys.modules.pop("mine")


def test_the_readme_says_which_chapters_need_the_laboratory(told):
    need = [
        path.name[:2]
        for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))
        if "labkd.lab" in path.read_text("utf-8")
    ]
    (line,) = [t for t in told.splitlines() if "what the chapters need" in t]
    assert re.findall(r"\d+", line) == need
    told = (ROOT / "labkd" / "lab" / "README.md").read_text("utf-8")
    (line,) = [t for t in told.splitlines() if t.startswith("What makes the")]
    assert re.findall(r"\d+", line) == need


def test_what_the_readme_installs_there_is(told):
    lines = re.findall(r'pip install "([^"]+)"', told)
    assert len(lines) == 3
    for line in lines:
        wanted = Requirement(line)
        assert wanted.name == PROJECT["project"]["name"]
        assert wanted.url == f"git+{PROJECT['project']['urls']['Repository']}"
        assert (
            wanted.extras <= PROJECT["project"]["optional-dependencies"].keys()
        )
