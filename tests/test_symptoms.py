r"""The filter of the gallery of mistakes, in a real browser."""

import re

import pytest
from conftest import ROOT, scroll_through

CHAPTER = "notebooks/16_the_gallery_of_mistakes/"
SOURCE = (ROOT / f"{CHAPTER.rstrip('/')}.py").read_text("utf-8")
TITLES = re.findall(r"^# ### (.*)$", SOURCE, re.M)
NEGATIVE = "Probabilities for log-probabilities"


def shown(page):
    cards = page.locator(".card:visible h3").all()
    return [card.text_content().rstrip("#").strip() for card in cards]


def test_all_cards_are_shown_until_a_symptom_is_chosen(open_page):
    page = open_page(CHAPTER)
    assert shown(page) == TITLES
    group = page.get_by_role("group", name="Show the mistakes whose symptom")
    assert group.get_by_role("status").text_content() == (
        f"{len(TITLES)} of {len(TITLES)} mistakes"
    )
    group.get_by_role("radio", name="loss is negative").check()
    assert shown(page) == [NEGATIVE]
    # A heading above no card would stand for nothing.
    heads = page.locator("h2:visible").all_text_contents()
    assert not any(head.startswith("They wreck") for head in heads)
    assert any(head.startswith("They cost") for head in heads)
    assert group.get_by_role("status").text_content().startswith("1 of ")


def test_arrow_keys_choose_a_symptom(open_page):
    page = open_page(CHAPTER)
    radio = page.get_by_role("radio", name="any")
    radio.focus()
    page.keyboard.press("ArrowDown")
    few = shown(page)
    assert 0 < len(few) < len(TITLES)
    page.keyboard.press("ArrowUp")
    assert shown(page) == TITLES


def test_a_link_to_a_hidden_card_shows_it(open_page):
    page = open_page(CHAPTER)
    page.get_by_role("radio", name="loss is negative").check()
    page.evaluate("location.hash = '#answers-out-of-step'")
    page.wait_for_function("() => !document.querySelector('.card[hidden]')")
    assert shown(page) == TITLES


def test_without_script_all_cards_are_shown(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + CHAPTER)
    assert page.locator(".card:visible").count() == len(TITLES)
    assert page.locator(".symptoms").count() == 0
    context.close()


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_no_line_of_a_card_is_cut_off_on_a_phone(open_page, scheme):
    page = open_page(CHAPTER, 390, scheme)
    scroll_through(page)
    for pre in page.locator(".card pre:visible").all():
        room = pre.evaluate("pre => pre.scrollWidth - pre.clientWidth")
        assert room <= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
