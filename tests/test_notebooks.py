"""Every chapter: paired, fresh, and running from top to bottom."""

import ast
import base64
import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
from chapters import CHAPTERS, ROOT, check_run, committed, run_warm
from digest import code_digest
from execute import execute, joined, lighten, paired
from PIL import Image

by_name = pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)


def cells_of(notebook):
    # Markdown and code in order, with what the page reads of their metadata.
    return [
        (cell.cell_type, cell.source, dict(cell.metadata))
        for cell in notebook.cells
    ]


def test_there_are_chapters_and_each_is_a_pair():
    assert CHAPTERS
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert [p.stem for p in notebooks] == [p.stem for p in CHAPTERS]


@by_name
def test_the_pair_has_the_same_cells(source):
    assert cells_of(committed(source)) == cells_of(paired(source))


@by_name
def test_the_outputs_are_those_of_this_code(source):
    notebook = committed(source)
    assert notebook.metadata.labkd_digest == code_digest(notebook)


def test_a_change_of_code_makes_outputs_stale():
    notebook = committed(CHAPTERS[0])
    before = code_digest(notebook)
    prose = next(c for c in notebook.cells if c.cell_type == "markdown")
    prose.source += "\n\nMore prose."
    assert code_digest(notebook) == before
    code = next(c for c in notebook.cells if c.cell_type == "code")
    code.source += "\nprint(1)"
    assert code_digest(notebook) != before


def test_the_installed_package_is_the_one_that_is_found(installed, tmp_path):
    code = "import labkd; print(labkd.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(found.strip()).is_relative_to(installed)


@pytest.mark.parametrize("source", CHAPTERS[::2], ids=lambda p: p.stem)
def test_it_runs_from_top_to_bottom(source, installed, tmp_path, monkeypatch):
    check_run(source, installed, tmp_path, monkeypatch)


@by_name
def test_the_install_cell_has_the_repositorys_address(source):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    address = project["project"]["urls"]["Repository"]
    code = [c.source for c in paired(source).cells if c.cell_type == "code"]
    # What makes records is asked for where it is used.
    lab = any("from labkd.lab" in cell for cell in code)
    extra = "lab" if lab else "course"
    assert f'"labkd[{extra}] @ git+{address}"' in code[0]


def words_in(prose):
    # Neither formulas nor the code of a card.
    code = re.compile(r"^```.*?^```$", re.S | re.M)
    text = code.sub("", "\n".join(prose))
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.S)
    return len(text.split())


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)
def test_it_has_the_form_of_a_chapter(source):
    notebook = paired(source)
    written = [c for c in notebook.cells if c.cell_type == "markdown"]
    # Of a gallery one reads the cards that one needs: each has its measure.
    cards, others = [], []
    for cell in written:
        card = "card" in cell.metadata.get("tags", [])
        (cards if card else others).append(cell.source)
    assert max((words_in([card]) for card in cards), default=0) <= 75
    prose = others
    code = [c for c in notebook.cells if c.cell_type == "code"]
    folded = {"setup", "hide-input"}
    shown = [
        c.source.splitlines()
        for c in code
        if not folded & set(c.metadata.get("tags", []))
    ]
    box = re.search(r"^> \[!NOTE\]\n((?:>.*\n)+)", prose[0], re.M)[1]
    parts = "Question. Answer. Evidence. Before: read: run:".split()
    assert [part for part in parts if part not in box] == []
    # No chapter begins beside a wall of imports.
    assert "setup" in code[0].metadata.get("tags", [])
    (end,) = [n for n, s in enumerate(prose) if s.startswith("## Exercises")]
    assert 1000 <= words_in(prose[:end]) <= 1650
    assert sum(map(len, shown)) <= 170
    assert max(map(len, shown)) <= 22
    assert sum(len(c.source.splitlines()) for c in code) <= 330
    asserts = r"\bassert(?:_close)?\b"
    checks = sum(len(re.findall(asserts, c.source)) for c in code)
    assert checks <= 10
    solutions = "\n".join(prose).count("<summary>Solution</summary>")
    assert solutions in (3, 4)


def function_in(source, name):
    text = source.read_text("utf-8")
    (found,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return ast.get_source_segment(text, found)


@pytest.mark.parametrize("name", ("train", "draw", "taught", "best_rate"))
def test_chapters_1_to_3_train_with_one_and_the_same_loop(name):
    texts = {function_in(source, name) for source in CHAPTERS[:3]}
    assert len(texts) == 1
    assert "optimizer.zero_grad()" in texts.pop() or name != "train"


def test_a_text_in_two_pieces_is_one():
    pieces = [
        nbformat.v4.new_output("stream", name="stdout", text="one\n"),
        nbformat.v4.new_output("stream", name="stdout", text="two\n"),
        nbformat.v4.new_output("display_data", {"text/plain": "figure"}),
        nbformat.v4.new_output("stream", name="stdout", text="three\n"),
    ]
    kept = joined(pieces)
    kinds = [output.output_type for output in kept]
    assert kinds == ["stream", "display_data", "stream"]
    assert [kept[0].text, kept[2].text] == ["one\ntwo\n", "three\n"]


def small_chapter(folder, code):
    source = folder / "01_small.py"
    cells = [
        nbformat.v4.new_markdown_cell("# Small"),
        nbformat.v4.new_code_cell(code),
    ]
    metadata = {
        "labkd": {"title": "Small"},
        "jupytext": {"notebook_metadata_filter": "labkd"},
    }
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    jupytext.write(notebook, source, fmt="py:percent")
    return source


def test_execution_stops_at_an_error(tmp_path):
    source = small_chapter(tmp_path, "1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        execute(source, tmp_path)


A_SECOND = """\
import os, sys, time
print("labkd" in sys.modules, "conftest" in sys.modules, os.getcwd())
import labkd
print(os.environ["MINE"], labkd.__file__)
end = time.process_time() + 1
while time.process_time() < end:
    pass
"""


def test_a_forked_kernel_is_as_a_new_one(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("MINE", "yours")
    source = small_chapter(tmp_path, A_SECOND)
    notebook, seconds = run_warm(source, tmp_path, monkeypatch)
    (printed,) = notebook.cells[1].outputs
    known, *found = printed.text.splitlines()
    assert known == f"False False {tmp_path}"
    assert found == [f"yours {installed / 'labkd' / '__init__.py'}"]
    # Those of the processor, this second among them.
    assert 1 <= seconds < 5


def test_a_figure_loses_nothing_but_bytes():
    clear = Image.linear_gradient("L").convert("RGBA")
    opaque, half = clear.copy(), clear.copy()
    half.putalpha(128)
    for image, mode in ((opaque, "RGB"), (half, "RGBA")):
        raw = io.BytesIO()
        image.save(raw, "png", compress_level=1)
        data = {"image/png": base64.b64encode(raw.getvalue()).decode()}
        out = nbformat.v4.new_output("display_data", data)
        lighten([out, nbformat.v4.new_output("stream", text="a")])
        kept = base64.b64decode(out.data["image/png"])
        shown = Image.open(io.BytesIO(kept))
        assert shown.mode == mode
        assert shown.convert("RGBA").tobytes() == image.tobytes()
        assert (len(kept) < len(raw.getvalue())) == (mode == "RGB")
