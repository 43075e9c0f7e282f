"""The house: the core knows nothing of the laboratory, and needs little."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "labkd").glob("*.py"))


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


ALL = sorted((ROOT / "labkd").rglob("*.py"))


def test_no_two_modules_import_each_other_not_even_later():
    # Whatever stands inside a function counts: it is imported all the same.
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in ALL
    }
    graph = {
        name: {*imported(path)} & modules.keys()
        for name, path in modules.items()
    }
    assert "labkd.lab.recorder" in graph["labkd.lab.cli"]
    # It raises CycleError, naming the circle, where there is one.
    assert len([*TopologicalSorter(graph).static_order()]) == len(modules)


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


WITHOUT = """
import sys
for name in ({hidden},):
    sys.modules[name] = None
try:
    import {module}
except ModuleNotFoundError as missing:
    print(missing)
"""


@pytest.mark.parametrize(
    ("module", "hidden", "extra"),
    [
        ("labkd.records", "pandas", "course"),
        ("labkd.figures", "matplotlib", "course"),
        ("labkd.inference", "scipy", "course"),
        ("labkd.shipped", "safetensors", "course"),
        ("labkd.data", "sklearn", "course"),
        ("labkd.own_images", "PIL", "course"),
        ("labkd.linear_probe", "torchvision", "course"),
        ("labkd.lab.cli", "typer", "lab"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(module, hidden, extra):
    program = WITHOUT.format(module=module, hidden=repr(hidden))
    told = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert hidden in told and f"labkd[{extra}]" in told


def test_the_package_offers_what_readers_use_most():
    program = """
import sys
import labkd
assert "torch" not in sys.modules
from labkd import distillation_loss, kl_divergence, soften
from labkd import soft_targets, shipped, data
assert labkd.distillation_loss is soft_targets.distillation_loss
assert labkd.soften is soft_targets.soften
assert labkd.pretrained is shipped.pretrained
assert labkd.load is data.load
assert {*labkd.__all__} <= {*dir(labkd)}
try:
    labkd.nothing
except AttributeError:
    sys.exit(0)
sys.exit(1)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_names_of_files_are_legal_on_windows():
    command = ["git", "-C", ROOT, "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    names = listed.stdout.split("\0")[:-1]
    folders = {str(f) for name in names for f in Path(name).parents}
    # There two names that differ in case are one.
    every = {*names, *folders}
    assert len({name.lower() for name in every}) == len(every)
    # A checkout's own folder comes before it, and 260 characters are all.
    assert max(map(len, names)) <= 150
    devices = r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?"
    for part in {part for name in names for part in name.split("/")}:
        assert not re.search(r'[<>:"|?*\\\x00-\x1f]|[ .]$', part), part
        assert not re.fullmatch(devices, part, re.IGNORECASE), part
