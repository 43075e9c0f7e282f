r"""Every chapter's exercises, solved: what the solutions say is run."""

import ast
import re
import shlex
import subprocess
import sys
from importlib import util
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from labkd.lab.recipes import change
from labkd.lab.store import tuned

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
FILES = sorted((ROOT / "docs" / "solutions").glob("*.py"))
# PyTorch warns of a mistake that some exercises are about.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
COMMAND = re.compile(r"python -m labkd run ((?:\\\n|[^`\n])+)")
NUMBERED = re.compile(r"^def exercise_(\d+)\(\):$", re.M)

GUARD = """

if __name__ == "__main__":
    for n in range(1, {}):
        print(f"{{n}}: {{globals()[f'exercise_{{n}}']()}}")
"""


def numbers_of(file):
    return [int(n) for n in NUMBERED.findall(file.read_text("utf-8"))]


def module_of(file):
    r"""A file whose name starts with a digit, imported once."""
    name = f"solutions_{file.stem}"
    if name not in sys.modules:
        spec = util.spec_from_file_location(name, file)
        sys.modules[name] = util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def prose_of(chapter):
    cells = nbformat.read(chapter, as_version=4).cells
    return "\n".join(c.source for c in cells if c.cell_type == "markdown")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_solution_is_computed(chapter):
    text = prose_of(chapter)
    exercises = [int(n) for n in re.findall(r"^\*\*(\d)\. ", text, re.M)]
    assert text.count("<summary>Solution</summary>") == len(exercises)
    file = ROOT / "docs" / "solutions" / f"{chapter.stem}.py"
    assert numbers_of(file) == exercises


@pytest.mark.parametrize(
    ("file", "number"),
    [
        pytest.param(file, number, id=f"{file.stem}-{number}")
        for file in FILES
        for number in numbers_of(file)
    ],
)
def test_the_solution_holds(file, number):
    outcome = getattr(module_of(file), f"exercise_{number}")()
    assert outcome and "\n" not in outcome


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_file_ends_by_running_all_of_its_exercises(file):
    source, numbers = file.read_text("utf-8"), numbers_of(file)
    assert source.endswith(GUARD.format(len(numbers) + 1))
    assert f"chapter {int(file.stem[:2])}," in ast.get_docstring(
        ast.parse(source)
    )


def test_a_file_runs_by_itself_from_any_folder(tmp_path):
    command = [sys.executable, FILES[-1]]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    printed = [int(line.partition(":")[0]) for line in lines]
    assert printed == numbers_of(FILES[-1])


def test_a_command_that_a_chapter_gives_is_understood():
    given = [
        shlex.split(command.replace("\\\n", " "))
        for command in COMMAND.findall("\n".join(map(prose_of, CHAPTERS)))
    ]
    assert ["soft-vit_from_resnet18-cifar10", "--set", "epochs=15"] in given
    for words in given:
        size = "laptop"
        if "--size" in words:
            size = words[words.index("--size") + 1]
        settings = [b for a, b in pairwise(words) if a == "--set"]
        recipe = tuned(words[0], size)
        # A setting that says what was so before would be a slip.
        assert (change(recipe, settings) != recipe) == bool(settings)
