"""Which chapters use which module, and which of its functions."""

import ast
import re

LINK = re.compile(r"\]\(\.\./labkd/(\w+)\.py(?:#([\w.]+))?\)")
# Notebooks know commands that Python does not.
MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.M)


def used_by(notebook: dict) -> set[tuple[str, str]]:
    """Pairs (module, function) that a chapter links to, imports or calls.

    The function is "" for the module as a whole.
    """
    prose, code = [], []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            prose.append(source)
        # What follows a cell's own %%command need not be Python.
        elif cell["cell_type"] == "code" and not source.startswith("%%"):
            code.append(MAGIC.sub(r"\1pass", source))
    found = set(LINK.findall("\n".join(prose)))
    found |= _in_code(ast.parse("\n".join(code)))
    return found | {(module, "") for module, _ in found}


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
