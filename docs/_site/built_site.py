"""Looks a built site over: `python docs/_site/built_site.py site`.

Links, anchors, ids, balanced tags, alternative texts, one h1 a page, and
nothing that a browser would fetch from elsewhere.
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from checks import html_problems

ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.I)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.I)
IN_CSS = re.compile(r"(?:url\(|@import\s+)[\"']?([^\"')\s]+)")
FETCHED = {"stylesheet", "icon", "preload", "preconnect", "modulepreload"}


class Page(HTMLParser):
    """What a page links to, fetches and names."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.without_alt = self.headings = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if attrs.get("id") else []
        self.headings += tag == "h1"
        self.without_alt += tag == "img" and not attrs.get("alt")
        if tag == "a" and attrs.get("href") is not None:
            self.links.append(attrs["href"])
        if tag == "link" and FETCHED & set(attrs.get("rel", "").split()):
            self.fetched.append(attrs["href"])
        elif tag not in ("a", "link"):
            for name in ("src", "data", "poster"):
                self.fetched += [attrs[name]] if attrs.get(name) else []


def problems(site: Path) -> list[str]:
    """Everything that is wrong with a built site, each with its file."""
    site = site.resolve()
    texts = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    pages = {path: Page(text) for path, text in texts.items()}
    found = []
    for path, page in sorted(pages.items()):
        wrong = [
            *html_problems(texts[path]),
            *_page_problems(page),
            *_fetch_problems(path, page),
        ]
        # Whatever address was asked for in vain, the links of this page
        # start at the root of the server.
        if path.name != "404.html":
            wrong += _link_problems(path, page, pages)
        found += [f"{path.relative_to(site)}: {problem}" for problem in wrong]
    for path in sorted(site.rglob("*.css")):
        for problem in _css_problems(path):
            found.append(f"{path.relative_to(site)}: {problem}")
    return found


def _page_problems(page: Page) -> Iterator[str]:
    for twice in sorted({i for i in page.ids if page.ids.count(i) > 1}):
        yield f"the id {twice!r} stands twice"
    if page.without_alt:
        yield f"{page.without_alt} images without alternative text"
    # The page for missing addresses has one too.
    if page.headings != 1:
        yield f"{page.headings} h1 headings"


def _fetch_problems(path: Path, page: Page) -> Iterator[str]:
    for address in page.fetched:
        if ELSEWHERE.match(address):
            yield f"fetches from elsewhere: {address}"
        elif path.name != "404.html" and not _is_there(path, address):
            yield f"fetches what is not there: {address}"


def _link_problems(path: Path, page: Page, pages) -> Iterator[str]:
    for link in page.links:
        if ADDRESS.match(link):
            continue
        target = _target(path, link) if not link.startswith("#") else path
        anchor = unquote(urlsplit(link).fragment)
        if not target.is_file():
            yield f"broken link: {link}"
        elif anchor and target in pages and anchor not in pages[target].ids:
            yield f"broken anchor: {link}"


def _css_problems(path: Path) -> Iterator[str]:
    for address in IN_CSS.findall(path.read_text("utf-8")):
        if ELSEWHERE.match(address):
            yield f"fetches from elsewhere: {address}"
        elif not _is_there(path, address):
            yield f"fetches what is not there: {address}"


def _is_there(path: Path, address: str) -> bool:
    inside = address.startswith(("data:", "#"))
    return inside or _target(path, address).is_file()


def _target(path: Path, address: str) -> Path:
    target = (path.parent / unquote(urlsplit(address).path)).resolve()
    return target / "index.html" if target.is_dir() else target


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]))
    print("\n".join(wrong) or "nothing wrong")
    sys.exit(bool(wrong))
