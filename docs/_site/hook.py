"""The thin layer between MkDocs and the modules beside this file."""

import os
import re
import tomllib
from functools import cache
from html import escape
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import benchmark_table
import checks
import claims
import formulas
import headline
import jinja2
import library_table
import listings
import plain_text
import policy
import records_table
import scale_table
import sections
import styles
import sweeps_table
import usage
import yaml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "labkd" / "results"
# What a page writes for the repository's address.
ADDRESS = "REPOSITORY_ADDRESS"
# What is written from the records, and the marker of its place.
WRITTEN = {
    headline.MARKER: headline.headline,
    claims.MARKER: claims.table,
    sweeps_table.MARKER: sweeps_table.table,
    **benchmark_table.WRITTEN,
}
# Where white space is text.
LISTED = re.compile(r"(<pre.*?</pre>|<textarea.*?</textarea>)", re.S)
# The template's tags, which Markdown was to leave alone. Those that meet share
# a comment: each comment is a block that costs it time.
TAGS = re.compile(r"<!-- ((?:</?(?:div|section|listing)[^>]*>)+) -->")
MEETING = re.compile(r"> -->\s*<!-- <")
# From a page of docs/, or of a folder in it, to what lies beside docs/.
TO_ROOT = re.compile(r"\]\(((?:\.\./)*)\.\./(notebooks|labkd)/")
UNSOUGHT = '<details class="solution">', '<h2 id="references">'
PRIVATE = re.compile(r'(<h\d[^>]* id="_\w*")')
# Listings, formulas and what is copied are most of what a page holds. They are
# put in last: there is nothing in them to check, and search needs a formula's
# text only.
LISTING = "<!-- listing -->"
COPY = 'class="copy-whole"'
# Versions of what made the page: nobody's business, on every page.
GENERATOR = re.compile(r'<meta name="generator"[^>]*>')


class SourcePage(File):
    """A notebook or a module as a page, so that links to it are checked."""

    def is_documentation_page(self) -> bool:
        return True


def on_config(config):
    """The repository's address stands in pyproject.toml, and only there."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    address = tomllib.loads(text)["project"]["urls"]["Repository"]
    config.repo_url = (os.environ.get("REPO_URL") or address).rstrip("/")
    config.repo_name = urlsplit(config.repo_url).path.strip("/")
    config.edit_uri = "edit/main/docs/"
    # `mkdocs serve` has set an address of its own before.
    if not config.site_url:
        owner, _, name = config.repo_name.partition("/")
        pages = f"https://{owner.lower()}.github.io/{name}/"
        config.site_url = os.environ.get("SITE_URL") or pages
    config.markdown_extensions.append(plain_text.PlainText())
    if not formulas.DIST.is_dir():
        raise PluginError(
            "KaTeX is not installed: run `make site`, or "
            "`npm ci --prefix docs/_site`"
        )
    return config


def on_files(files, config):
    """Adds chapters, modules, figures, records and KaTeX's files."""
    # A served site is built again and again.
    _records.cache_clear()
    notebooks = {
        path: sections.read_notebook(path)
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }
    _refuse(
        f"notebooks/{path.name}: {problem}"
        for path, notebook in notebooks.items()
        for problem in checks.notebook_problems(notebook)
    )
    modules = [
        path
        for path in sorted((ROOT / "labkd").glob("*.py"))
        if not path.name.startswith("__")
    ]
    chapters = _chapters(notebooks)
    for file in chain(
        *(_chapter_files(*pair, config) for pair in notebooks.items()),
        *(_module_files(path, chapters, config) for path in modules),
    ):
        files.append(file)
    for name in [*_records(), *records_table.grids(RESULTS)]:
        path = str(RESULTS / name)
        files.append(
            File.generated(config, f"results/{name}", abs_src_path=path)
        )
    for name, content in formulas.assets().items():
        uri = f"assets/katex/{name}"
        files.append(File.generated(config, uri, content=content))
    _merge_styles(files, config)
    return files


def on_page_markdown(markdown, page, config, files):
    source = page.file.src_uri
    if source.endswith(".md"):
        if records_table.MARKER in markdown:
            table = records_table.table(
                _records(), records_table.grids(RESULTS)
            )
            markdown = markdown.replace(records_table.MARKER, table)
        for marker, written in WRITTEN.items():
            if marker in markdown:
                text = written(list(_records().values()))
                markdown = markdown.replace(marker, text)
        for written in (library_table, scale_table):
            if written.MARKER in markdown:
                markdown = markdown.replace(written.MARKER, written.table())
        if sections.SNIPPET.search(markdown):
            beside = Path(page.file.abs_src_path).with_name("snippets")
            parts = sections.of_sheet(markdown, beside)
            page.file.parts = parts
            markdown = _laid_out(parts)
        markdown = markdown.replace(ADDRESS, config.repo_url)
        # On the site docs/ is the root, beside notebooks/ and labkd/.
        return TO_ROOT.sub(r"](\1\2/", markdown)
    return markdown


def on_page_content(html, page, config, files):
    html = listings.plain(TAGS.sub(r"\1", html))
    html = html.replace("<listing>", LISTING)
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
    # The corner of a table heads nothing.
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    _refuse(
        f"{page.file.src_uri}: {problem}"
        for problem in checks.html_problems(html)
    )
    return html


def on_env(env, config, files):
    """Every page has its HTML by now: all formulas in one process."""
    pages = [file.page for file in files.documentation_pages()]
    wanted = set()
    for page in pages:
        wanted |= formulas.in_html(page.content)
        for item in _toc_items(page.toc):
            wanted |= formulas.in_title(item.title)
    rendered = formulas.render(wanted)
    for page in pages:
        try:
            found = formulas.set_aside(page.content, rendered)
        except ValueError as error:
            raise PluginError(f"{page.file.src_uri}, {error}") from None
        page.content, page.formulas = found
        page.title = formulas.plain_title(page.title)
        for item in _toc_items(page.toc):
            typeset = formulas.insert_title(item.title, rendered)
            item.typeset = SimpleNamespace(title=typeset)
            item.title = formulas.plain_title(item.title)
    return env


def on_page_context(context, page, config, nav):
    """The search has read the page by now: the rest is put in."""
    content = formulas.put_back(page.content, page.formulas)
    parts = getattr(page.file, "parts", ())
    code = (c for part in parts for row in part.rows for c in row.code)
    made = [listings.listing(c.source, c.numbers) for c in code if c.source]
    copied = [
        f'{COPY} data-clipboard-text="{_attribute(part.whole)}"'
        for part in parts
        if part.whole and part.name
    ]
    for mark, texts in ((LISTING, made), (COPY, copied)):
        pieces = content.split(mark)
        if len(pieces) != len(texts) + 1:
            raise PluginError(
                f"{page.file.src_uri}: {mark} is expected {len(texts)} times, "
                f"found {len(pieces) - 1}"
            )
        content = "".join(chain(*zip(pieces, [*texts, ""], strict=True)))
    page.content = re.sub(' data-search-exclude(="")?', "", content)
    return context


def on_post_page(output, page, config):
    """The theme's templates are indented for their authors."""
    parts = LISTED.split(GENERATOR.sub("", output))
    parts[::2] = [re.sub(r"\n\s+", "\n", part) for part in parts[::2]]
    # Last: it hashes the scripts as they are.
    return policy.with_policy("".join(parts))


def on_post_template(output, template_name, config):
    return (
        policy.with_policy(output) if template_name == "404.html" else output
    )


@cache
def _records() -> dict[str, dict]:
    """Every record that counts, read once a build, by its path."""
    return records_table.read(RESULTS)


def _merge_styles(files, config) -> None:
    found = {file.src_uri: file for file in files}
    names = styles.parts_of(list(found))
    sheet = styles.merged({n: found[n].content_string for n in names})
    for name, file in found.items():
        # Maps of sheets that are gone would lead nowhere.
        if name in names or name.endswith(".css.map"):
            files.remove(file)
    files.append(File.generated(config, styles.NAME, content=sheet))


def _refuse(problems) -> None:
    if problems := list(problems):
        raise PluginError("\n".join(problems))


def _chapters(notebooks) -> dict[tuple[str, str], list[str]]:
    """Links to the chapters that use a (module, function), in order."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, notebook in notebooks.items():
        title = notebook["metadata"]["labkd"]["title"]
        link = f"[{title}](../notebooks/{path.name})"
        for use in usage.used_by(notebook):
            found.setdefault(use, []).append(link)
    return found


def _chapter_files(path: Path, notebook, config) -> list[File]:
    about = notebook["metadata"]["labkd"]
    front = {key: about[key] for key in ("title", "description")}
    parts = sections.of_notebook(notebook)
    page, beside = _page_of(path, front, parts, config)
    # Readers edit the script that the notebook is paired with.
    page.edit_uri = page.edit_uri.removesuffix(".ipynb") + ".py"
    figures = [
        File.generated(config, f"notebooks/{path.stem}/{name}", content=png)
        for name, png in sections.figures(notebook).items()
    ]
    return [page, beside, *figures]


def _module_files(path: Path, chapters, config) -> list[File]:
    source = path.read_text("utf-8")
    users = {
        function: links
        for (module, function), links in chapters.items()
        if module == path.stem
    }
    parts = sections.of_module(source, users)
    _refuse(_module_problems(path, parts))
    title = parts[0].heading.removeprefix("# ")
    intro = parts[0].rows[0].prose.partition("\n\n")[0]
    front = {"title": title, "description": _plain(intro)}
    return _page_of(path, front, parts, config)


def _page_of(path: Path, front: dict, parts, config) -> list[File]:
    """A page, and the file that it shows beside it, to be downloaded."""
    uri = path.relative_to(ROOT).as_posix()
    text = _laid_out(parts)
    content = f"---\n{yaml.safe_dump(front)}---\n{text}"
    page = SourcePage.generated(config, uri, content=content)
    page.parts = parts
    page.edit_uri = f"../{uri}"
    beside = f"{path.parent.name}/{path.stem}/{path.name}"
    return [page, File.generated(config, beside, abs_src_path=str(path))]


def _laid_out(parts) -> str:
    return MEETING.sub("><", _template().render(sections=parts))


def _attribute(text: str) -> str:
    """As the value of an attribute, line breaks included."""
    text = escape(text, quote=False).replace('"', "&quot;")
    return text.replace("\n", "&#10;")


def _plain(prose: str) -> str:
    """For an attribute: no marks, no addresses, no straight quotes."""
    prose = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(prose.split()))
    return re.sub(r'[*`$"]', "", prose)


def _module_problems(path: Path, parts):
    if parts[0].level != 1:
        yield f"labkd/{path.name}: the docstring does not start with a heading"
    for part in parts:
        for row in part.rows:
            for problem in checks.prose_problems(row.prose):
                yield f"labkd/{path.name}, {row.prose[:40]!r}: {problem}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE))
    return environment.get_template("page.md.j2")


def _toc_items(items):
    for item in items:
        yield item
        yield from _toc_items(item.children)
