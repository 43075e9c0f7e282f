r"""What pages are made of, without MkDocs: rows, copies, checks, digests."""

import ast
import html
import io
import json
import tokenize
from pathlib import Path

import pytest
import torch
from annotate import annotate
from cells import of_module
from checks import html_problems, notebook_problems, prose_problems
from digest import code_digest
from usage import used_by
from whole_functions import whole_function

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    path for path in ROOT.glob("labkd/*.py") if path.name[0] != "_"
)
EXAMPLE = '''\
r"""
# Title

Intro.
"""

import math
from math import (
    pi,
    tau,
)

# How far
# to go.
LIMIT = 3


def area(radius):
    r"""The area $\\pi r^2$."""
    # A circle has no negative radius.
    if radius < 0:
        raise ValueError(radius)  # says which
    return pi * square(radius)


# Comments above belong to it.
def square(number):
    return min(number, LIMIT) ** 2


@property
def unrelated():
    return math.e


class Ring:
    r"""A ring."""

    def width(self):
        return area(1) + len(type(self).__name__)


HERE = __file__


def tied():
    return HERE
'''


def markdown(text, **metadata):
    return {"cell_type": "markdown", "source": text, "metadata": metadata}


def code(text, *outputs, **metadata):
    return {
        "cell_type": "code",
        "source": text,
        "metadata": metadata,
        "outputs": list(outputs),
    }


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def chapter(*cells, **metadata):
    notebook = {"cells": list(cells), "metadata": {}}
    digest = {"labkd_digest": code_digest(notebook)}
    notebook["metadata"] |= digest | metadata
    return notebook


def problems_of(*cells, **metadata):
    return list(notebook_problems(chapter(*cells, **metadata)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_rows_hold_every_line_of_a_module_once(path):
    source = path.read_text("utf-8")
    prose = prose_lines(source)
    written = [
        line
        for number, line in enumerate(source.splitlines(), 1)
        if number not in prose and line.strip()
    ]
    shown = [
        line
        for cell in of_module(source)
        if cell["cell_type"] == "code"
        for line in cell["source"].splitlines()
        if line.strip()
    ]
    assert shown == written


def prose_lines(source):
    r"""Lines of docstrings and of comments that stand alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node):
            first = node.body[0]
            found |= set(range(first.lineno, first.end_lineno + 1))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        alone = token.line.strip().startswith("#")
        if token.type == tokenize.COMMENT and alone:
            found.add(token.start[0])
    return found


def test_docstrings_and_comments_become_prose_beside_their_code():
    rows = annotate(EXAMPLE)
    by_name = {row.name: row for row in rows if row.name}
    assert rows[0].prose == "# Title\n\nIntro."
    assert rows[0].code.startswith("import math")
    assert rows[1].prose == "How far\nto go."
    assert rows[1].code == "LIMIT = 3"
    assert by_name["area"].prose == r"The area $\pi r^2$."
    assert by_name["area"].code == "def area(radius):"
    after = rows[rows.index(by_name["area"]) + 1]
    assert after.name is None
    assert after.prose == "A circle has no negative radius."
    assert "# says which" in after.code
    assert by_name["square"].prose == "Comments above belong to it."
    assert by_name["unrelated"].code.startswith("@property\ndef")
    assert "Ring.width" in by_name
    assert [row.name for row in rows if row.code == "HERE = __file__"] == [""]


def test_pragmas_stay_in_the_code():
    (row,) = annotate("# noqa: E501\nx = 1\n")
    assert row.code == "# noqa: E501\nx = 1" and not row.prose


def test_a_copy_holds_what_the_function_needs_and_no_more():
    copy = whole_function(EXAMPLE, "area")
    assert copy == (
        "from math import pi\n\n\n"
        "# How far\n# to go.\nLIMIT = 3\n\n\n"
        "def area(radius):\n"
        '    r"""The area $\\pi r^2$."""\n'
        "    # A circle has no negative radius.\n"
        "    if radius < 0:\n"
        "        raise ValueError(radius)  # says which\n"
        "    return pi * square(radius)\n\n\n"
        "# Comments above belong to it.\n"
        "def square(number):\n"
        "    return min(number, LIMIT) ** 2\n"
    )
    scope = {}
    exec(copy, scope)
    assert scope["area"](2) == pytest.approx(12.566, abs=1e-3)
    assert whole_function(EXAMPLE, "unrelated").count("import math\n") == 1
    assert "def area" in whole_function(EXAMPLE, "Ring")


def test_no_copy_of_what_depends_on_where_its_file_lies():
    assert whole_function(EXAMPLE, "tied") == ""


def copies():
    r"""(module, name, text) of everything that the pages offer to copy."""
    for path in MODULES:
        for cell in of_module(path.read_text("utf-8")):
            whole = html.unescape(cell["metadata"].get("whole", ""))
            if whole:
                yield path.stem, cell["metadata"]["definition"], whole


@pytest.mark.parametrize(
    ("name", "whole"), [(f"{m}.{n}", w) for m, n, w in copies()]
)
def test_every_copy_runs_in_an_empty_namespace(name, whole):
    scope = {"__name__": "copied"}
    exec(whole, scope)
    undefined = free_names(whole) - set(scope)
    assert callable(scope[name.partition(".")[2]]) and not undefined
    # Nothing of the package is needed, and no import without a use.
    assert "import labkd" not in whole and "from labkd" not in whole
    tree = ast.parse(whole)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                assert bound in used, bound
    assert whole.startswith(f"# {name.partition('.')[2]} of labkd (MIT")


def test_copies_pasted_into_one_file_do_not_collide():
    # The same name always stands for the same text: then the order in which
    # they are pasted does not matter.
    meant = {}
    for module, name, whole in copies():
        for node in ast.parse(whole).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = ast.get_source_segment(whole, node)
                first = meant.setdefault(node.name, (text, module, name))
                assert text == first[0], (node.name, module, name, first[1:])


def test_losses_pasted_into_one_file_give_what_the_originals_give():
    import labkd.distillation_token
    import labkd.soft_targets
    import labkd.virtual_teacher

    scope = {}
    torch.manual_seed(0)
    for _, _, whole in copies():
        exec(whole, scope)
    logits = torch.randn(2, 8, 5, dtype=torch.float64)
    labels = torch.randint(5, (8,))
    for module, name, given in (
        ("soft_targets", "distillation_loss", (*logits, labels)),
        ("distillation_token", "hard_distillation_loss", (*logits, labels)),
        ("virtual_teacher", "virtual_teacher_loss", (logits[0], labels)),
    ):
        original = getattr(getattr(labkd, module), name)
        ours = scope[name](*given)
        torch.testing.assert_close(ours, original(*given))


def free_names(source):
    r"""Names that some function of a source looks up outside itself."""
    import builtins
    import symtable

    def visit(table):
        for symbol in table.get_symbols():
            if symbol.is_referenced() and symbol.is_global():
                yield symbol.get_name()
        for child in table.get_children():
            yield from visit(child)

    names = set(visit(symtable.symtable(source, "copy", "exec")))
    return names - set(dir(builtins))


def test_a_copied_loss_is_worth_handing_in():
    source = (ROOT / "labkd" / "soft_targets.py").read_text("utf-8")
    copy = whole_function(source, "distillation_loss", "example.org")
    lines = [line for line in copy.splitlines() if line.strip()]
    assert len([x for x in lines if not x.lstrip().startswith("#")]) < 40
    assert "Hinton, Vinyals and Dean (2015)" in copy.replace("\n# ", " ")
    assert "MIT licence, example.org" in copy and "check_" not in copy


def test_a_definition_is_a_cell_with_its_name_and_what_is_copied():
    cells = of_module(EXAMPLE, {"area": ["[One](x)"], "": ["[Two](y)"]})
    first, *_ = cells
    assert first["source"].startswith("# Title\n\nUsed in [Two](y).")
    named = {
        cell["metadata"]["definition"]: cell
        for cell in cells
        if "definition" in cell["metadata"]
    }
    assert set(named) == {
        *("area", "square", "unrelated", "Ring", "Ring.width", "tied"),
    }
    assert named["area"]["source"].startswith("Used in [One](x).")
    assert "def square" in named["area"]["metadata"]["whole"]
    assert "whole" not in named["Ring.width"]["metadata"]
    assert not named["tied"]["metadata"]["whole"]
    assert [named[n]["metadata"]["level"] for n in ("Ring", "Ring.width")] == [
        *(2, 3),
    ]


def test_chapters_are_found_by_links_imports_and_calls():
    notebook = chapter(
        markdown("See [`soften`](../labkd/soft_targets.py#soften)."),
        code("%config x = 1\nfrom labkd import figures as f\nf.draw()"),
        code("from labkd.data import load\nimport torch"),
    )
    assert used_by(notebook) == {
        ("soft_targets", ""),
        ("soft_targets", "soften"),
        ("figures", ""),
        ("figures", "draw"),
        ("data", ""),
        ("data", "load"),
    }


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a\n\n```python\nx = 1\n", "never closed"),
        ("a\n\n````\n```\n", "never closed"),
        ("a\n\n## b", "middle"),
        ("<details>\n\ntext", "<details> is never closed"),
        ("text</div>", "closes nothing"),
    ],
)
def test_prose_that_would_break_a_page(text, problem):
    (found,) = prose_problems(text)
    assert problem in found


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n```python\n# a comment\n```\n\nb",
        "`<div>` and $i<j$ and\n\n$$\na <b\n$$\n",
        "<details>\n<summary>S</summary>\n\nx\n\n</details>",
        "~~~\n```\n~~~",
        "one<br>two <img src='x'>",
    ],
)
def test_sound_prose_passes(text):
    assert not list(prose_problems(text))


@pytest.mark.parametrize(
    "text, problems",
    [
        ("<p><b>x</p>", ["<b> is never closed"]),
        ("<p>a<br/>b<hr></p>", []),
        (
            "<ul><li>x</ul></p>",
            ["<li> is never closed", "</p> closes nothing"],
        ),
        ('<a title="1 > 0" href=x>y</A>', []),
        ("<p>a < b, c <3</p>", []),
        ("<!-- <div> --><script>'<b>'</script>", []),
        ("<svg><path d='M0'/></svg>", []),
        (
            "<script>'</b>'",
            ["</b> closes nothing", "<script> is never closed"],
        ),
    ],
)
def test_tags_are_balanced_inside_out(text, problems):
    assert sorted(html_problems(text)) == sorted(problems)


def test_mistakes_of_a_notebook_are_named_with_their_cell():
    picture = {"output_type": "display_data", "data": {"image/png": "x"}}
    error = {"output_type": "error", "ename": "KeyError", "evalue": "k"}
    title = markdown("# A")
    assert not problems_of(title, code("1", picture, fig_alt="a"))
    (found,) = problems_of(title, code("draw()", picture))
    assert "cell 2 ('draw()')" in found and "fig_alt" in found
    (found,) = problems_of(title, code("1", picture, picture, fig_alt=["a"]))
    assert "fig_alt" in found
    (found,) = problems_of(title, code("boom()", error))
    assert "KeyError: k" in found
    (found,) = problems_of(title, code("1"), labkd_digest="0")
    assert "stale" in found
    (found,) = problems_of(markdown("## A"), code("1"))
    assert "title" in found


def test_the_digest_sees_code_and_nothing_else():
    digest = code_digest(chapter(markdown("a"), code("x = 1\ny = 2")))
    assert digest == code_digest(
        chapter(code(["x = 1\n", "y = 2"], printed("3")), markdown("b"))
    )
    assert digest != code_digest(chapter(code("x = 1"), code("y = 2")))
    assert len(digest) == 64 and json.dumps(digest)
