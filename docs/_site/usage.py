"""Which modules, functions and records a chapter uses."""

import ast
import re

LINK = re.compile(r"\]\(\.\./labkd/(\w+)\.py(?:#([\w.]+))?\)")
# Notebooks know commands that Python does not.
MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.M)
# A name with gaps says which recipes it means by this many letters at least.
SPELLED_OUT = 12


def used_by(notebook: dict) -> set[tuple[str, str]]:
    """Pairs (module, function) that a chapter links to, imports or calls.

    The function is "" for the module as a whole.
    """
    prose = [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
    ]
    found = set(LINK.findall("\n".join(prose))) | _in_code(_code(notebook))
    return found | {(module, "") for module, _ in found}


def records_in(notebook: dict, known: list[dict]) -> list[dict]:
    """Those of the known records whose recipe and size the code names.

    A name with gaps, such as f"soft_t{T}-vit-cifar10", is that of every
    recipe that it fits.
    """
    patterns, texts = [], set()
    for node in ast.walk(_code(notebook)):
        match node:
            case ast.Constant(str(text)):
                texts.add(text)
            case ast.JoinedStr(parts):
                written = [
                    part.value if isinstance(part, ast.Constant) else None
                    for part in parts
                ]
                if sum(len(text or "") for text in written) >= SPELLED_OUT:
                    patterns.append(written)
    names = [re.escape(text) for text in texts]
    for written in patterns:
        gaps = (".+" if text is None else re.escape(text) for text in written)
        names.append("".join(gaps))
    fits = re.compile("|".join(names))
    # A size may stand in a query.
    sizes = {word for text in texts for word in re.findall(r"\w+", text)}
    return [
        record
        for record in known
        if record["size"] in sizes and fits.fullmatch(record["recipe"])
    ]


def _code(notebook: dict) -> ast.Module:
    code = [
        MAGIC.sub(r"\1pass", "".join(cell["source"]))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        # What follows a cell's own %%command need not be Python.
        and not "".join(cell["source"]).startswith("%%")
    ]
    return ast.parse("\n".join(code))


def _in_code(tree: ast.Module) -> set[tuple[str, str]]:
    found, modules, attributes = set(), {}, set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="labkd"):
                for alias in node.names:
                    modules[alias.asname or alias.name] = alias.name
            case ast.ImportFrom(module=str(name)) if name[:6] == "labkd.":
                found |= {(name[6:], alias.name) for alias in node.names}
            case ast.Attribute(ast.Name(name), attribute):
                attributes.add((name, attribute))
    found |= {(modules[a], name) for a, name in attributes if a in modules}
    return found | {(module, "") for module in modules.values()}
