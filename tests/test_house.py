"""The house: the core knows nothing of the laboratory, and needs little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CORE = sorted((Path(__file__).parents[1] / "labkd").glob("*.py"))


def imported(path):
    r"""The modules that a file names in its import statements."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_never_imports_the_laboratory(path):
    # The command line is the laboratory's door.
    if path.stem != "__main__":
        names = [n for n in imported(path) if n.startswith("labkd.lab")]
        assert names == []


ALL = sorted((Path(__file__).parents[1] / "labkd").rglob("*.py"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_no_function_has_more_than_sixty_lines_of_code(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            told = 0
            if ast.get_docstring(node):
                told = first.end_lineno - first.lineno + 1
            lines = node.end_lineno - node.lineno + 1 - told
            assert lines <= 60, node.name


LIGHT = (
    *("soft_targets", "distillation_token", "mutual_learning", "controls"),
    *("virtual_teacher", "cross_quality", "features", "decoupled"),
    *("calibration", "vgg", "vit", "resnet", "conventions"),
)


def test_losses_and_networks_need_torch_and_numpy_only():
    modules = ", ".join(f"labkd.{name}" for name in LIGHT)
    program = f"""
import sys
for name in ("torchvision", "scipy", "pandas", "matplotlib", "sklearn",
             "accelerate", "safetensors", "PIL", "tqdm"):
    sys.modules[name] = None
import {modules}
"""
    subprocess.run([sys.executable, "-c", program], check=True)
