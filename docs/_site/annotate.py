"""A module's source as rows of prose and code.

Docstrings and full-line comments are the prose, the rest is the code. The
module is parsed, never imported.
"""

import ast
import io
import re
import tokenize
from functools import lru_cache
from typing import NamedTuple

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Comments that speak to a tool, not to a reader.
PRAGMA = re.compile(r"#\s*(!|type:|noqa|ruff:|pragma|fmt:|pyright:)")


class Row(NamedTuple):
    """Prose, and the code it stands beside."""

    prose: str
    code: str
    # What the row begins: the dotted name of a function or a class; "" for
    # module code; None when it continues the row above.
    name: str | None = None


# A page is made of one module at a time.
@lru_cache(maxsize=1)
def parsed(source: str) -> ast.Module:
    """A module's syntax tree, which nobody changes."""
    return ast.parse(source)


def annotate(source: str) -> list[Row]:
    """All lines of a module, in order, as rows."""
    starts, docstrings, hidden = _landmarks(parsed(source))
    comments = _comments(source)
    rows = [_Draft("")]
    for number, line in enumerate(source.splitlines(), 1):
        if number in starts:
            # A comment right above a definition belongs to it.
            above = rows.pop() if not rows[-1].code and rows[1:] else None
            rows.append(_Draft(starts[number]))
            rows[-1].prose += above.prose if above else []
        if number in docstrings:
            rows[-1].prose += ["", docstrings[number]]
        elif number in comments:
            if rows[-1].code:
                rows.append(_Draft(None))
            rows[-1].prose.append(comments[number])
        elif number not in hidden and (rows[-1].code or line.strip()):
            rows[-1].code.append(line)
    return [draft.row() for draft in rows if draft.prose or draft.code]


class _Draft:
    def __init__(self, name: str | None):
        self.name = name
        self.prose: list[str] = []
        self.code: list[str] = []

    def row(self) -> Row:
        while self.code and not self.code[-1].strip():
            self.code.pop()
        return Row(
            "\n".join(self.prose).strip(),
            "\n".join(self.code),
            self.name,
        )


def _landmarks(tree: ast.Module):
    """Where definitions start, where docstrings start, which lines to hide."""
    starts: dict[int, str] = {}
    docstrings: dict[int, str] = {}
    hidden: set[int] = set()

    def visit(node, name: str) -> None:
        if text := ast.get_docstring(node):
            docstring = node.body[0]
            docstrings[docstring.lineno] = text
            hidden.update(range(docstring.lineno, docstring.end_lineno + 1))
        after_definition = False
        for child in node.body:
            decorators = getattr(child, "decorator_list", ())
            first = min(n.lineno for n in (child, *decorators))
            if isinstance(child, DEFINITIONS):
                starts[first] = f"{name}.{child.name}".lstrip(".")
                # What a function defines inside itself stays in its listing.
                if isinstance(node, (ast.Module, ast.ClassDef)):
                    visit(child, starts[first])
            elif after_definition and isinstance(node, ast.Module):
                starts[first] = ""
            after_definition = isinstance(child, DEFINITIONS)

    visit(tree, "")
    return starts, docstrings, hidden


def _comments(source: str) -> dict[int, str]:
    """The full-line comments, without their mark, by line."""
    return {
        token.start[0]: token.string[1:].removeprefix(" ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
        and token.line[: token.start[1]].strip() == ""
        and not PRAGMA.match(token.string)
    }
