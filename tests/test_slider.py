r"""The slider of the chapter on temperature, in a real browser."""

import math

import pytest
from conftest import ROOT, scroll_through

from labkd.figures import temperature_slider

CHAPTER = "notebooks/02_temperature/"
SCRIPT = ROOT / "docs/_site/theme/assets/slider.js"
BOX = "[data-temperature]"


def shown(page):
    r"""The rows of the table: name, the bar's share of its room, number."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".bars tr")].map(row => {
          const [bar, value] = row.querySelectorAll("td")
          const room = getComputedStyle(bar)
          const width = bar.clientWidth - parseFloat(room.paddingLeft)
            - parseFloat(room.paddingRight)
          return [row.querySelector("th").textContent,
            bar.firstChild.getBoundingClientRect().width / width,
            parseFloat(value.textContent)]
        })"""
    )


def softened(logits, temperature):
    raised = [math.exp(logit / temperature) for logit in logits]
    return [value / sum(raised) for value in raised]


def temperature_of(page):
    return float(page.locator(f"{BOX} output").text_content().split()[2][:-1])


def assert_drawn_right(page):
    kept = page.evaluate(
        f"JSON.parse(document.querySelector('{BOX}').dataset.temperature)"
    )
    expected = softened(kept["logits"], temperature_of(page))
    *rows, entropy = shown(page)
    assert [name for name, *_ in rows] == kept["classes"]
    for (_, bar, written), p in zip(rows, expected, strict=True):
        # Three digits of the temperature are written, and of p.
        assert written == pytest.approx(p, abs=2e-3)
        assert bar == pytest.approx(max(p, 0), abs=0.012)
    nats = -sum(p * math.log(p) for p in expected)
    assert entropy[2] == pytest.approx(nats, abs=5e-3)
    assert entropy[1] == pytest.approx(nats / math.log(10), abs=0.012)


def test_the_arrow_keys_heat_and_cool_it(open_page):
    page = open_page(CHAPTER)
    slider = page.get_by_role("slider", name="Temperature")
    slider.focus()
    assert temperature_of(page) == 1
    assert_drawn_right(page)
    for key, temperature in (("End", 20), ("Home", 0.5)):
        page.keyboard.press(key)
        assert temperature_of(page) == temperature
        assert_drawn_right(page)
    for _ in range(24):  # eighths of a doubling: from a half to four
        page.keyboard.press("ArrowRight")
    assert temperature_of(page) == 4
    assert slider.get_attribute("aria-valuetext") == "T = 4.00"
    assert_drawn_right(page)


def test_the_mouse_moves_it(open_page):
    page = open_page(CHAPTER)
    slider = page.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 8)
    assert temperature_of(page) > 15
    assert_drawn_right(page)


def test_it_works_after_instant_navigation_and_back(open_page):
    page = open_page("")
    page.evaluate("window.stayed = true")
    page.locator("article a", has_text="Temperature").first.click()
    page.wait_for_url(f"**/{CHAPTER}")
    for _ in range(2):
        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("End")
        assert temperature_of(page) == 20
        assert page.locator(f"{BOX} input").count() == 1
        assert_drawn_right(page)
        page.go_back()
        page.wait_for_function(f"() => !document.querySelector('{BOX}')")
        page.go_forward()
        page.wait_for_selector(".bars")
    assert page.evaluate("window.stayed")


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_it_fits_a_small_phone(open_page, scheme):
    page = open_page(CHAPTER, 360, scheme)
    scroll_through(page)
    box = page.locator(BOX).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    for part in ("input", "output", "table"):
        inside = page.locator(f"{BOX} {part}").bounding_box()
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
    # A finger needs more than a hair of room.
    assert page.get_by_role("slider").bounding_box()["height"] >= 24


def test_without_script_a_figure_tells_it(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + CHAPTER)
    assert not page.locator(BOX).is_visible()
    figure = page.locator(f":has(> {BOX}) img.figure, img.figure").first
    assert "temperatures 1, 4 and 20" in figure.get_attribute("alt")
    context.close()


def test_it_asks_for_a_name_a_logit_and_a_class_that_exists():
    with pytest.raises(ValueError, match="2 logits, 1 names"):
        temperature_slider([1.0, 2.0], ["truck"], 0)
    with pytest.raises(ValueError, match="class 2 do not fit"):
        temperature_slider([1.0, 2.0], ["truck", "<car>"], 2)
    html = temperature_slider([1.0, 2.0], ["truck", "<car>"], 1)
    assert "<car>" not in html and html._repr_html_() == html


def test_the_script_asks_for_nothing_from_elsewhere():
    assert "http" not in SCRIPT.read_text("utf-8")
