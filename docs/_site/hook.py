"""The thin layer between MkDocs, mkdocs-jupyter and the modules here."""

import base64
import hashlib
import io
import json
import os
import re
import struct
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import cells
import checks
import claims
import drawing_block
import formulas
import headline
import home
import jinja2
import library_table
import policy
import records_table
import scale_table
import soft_labels
import sweeps_table
import usage
import yaml
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url
from PIL import Image

from labkd import pictures
from labkd.lab import damage

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "labkd" / "results"
# What a page writes for the repository's address.
ADDRESS = "REPOSITORY_ADDRESS"
# And for where Colab finds its files.
COLAB = "COLAB_ADDRESS"
# What is written from the records, and the marker of its place.
WRITTEN = {
    headline.MARKER: headline.headline,
    claims.MARKER: claims.table,
    sweeps_table.MARKER: sweeps_table.table,
    sweeps_table.ADVICE: sweeps_table.advice,
    records_table.MADE: records_table.made,
    records_table.METHODS: records_table.by_method,
}
# What a reader can touch, and the marker of its place: on any page.
TOUCHED = {
    soft_labels.MARKER: soft_labels.block,
    drawing_block.MARKER: drawing_block.block,
}
# Files that it needs beside the style sheet and the script.
TOUCHED_FILES = {
    "assets/thumbnails.png": pictures.FOLDER / "thumbnails.png",
    drawing_block.ASSET: drawing_block.WEIGHTS,
}
# From a page of docs/, or of a folder in it, to what lies beside docs/.
TO_ROOT = re.compile(r"\]\(((?:\.\./)*)\.\./(notebooks|labkd)/")
TO_DOCS = "](../docs/"
# A figure in the HTML of a notebook. It is drawn at twice the size at which
# it is shown, and pandas brings a style sheet that our policy forbids.
PNG = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
STYLE = re.compile(r"<style.*?</style>", re.S)
FIGURES: dict[str, bytes] = {}
# In bytes: heavier figures are kept in fewer colours.
HEAVY = 100_000
# What a terminal takes for a colour.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Solutions, which Jupyter, Colab and GitHub fold without our help.
FOLDED = re.compile(r'<details(?: markdown="1")?>')
SOLUTION = '<details class="solution" markdown="1">'
UNSOUGHT = '<details class="solution">', '<h2 id="references">'
# Below it a page links to the file that runs what its solutions say.
EXERCISES = "\n## Exercises\n"
MARKED = re.compile(r'<span class="c1">(?=# (wrong|right)</span>)')
PRIVATE = re.compile(r'(<h\d[^>]* id="_\w*")')
# Versions of what made the page: nobody's business, on every page.
GENERATOR = re.compile(r'<meta name="generator"[^>]*>')


class ModulePage(File):
    """A module as a page, so that links to it are checked."""

    def is_documentation_page(self) -> bool:
        return True


def on_config(config):
    """The repository's address stands in pyproject.toml, and only there."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    address = tomllib.loads(text)["project"]["urls"]["Repository"]
    config.repo_url = (os.environ.get("REPO_URL") or address).rstrip("/")
    config.repo_name = urlsplit(config.repo_url).path.strip("/")
    config.edit_uri = "edit/main/docs/"
    config.extra["colab"] = (
        f"https://colab.research.google.com/github/{config.repo_name}"
        "/blob/main/"
    )
    # `mkdocs serve` has set an address of its own before.
    if not config.site_url:
        owner, _, name = config.repo_name.partition("/")
        pages = f"https://{owner.lower()}.github.io/{name}/"
        config.site_url = os.environ.get("SITE_URL") or pages
    if not formulas.DIST.is_dir():
        raise PluginError(
            "KaTeX is not installed: run `make site`, or "
            "`npm ci --prefix docs/_site`"
        )
    return config


# Before mkdocs-jupyter, which makes pages of the notebooks that it finds.
@event_priority(100)
def on_files(files, config):
    """Adds chapters, modules, records and KaTeX's files."""
    # A served site is built again and again.
    _records.cache_clear()
    _notebooks.cache_clear()
    _chapters.cache_clear()
    FIGURES.clear()
    _refuse(
        f"{uri}: {problem}"
        for uri, notebook in _notebooks().items()
        for problem in checks.notebook_problems(notebook)
    )
    modules = [
        f"labkd/{path.name}"
        for path in sorted((ROOT / "labkd").glob("*.py"))
        if not path.name.startswith("__")
    ]
    for uri in _notebooks():
        page = _beside(config, uri, uri)
        # Readers edit the script that the notebook is paired with.
        page.edit_uri = f"../{uri.removesuffix('.ipynb')}.py"
        files.append(page)
    for uri in modules:
        page = ModulePage.generated(config, uri, content="")
        page.edit_uri = f"../{uri}"
        files.append(page)
        beside = f"{uri.removesuffix('.py')}/{Path(uri).name}"
        files.append(_beside(config, beside, uri))
    for name in [*_records(), *records_table.grids(RESULTS)]:
        uri = f"results/{name}"
        files.append(_beside(config, uri, f"labkd/results/{name}"))
    runs = records_table.csv(RESULTS)
    uri = f"results/{records_table.CSV}"
    files.append(File.generated(config, uri, content=runs))
    for uri, path in TOUCHED_FILES.items():
        files.append(_beside(config, uri, str(path)))
    for name, content in formulas.assets().items():
        uri = f"assets/katex/{name}"
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_read_source(page, config):
    """Titles and descriptions of what is no Markdown."""
    source = page.file.src_uri
    if source in _notebooks():
        front = _about(_notebooks()[source])
    elif source.startswith("labkd/"):
        first = _module_cells(source)[0]["source"]
        heading, _, text = first.partition("\n")
        intro = re.sub(r"Used in .*\n\{: .used-in \}", "", text).strip()
        front = {
            "title": heading.removeprefix("# "),
            "description": _plain(intro.partition("\n\n")[0]),
        }
    else:
        return None
    return f"---\n{yaml.safe_dump(front)}---\n"


def on_page_markdown(markdown, page, config, files):
    source = page.file.src_uri
    if source in _notebooks():
        # What the template made, without the style sheet after it.
        text = unquote(markdown.partition("<style>")[0])
        text = FOLDED.sub(SOLUTION, COLOUR.sub("", text))
        text = _with_figures(text, page).replace(TO_DOCS, "](../")
        text = text.replace(EXERCISES, EXERCISES + _solved(source, config))
        return text + _dated(_notebooks()[source])
    if source.startswith("labkd/"):
        made = _module_cells(source)
        _refuse(
            f"{source}, {cell['source'][:40]!r}: {problem}"
            for cell in made
            if cell["cell_type"] == "markdown"
            for problem in checks.prose_problems(cell["source"])
        )
        laid_out = _laid_out(made).replace(TO_DOCS, "](../")
        return laid_out.replace(ADDRESS, config.repo_url)
    markdown = _written(markdown, get_relative_url("results/", page.url))
    if home.CARDS in markdown:
        made = home.cards(config.nav, _notebooks())
        markdown = markdown.replace(home.CARDS, made)
        markdown = markdown.replace(home.PICTURE, home.drawing())
    if cells.SNIPPET.search(markdown):
        beside = Path(page.file.abs_src_path).with_name("snippets")
        markdown = _laid_out(cells.of_sheet(markdown, beside))
    markdown = markdown.replace(ADDRESS, config.repo_url)
    markdown = markdown.replace(f"{COLAB}/", config.extra["colab"])
    # On the site docs/ is the root, beside notebooks/ and labkd/.
    return TO_ROOT.sub(r"](\1\2/", markdown)


def on_page_content(html, page, config, files):
    for marker, block in TOUCHED.items():
        if marker in html:
            html = html.replace(marker, block())
    # Who searches is not to be told the solution of an exercise, nor to be
    # led to one of many lists of references.
    unsought = UNSOUGHT
    if page.file.src_uri.startswith("labkd/"):
        # Nor, of a function, what all of them have: arguments and the like.
        unsought = "<ul>", "<p>Returns ", "<p>Raises ", "<p>Yields "
        # What begins with an underscore nobody else calls.
        html = PRIVATE.sub(r"\1 data-search-exclude", html)
    for tag in unsought:
        html = html.replace(tag, tag.replace(">", " data-search-exclude>"))
    # On a card a comment says which lines are wrong and which are right.
    html = MARKED.sub(r'<span class="c1 \1">', html)
    # The corner of a table heads nothing.
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    _refuse(
        f"{page.file.src_uri}: {problem}"
        for problem in checks.html_problems(html)
    )
    return html


def on_env(env, config, files):
    """Every page has its HTML by now: all formulas in one process."""
    for uri, png in FIGURES.items():
        files.append(File.generated(config, uri, content=png))
    pages = [file.page for file in files.documentation_pages()]
    wanted = set()
    for page in pages:
        wanted |= formulas.in_html(page.content)
        for item in _toc_items(page.toc):
            wanted |= formulas.in_title(item.title)
    rendered = formulas.render(wanted)
    wrong = []
    for page in pages:
        try:
            found = formulas.set_aside(page.content, rendered)
        except ValueError as error:
            wrong.append(f"{page.file.src_uri}, {error}")
            continue
        page.content, page.formulas = found
        page.title = formulas.plain_title(page.title)
        for item in _toc_items(page.toc):
            typeset = formulas.insert_title(item.title, rendered)
            item.typeset = SimpleNamespace(title=typeset)
            item.title = formulas.plain_title(item.title)
    _refuse(wrong)
    return env


def on_page_context(context, page, config, nav):
    """The search has read the page by now: the formulas are put in."""
    page.content = formulas.put_back(page.content, page.formulas)
    return context


def on_post_page(output, page, config):
    # Last: it hashes the scripts as they are.
    return policy.with_policy(GENERATOR.sub("", output))


def on_post_template(output, template_name, config):
    return (
        policy.with_policy(output) if template_name == "404.html" else output
    )


@cache
def _records() -> dict[str, dict]:
    """Every record that counts, read once a build, by its path."""
    return records_table.read(RESULTS)


@cache
def _notebooks() -> dict[str, dict]:
    """Every chapter, read once a build, by its path."""
    return {
        f"notebooks/{path.name}": json.loads(path.read_text("utf-8"))
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }


def _beside(config, uri: str, source: str) -> File:
    return File.generated(config, uri, abs_src_path=str(ROOT / source))


def _module_cells(uri: str) -> list[dict]:
    users = {
        function: links
        for (module, function), links in _chapters().items()
        if module == Path(uri).stem
    }
    made = cells.of_module((ROOT / uri).read_text("utf-8"), users)
    if not made[0]["source"].startswith("# "):
        _refuse([f"{uri}: the docstring does not start with a heading"])
    return made


@cache
def _chapters() -> dict[tuple[str, str], list[str]]:
    """Links to the chapters that use a (module, function), in order."""
    found: dict[tuple[str, str], list[str]] = {}
    for uri, notebook in _notebooks().items():
        link = f"[{_about(notebook)['title']}](../{uri})"
        for use in usage.used_by(notebook):
            found.setdefault(use, []).append(link)
    return found


def _written(markdown: str, base: str) -> str:
    """The page with what is written from the records, which lie at `base`."""
    if records_table.MARKER in markdown:
        grids = records_table.grids(RESULTS)
        table = records_table.table(_records(), grids, base)
        markdown = markdown.replace(records_table.MARKER, table)
    for marker, written in WRITTEN.items():
        if marker in markdown:
            text = written(list(_records().values()))
            markdown = markdown.replace(marker, text)
    for written in (library_table, scale_table):
        if written.MARKER in markdown:
            markdown = markdown.replace(written.MARKER, written.table())
    return markdown


def _solved(source: str, config) -> str:
    name = f"{Path(source).stem}.py"
    address = f"{config.repo_url}/blob/main/docs/solutions/{name}"
    return f"\nAll solutions are run in the [file of solutions]({address}).\n"


def _dated(notebook: dict) -> str:
    """When the records were made that a chapter shows, if it shows any."""
    found = usage.records_in(notebook, list(_records().values()))
    if ("lab", "damage") in usage.used_by(notebook):
        found.append(damage.read())
    if found:
        made = records_table.when(found)
        return f"\n\n<p class='made'>Records of this page: made {made}.</p>\n"
    return ""


def _with_figures(text: str, page) -> str:
    """The figures of a chapter as files beside its page."""

    def moved(match: re.Match) -> str:
        png = _lighter(base64.b64decode(match[1]))
        name = f"{hashlib.sha256(png).hexdigest()[:12]}.png"
        FIGURES[f"{page.file.src_uri.removesuffix('.ipynb')}/{name}"] = png
        # Width and height stand at a fixed place in a PNG.
        width, height = (n // 2 for n in struct.unpack(">II", png[16:24]))
        return f'src="{name}" width="{width}" height="{height}"'

    return PNG.sub(moved, STYLE.sub("", text))


def _lighter(png: bytes) -> bytes:
    # 256 colours are enough for what is drawn, and for a photograph of 32 x
    # 32 pixels: a first visit has its limit.
    if len(png) < HEAVY:
        return png
    drawn, lighter = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    drawn.quantize(256).save(lighter, "png", optimize=True)
    return lighter.getvalue()


def _laid_out(made: list[dict]) -> str:
    return unquote(_template().render(nb={"cells": made}))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE))
    return environment.get_template("cells.md.j2")


def _refuse(problems) -> None:
    if problems := list(problems):
        raise PluginError("\n".join(problems))


def _about(notebook: dict) -> dict[str, str]:
    """A chapter's title is its heading; its question tells what it is on."""
    about = _plain(home.question(notebook))
    return {"title": home.title(notebook), "description": about}


def _plain(prose: str) -> str:
    """For an attribute: no marks, no addresses, no straight quotes."""
    prose = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(prose.split()))
    return re.sub(r'[*`$"]', "", prose)


def _toc_items(items):
    yield from chain(items, *(_toc_items(i.children) for i in items))
