r"""The one style sheet: all of its parts, in their order, with their files."""

import re

import pytest
from conftest import ROOT
from styles import NAME, merged, parts_of

THEME = ROOT / "docs" / "_site" / "theme" / "assets" / "labkd.css"
SHEETS = {
    "assets/stylesheets/main.1a.min.css": '@charset "UTF-8";a{b:url(x.png)}',
    "assets/stylesheets/palette.2b.min.css": "c{d:e}/*# sourceMappingURL=m*/",
    "assets/katex/katex.min.css": "f{src:url(fonts/g.woff2) url('h.ttf')}",
    "assets/labkd.css": "i{j:url(data:k) url(#l) url(/m) url(n.svg)}",
}


def test_addresses_are_seen_from_the_new_place():
    text = merged(SHEETS)
    assert text.startswith('@charset "UTF-8";\na{')
    assert text.count("@charset") == 1 and "sourceMapping" not in text
    assert "url(stylesheets/x.png)" in text
    assert "url(katex/fonts/g.woff2) url('katex/h.ttf')" in text
    # What is no address of a file beside the sheet stays as it was.
    assert "url(data:k) url(#l) url(/m) url(n.svg)" in text
    places = [text.index(start) for start in ("a{", "c{", "f{", "i{")]
    assert places == sorted(places)


def test_rules_for_what_no_page_has_are_left_out(site):
    rules = {
        ".tabbed-set{a:b}": "",
        "p{c:d}.x .tabbed-set>p,[data-md-color-switching] *{e:f}": "p{c:d}",
        "p,.tabbed-set:is(a,b),q:is(r,s){g:h}": "p,q:is(r,s){g:h}",
        "@media print{.tabbed-set{a:b}p{c:d}}": "@media print{p{c:d}}",
        ":is(a,b) p{c:d}": ":is(a,b) p{c:d}",
    }
    name = "assets/stylesheets/main.1a.min.css"
    for text, expected in rules.items():
        assert merged({name: text}).partition("\n")[2] == expected
    # No page has tabs.
    for path in site.rglob("*.html"):
        assert "tabbed-" not in path.read_text("utf-8"), path


def test_the_parts_come_in_their_order_whatever_that_of_the_files():
    names = ["assets/labkd.js", *reversed(SHEETS), "assets/other.css"]
    assert parts_of(names) == list(SHEETS)


@pytest.mark.parametrize("name", SHEETS)
def test_a_part_that_is_missing_or_there_twice_is_named(name):
    rest = [other for other in SHEETS if other != name]
    with pytest.raises(ValueError, match=r"stands for \[\]"):
        parts_of(rest)
    with pytest.raises(ValueError, match=f"{name}.*{name}"):
        parts_of([*SHEETS, name])


def test_a_page_asks_for_one_sheet_and_waits_for_no_script(site):
    for path in sorted(site.rglob("*.html")):
        text = path.read_text("utf-8")
        sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
        assert [sheet.endswith(NAME) for sheet in sheets] == [True], path
        assert len(re.findall("<script defer src=", text)) == 3
        assert "<script src=" not in text


def test_the_sheet_holds_the_themes_katex_and_ours(site):
    text = (site / NAME).read_text("utf-8")
    ours = THEME.read_text("utf-8")
    assert text.endswith(ours) and ".md-header" in text and ".katex" in text
    fonts = re.findall(r"url\((katex/fonts/[^)]+)\)", text)
    assert len(fonts) >= 20
    assert all((site / "assets" / font).is_file() for font in fonts)
