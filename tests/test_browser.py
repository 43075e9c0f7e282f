r"""The site in a real browser: layout, weight, copying, accessibility."""

import gzip
import html
import json
import tomllib
from pathlib import Path

import pytest
from cells import of_module
from conftest import ROOT, scroll_through
from playwright.sync_api import expect

AXE = ROOT / "docs" / "_site" / "node_modules" / "axe-core" / "axe.min.js"
# Of what is in order the name of a rule is enough.
AXE_RUN = "axe.run({ resultTypes: ['violations'] })"
CHAPTER = "notebooks/01_hard_and_soft_labels/"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADDRESS = PROJECT["project"]["urls"]["Repository"]
MODULE = "labkd/soft_targets/"
PAGES = ("", CHAPTER, MODULE, "results/")
CHAPTERS = [
    f"notebooks/{path.stem}/"
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
]
EVERY = (*dict.fromkeys((*PAGES, *CHAPTERS)), "notation/", "references/")
SCHEMES = ("light", "dark")
WIDE = {"width": 1440, "height": 900}


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def violations(result):
    return [
        (violation["id"], node["html"][:200], node["failureSummary"])
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def assert_accessible(page):
    # Colours on their way from one to another are nobody's choice.
    page.wait_for_function("() => !document.getAnimations().length")
    page.evaluate(AXE.read_text("utf-8"))
    result = page.evaluate(AXE_RUN)
    assert len(result["passes"]) > 10
    assert violations(result) == []


@pytest.mark.parametrize("number, name", list(enumerate(PAGES)))
def test_one_page_of_each_kind_is_accessible(open_page, number, name):
    page = open_page(name, 1440, SCHEMES[number % 2])
    scroll_through(page)
    assert_accessible(page)


@pytest.mark.parametrize("number, name", list(enumerate(EVERY)))
def test_a_small_phone_has_no_trouble_with_it(open_page, number, name):
    page = open_page(name, 360, SCHEMES[1 - number % 2])
    scroll_through(page)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.mouse.wheel(300, 0)
    assert page.evaluate("scrollX") == 0


@pytest.mark.parametrize("width", (1440, 390))
def test_no_accessibility_violations_while_searching(open_page, width):
    page = open_page(MODULE, width)
    page.keyboard.press("/")
    page.keyboard.type("temperature", delay=20)
    page.wait_for_selector(".md-search-result__item")
    assert_accessible(page)


def pairs(page):
    r"""The boxes of each cell of prose and of the code beside it."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".prose:not(.alone)")]
          .map(prose => [prose, prose.nextElementSibling])
          .map(pair => pair.map(cell => {
            const box = cell.firstElementChild.getBoundingClientRect()
            const { left, right, top, bottom } = box
            return { left, right, top, bottom }
          }))"""
    )


@pytest.mark.parametrize("name", (CHAPTER, MODULE))
def test_prose_and_code_stand_side_by_side(open_page, name):
    page = open_page(name)
    found = pairs(page)
    assert len(found) > 5
    column = page.locator("article").bounding_box()
    for prose, code in found:
        assert prose["right"] < code["left"]
        # They share most of the height of the shorter one.
        shared = min(prose["bottom"], code["bottom"]) - max(
            prose["top"], code["top"]
        )
        heights = (box["bottom"] - box["top"] for box in (prose, code))
        assert shared > 0.5 * min(heights)
        assert code["left"] - column["x"] > 0.4 * column["width"]
        assert code["right"] <= column["x"] + column["width"] + 1


def test_on_a_phone_the_columns_stand_one_below_the_other(open_page):
    page = open_page(CHAPTER, 390)
    # What has not come near yet has a height that is a guess.
    scroll_through(page)
    for prose, code in pairs(page):
        assert prose["bottom"] <= code["top"]
        assert abs(prose["left"] - code["left"]) < 1


def test_rows_do_not_cover_one_another_on_the_way_down(open_page):
    page = open_page(CHAPTER)
    for fraction in (0.2, 0.4, 0.6, 0.8):
        page.evaluate(f"scrollTo(0, {fraction} * document.body.scrollHeight)")
        page.wait_for_timeout(100)
        boxes = [box for pair in pairs(page) for box in pair]
        for column in (boxes[::2], boxes[1::2]):
            for above, below in zip(column, column[1:], strict=False):
                assert above["bottom"] <= below["top"] + 1


@pytest.mark.parametrize("name", (CHAPTER, MODULE))
def test_79_characters_of_code_fit(open_page, name):
    page = open_page(name)
    room = page.evaluate(
        """() => {
          const code = document.querySelector(".code pre > code")
          const copy = code.cloneNode()
          copy.append("x".repeat(79))
          code.parentElement.append(copy)
          const room = copy.clientWidth - copy.scrollWidth
          copy.remove()
          return room
        }"""
    )
    assert room >= 0


def test_prose_without_code_keeps_a_readable_measure(open_page):
    page = open_page(CHAPTER)
    widths = page.evaluate(
        """() => [...document.querySelectorAll(".alone p:not(.touch *)")]
          .map(p => [p.clientWidth, getComputedStyle(p).fontSize])
          .map(([width, size]) => width / parseFloat(size))"""
    )
    # Half an em a letter: 60 to 95 letters.
    assert widths and max(widths) <= 47 and max(widths) >= 30


def visited(browser, address):
    r"""A page, seen for the first time, and the bytes that came with it."""
    page = browser.new_context(viewport=WIDE).new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes = []
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.append(event["encodedDataLength"]),
    )
    page.goto(address)
    return page, sizes


def weight_of(folder):
    text = (folder / "index.html").read_bytes()
    return len(gzip.compress(text)) + sum(
        file.stat().st_size for file in folder.glob("*.png")
    )


def test_a_first_visit_weighs_at_most_400_kilobytes(browser, site, address):
    # Of the chapters the heaviest: the others share all but the page.
    heaviest = sorted(CHAPTERS, key=lambda name: weight_of(site / name))[-3:]
    names = dict.fromkeys((*PAGES, *heaviest))
    visits = {name: visited(browser, address + name) for name in names}
    # Until a second brings nothing: scripts fetch what they need.
    before = None
    while before != (before := [len(sizes) for _, sizes in visits.values()]):
        visits[""][0].wait_for_timeout(1000)
    for name, (page, sizes) in visits.items():
        assert len(sizes) > 5
        assert sum(sizes) <= 400_000, (name, sum(sizes))
        page.context.close()


def code_cells():
    path = ROOT / CHAPTER.rstrip("/")
    notebook = json.loads(path.with_suffix(".ipynb").read_text("utf-8"))
    return [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        and not {"remove", "hide-input", "setup"}
        & set(cell["metadata"].get("tags", ()))
    ]


def rows_of_the_module():
    source = (ROOT / MODULE.rstrip("/")).with_suffix(".py").read_text("utf-8")
    cells = of_module(source)
    return [c["source"] for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize(
    "name, sources", [(CHAPTER, code_cells), (MODULE, rows_of_the_module)]
)
def test_copy_takes_exactly_the_code_of_a_cell_or_row(
    open_page, name, sources
):
    page = open_page(name)
    scroll_through(page)
    copied = []
    for button in page.locator('.code .md-code__button[title*="Copy"]').all():
        button.click()
        copied.append(clipboard(page).removesuffix("\n"))
    assert copied == sources()


def test_copy_takes_a_whole_function(open_page):
    page = open_page(MODULE)
    source = (ROOT / "labkd" / "soft_targets.py").read_text("utf-8")
    offered = [cell["metadata"].get("whole") for cell in of_module(source)]
    wanted = [
        html.unescape(whole).replace("REPOSITORY_ADDRESS", ADDRESS)
        for whole in offered
        if whole
    ]
    buttons = page.locator(".copy-whole").all()
    assert len(buttons) == len(wanted) > 0
    for button, whole in zip(buttons, wanted, strict=True):
        button.click()
        assert clipboard(page) == whole
        assert button.text_content() == "Copied"
        status = page.locator(".md-dialog--active [role=status]")
        status.wait_for()
        assert "Copied" in status.text_content()
        assert status.get_attribute("aria-live") == "polite"
    page.wait_for_timeout(2100)
    assert buttons[0].text_content() == "Copy with its helpers"


def test_everything_works_after_instant_navigation(open_page):
    page = open_page("")
    page.evaluate("window.stayed = true")
    page.locator(".md-tabs__link", has_text="Reference").click()
    page.wait_for_selector(".copy-whole")
    assert page.url.endswith(MODULE)
    page.locator(".copy-whole").first.click()
    assert "def soften" in clipboard(page)
    scroll_through(page)
    page.locator('.code .md-code__button[title*="Copy"]').first.click()
    assert clipboard(page).startswith("import math")
    for nav in page.locator(".md-code__nav").all():
        assert nav.get_attribute("aria-label")
    page.locator(".used-in a").first.click()
    page.wait_for_url(f"**/{CHAPTER}")
    page.wait_for_selector(".katex")
    fonts = page.evaluate(
        """async () => {
          await document.fonts.ready
          return document.fonts.check('16px KaTeX_Main')
        }"""
    )
    assert fonts and pairs(page)
    assert page.evaluate("window.stayed")


@pytest.mark.parametrize("how", ["skip", "load"])
def test_search_stays_open_while_one_types(open_page, how):
    page = open_page(CHAPTER)
    if how == "skip":
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    else:
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector("[data-md-component=search].md-search")
    is_open = page.locator("#__search")

    def open_and_wait():
        page.keyboard.press("/")
        for _ in range(100):
            # Until the page's script listens.
            page.wait_for_timeout(50)
            if is_open.is_checked():
                break
            page.keyboard.press("/")
        page.wait_for_timeout(400)
        assert is_open.is_checked()

    open_and_wait()
    # Escape closes it all the same, and so does a click beside it.
    page.keyboard.press("Escape")
    expect(is_open).not_to_be_checked()
    expect(page.locator(".md-search__input")).not_to_be_focused()
    open_and_wait()
    page.mouse.click(20, 500)
    expect(is_open).not_to_be_checked()


def test_search_finds_a_function_and_goes_there(open_page):
    page = open_page("")
    page.keyboard.press("/")
    page.keyboard.type("kl_divergence", delay=20)
    page.wait_for_selector(".md-search-result__item a")
    links = page.locator(".md-search-result__item a").all()
    targets = [link.get_attribute("href") for link in links]
    assert any("labkd/soft_targets/" in target for target in targets)


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_figures_are_inverted_in_the_dark_unless_photographs(
    open_page, scheme
):
    page = open_page(CHAPTER, scheme=scheme)
    filters = page.evaluate(
        """() => [...document.querySelectorAll("img.figure")].map(image =>
          [image.matches(".photo"), getComputedStyle(image).filter])"""
    )
    assert filters
    for photo, effect in filters:
        inverted = scheme == "dark" and not photo
        assert ("invert" in effect) == inverted


def test_figures_take_their_place_before_they_arrive(open_page):
    page = open_page(CHAPTER)
    before = page.evaluate("document.body.scrollHeight")
    scroll_through(page)
    page.wait_for_load_state("networkidle")
    for image in page.locator("img.figure").all():
        assert image.evaluate("image => image.complete")
        assert image.evaluate("image => image.naturalWidth") > 0
    after = page.evaluate("document.body.scrollHeight")
    # An odd number of pixels, shown at half the size, rounds.
    assert abs(after - before) <= page.locator("img.figure").count()


def test_buttons_at_the_top_and_links_at_the_foot(open_page, address):
    page = open_page(CHAPTER)
    names = [link.text_content() for link in page.locator(".actions a").all()]
    assert names[:3] == ["Open in Colab", "Download .ipynb", "View source"]
    with page.expect_download() as download:
        page.get_by_text("Download .ipynb").click()
    path = (ROOT / CHAPTER.rstrip("/")).with_suffix(".ipynb")
    downloaded = Path(download.value.path()).read_bytes()
    assert downloaded == path.read_bytes()
    assert page.locator("a.md-footer__link--next").count() == 1
    page = open_page(MODULE)
    names = [link.text_content() for link in page.locator(".actions a").all()]
    assert names[:2] == ["Download .py", "View source"]
    with page.expect_download() as download:
        page.get_by_text("Download .py").click()
    path = (ROOT / MODULE.rstrip("/")).with_suffix(".py")
    assert Path(download.value.path()).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "name", [*CHAPTERS[5:6], CHAPTERS[15], MODULE, "results/"]
)
def test_paper_has_one_column_no_buttons_and_all_code(open_page, name):
    # As wide as A4 between its margins of 25 mm.
    page = open_page(name, width=605)
    page.emulate_media(media="print")
    assert not page.locator(".actions, .md-code__nav").first.is_visible()
    lost = page.evaluate(
        """() => [...document.querySelectorAll("pre, .rich, .all-runs")]
          .filter(box => box.scrollWidth > box.clientWidth + 1
            || box.scrollHeight > box.clientHeight + 1
            || box.localName === "pre"
            && !(box.checkVisibility() && box.clientHeight))
          .map(box => box.textContent)"""
    )
    assert lost == []
    # A line of 79 characters is one line there, too.
    for code in page.locator("section.code pre > code").all():
        lines = code.evaluate(
            """code => code.getBoundingClientRect().height
              / parseFloat(getComputedStyle(code).lineHeight)"""
        )
        assert lines < code.text_content().count("\n") + 2
