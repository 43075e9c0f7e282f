"""A function with everything of its module that it needs.

What a reader copies from a module page has to run: the text holds the
imports, the constants and the helpers that the function uses, directly or
through one another, in the order and the words of the source.
"""

import ast
from functools import lru_cache
from itertools import pairwise

from annotate import DEFINITIONS, parsed


def whole_function(source: str, name: str) -> str:
    """The text that defines `name` in an empty namespace.

    Empty when the function depends on where its file lies: a copy of it
    would look for that file in vain.
    """
    statements, binds, uses = _names(source)
    wanted, needed = {name}, set()
    while wanted:
        word = wanted.pop()
        for index, names in enumerate(binds):
            if word in names and index not in needed:
                needed.add(index)
                wanted |= uses[index]
    if any("__file__" in uses[index] for index in needed):
        return ""
    # It changes what the interpreter does with all the rest.
    future = [i for i, names in enumerate(binds) if "annotations" in names]
    kept = [statements[index] for index in sorted({*needed, *future})]
    return _join(source.splitlines(), kept)


# A page asks for each function of one module in turn.
@lru_cache(maxsize=1)
def _names(source: str):
    """The statements of a module, the names each binds, those it uses."""
    statements = parsed(source).body
    binds, uses = zip(*map(_bound_and_used, statements), strict=True)
    return statements, binds, uses


def _bound_and_used(statement: ast.stmt) -> tuple[set[str], set[str]]:
    bound, used = set(), set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                used.add(node.id)
            elif isinstance(node.ctx, ast.Store):
                bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, DEFINITIONS):
            bound.add(node.name)
    # What a function binds inside itself is its own.
    if isinstance(statement, DEFINITIONS):
        bound = {statement.name}
    return bound, used


def _join(lines: list[str], statements: list[ast.stmt]) -> str:
    """The statements' own lines, with a module's usual spacing."""
    parts: list[str] = []
    last_line = 0
    for before, statement in pairwise([None, *statements]):
        first = _first_line(lines, statement)
        if before is not None:
            two = isinstance(before, DEFINITIONS) or isinstance(
                statement, DEFINITIONS
            )
            # A group of imports stays apart from the next one.
            one = any(not line.strip() for line in lines[last_line:first])
            parts.append("\n\n" if two else "\n" if one else "")
        last_line = statement.end_lineno
        parts.append("\n".join(lines[first:last_line]) + "\n")
    return "".join(parts)


def _first_line(lines: list[str], statement: ast.stmt) -> int:
    """The index of its first line: decorators and comments above included."""
    decorators = getattr(statement, "decorator_list", ())
    first = min(node.lineno for node in (statement, *decorators)) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return first
