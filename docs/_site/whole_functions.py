"""A function with everything that it needs, ready to be pasted and handed in.

What a reader copies from a module page has to run on its own: the text holds
the imports, the constants and the helpers that the function uses, directly or
through one another, of whichever core module. It has the words of the source
but for three things: of a docstring the first sentence is kept, checks of
arguments are left out, and one comment says where it comes from.
"""

import ast
import re
import textwrap
from functools import lru_cache
from pathlib import Path

from annotate import DEFINITIONS, parsed

PACKAGE = Path(__file__).parents[2] / "labkd"
CHECK = re.compile(r"_?check(_|$)")
CITATION = re.compile(r"[A-ZÀ-Þ][^.$`;()\n]*?\(\d{4}\)")


def whole_function(source: str, name: str, address: str = "") -> str:
    """The text that defines `name` in an empty namespace.

    `address` is where the package comes from, for the comment. Empty when
    the function depends on where its file lies, or on a whole module of the
    package: a copy of it would look for that file in vain.
    """
    pieces: dict[tuple[str, int], ast.stmt] = {}
    imports: dict[str, set[str]] = {}
    if not _collect(source, name, pieces, imports):
        return ""
    # Helpers of other modules stand before what calls them.
    order = list(dict.fromkeys(text for text, _ in pieces))
    parts = []
    for text in reversed(order):
        chosen = sorted(index for other, index in pieces if other == text)
        parts += [_text(text, pieces[text, index]) for index in chosen]
    head = [_comment(source, name, address)] if address else []
    if imports:
        head.append(_imports(imports))
    return "\n\n\n".join(["\n\n".join(head), *parts]).strip() + "\n"


def _collect(source, name, pieces, imports) -> bool:
    # What `name` needs, of its own module and of others; False if a file.
    statements, binds, uses, comes_from = _names(source)
    wanted, seen = [name], set()
    while wanted:
        word = wanted.pop()
        if word in seen:
            continue
        seen.add(word)
        if word == "__file__":
            return False
        if word in comes_from:
            module, line = comes_from[word]
            if module == "labkd":
                return False
            if not module.startswith("labkd."):
                imports.setdefault(module, set()).add(line)
                continue
            path = PACKAGE / f"{module.removeprefix('labkd.')}.py"
            other = path.read_text("utf-8")
            if not _collect(other, word, pieces, imports):
                return False
            continue
        for index, names in enumerate(binds):
            if word in names:
                pieces[source, index] = statements[index]
                wanted += sorted(uses[index] - names)
    return True


@lru_cache(maxsize=64)
def _names(source: str):
    """The statements of a module: what each binds, uses and imports."""
    statements, binds, uses, comes_from = [], [], [], {}
    for statement in parsed(source).body:
        # Imports behind `with needs_extra(...)` are imports like others.
        inside = statement.body if isinstance(statement, ast.With) else []
        for each in [statement, *inside]:
            for word, origin in _imported(each):
                comes_from[word] = origin
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.With)):
            continue
        statements.append(statement)
        bound, used = _bound_and_used(statement)
        binds.append(bound)
        uses.append(used)
    return statements, binds, uses, comes_from


def _imported(statement: ast.stmt):
    # (name, (module, text)) of what an import statement binds.
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            word = (alias.asname or alias.name).partition(".")[0]
            yield word, (alias.name, f"import {ast.unparse(alias)}")
    elif isinstance(statement, ast.ImportFrom):
        for alias in statement.names:
            text = ast.unparse(alias)
            yield alias.asname or alias.name, (statement.module, text)


def _imports(wanted: dict[str, set[str]]) -> str:
    plain, taken = [], []
    for module in sorted(wanted):
        names = sorted(wanted[module])
        plain += [text for text in names if text.startswith("import ")]
        names = [text for text in names if not text.startswith("import ")]
        if names:
            line = f"from {module} import {', '.join(names)}"
            if len(line) > 79:
                listed = "".join(f"    {each},\n" for each in names)
                line = f"from {module} import (\n{listed})"
            taken.append(line)
    return "\n".join(plain + taken)


def _comment(source: str, name: str, address: str) -> str:
    (node,) = [
        node
        for node in parsed(source).body
        if isinstance(node, DEFINITIONS) and node.name == name
    ]
    text = " ".join((ast.get_docstring(node) or "").split())
    found = CITATION.search(text)
    paper = f", after {found.group()}" if found else ""
    told = f"{name} of labkd (MIT licence, {address}){paper}"
    return textwrap.fill(told, 79, initial_indent="# ", subsequent_indent="# ")


def _bound_and_used(statement: ast.stmt) -> tuple[set[str], set[str]]:
    bound, used = set(), set()
    checks = {id(call) for call in _checks(statement)}
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if id(node) in checks:
            continue
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                used.add(node.id)
            elif isinstance(node.ctx, ast.Store):
                bound.add(node.id)
        elif isinstance(node, DEFINITIONS):
            bound.add(node.name)
        waiting += ast.iter_child_nodes(node)
    # What a function binds inside itself is its own.
    if isinstance(statement, DEFINITIONS):
        bound = {statement.name}
    return bound, used


def _checks(statement: ast.stmt):
    # Statements that do nothing but check arguments, and may go.
    for node in ast.walk(statement):
        for body in (getattr(node, "body", []), getattr(node, "orelse", [])):
            if not isinstance(body, list):
                continue
            for each in body:
                if len(body) > 1 and _is_check(each):
                    yield each


def _is_check(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and bool(CHECK.match(statement.value.func.id))
    )


def _text(source: str, statement: ast.stmt) -> str:
    """A statement's own lines, with what stands above it, shortened."""
    lines = source.splitlines()
    first = _first_line(lines, statement)
    kept = dict(enumerate(lines[first : statement.end_lineno], first + 1))
    for check in _checks(statement):
        for number in range(check.lineno, check.end_lineno + 1):
            kept.pop(number)
        # A comment that belongs to nothing else goes with it.
        number = check.lineno - 1
        while lines[number - 1].lstrip().startswith("#"):
            kept.pop(number)
            number -= 1
    for node in ast.walk(statement):
        docstring = isinstance(node, DEFINITIONS) and ast.get_docstring(node)
        if docstring:
            _shorten(node.body[0], docstring, kept)
    return "\n".join(kept[number] for number in sorted(kept))


def _shorten(node: ast.stmt, docstring: str, kept: dict[int, str]) -> None:
    sentence = docstring.partition("\n\n")[0]
    raw = "r" if "\\" in sentence else ""
    indent = " " * node.col_offset
    text = f'{raw}"""{" ".join(sentence.split())}"""'
    if len(indent + text) > 79:
        text = f'{raw}"""\n{sentence}\n"""'
    for number in range(node.lineno, node.end_lineno + 1):
        kept.pop(number, None)
    kept[node.lineno] = textwrap.indent(text, indent)


def _first_line(lines: list[str], statement: ast.stmt) -> int:
    """The index of its first line: decorators and comments above included."""
    decorators = getattr(statement, "decorator_list", ())
    first = min(node.lineno for node in (statement, *decorators)) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return first
