r"""Chapters in JupyterLab with jupytext: they open, and keep what is edited.

Through the contents manager that the server asks, without a browser.
"""

import logging
import os
import shutil

import jupytext
import nbformat
import pytest
from chapters import CHAPTERS, ROOT
from digest import code_digest

by_name = pytest.mark.parametrize("source", CHAPTERS, ids=lambda p: p.stem)
# Seconds by which the .ipynb is newer: a fresh clone may have either order,
# `make notebooks` leaves the last.
AGES = (-60, 0, 60)


def opened_in(folder):
    r"""What JupyterLab asks for files, when it was started in a folder."""
    manager = jupytext.TextFileContentsManager(root_dir=str(folder))
    manager.log.setLevel(logging.CRITICAL)
    return manager


def clone_of(source, folder):
    r"""The pair of a chapter and the settings beside it, in `notebooks/`."""
    place = folder / "notebooks"
    place.mkdir()
    for name in (source.name, f"{source.stem}.ipynb", "jupytext.toml"):
        shutil.copy(ROOT / "notebooks" / name, place)
    return place / source.name, place / f"{source.stem}.ipynb"


def set_age(script, notebook, seconds):
    now = script.stat().st_mtime
    os.utime(notebook, (now + seconds, now + seconds))


def code_and_prose(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def outputs(notebook):
    return [cell.get("outputs") for cell in notebook.cells]


@by_name
def test_it_opens_and_is_saved_as_it_was(source, tmp_path):
    script, notebook = clone_of(source, tmp_path)
    files = script.read_bytes(), notebook.read_bytes()
    before = nbformat.read(notebook, 4)
    # Started beside the checkout's README, or among the notebooks.
    starts = (*(tmp_path,) * len(AGES), script.parent)
    for start, seconds in zip(starts, (*AGES, AGES[-1]), strict=True):
        manager = opened_in(start)
        path = str(notebook.relative_to(start))
        set_age(script, notebook, seconds)
        model = manager.get(path)
        assert code_and_prose(model["content"]) == code_and_prose(before)
        assert outputs(model["content"]) == outputs(before)
    manager.save(model, path)
    assert (script.read_bytes(), notebook.read_bytes()) == files
    assert before.metadata.labkd_digest == code_digest(before)


def test_an_edit_in_jupyter_reaches_both_files(tmp_path):
    script, notebook = clone_of(CHAPTERS[0], tmp_path)
    manager, path = opened_in(tmp_path), f"notebooks/{notebook.name}"
    model = manager.get(path)
    model["content"].cells[-1].source += "\n\nA line more."
    manager.save(model, path)
    assert "A line more." in script.read_text("utf-8")
    assert nbformat.read(notebook, 4).cells[-1].source.endswith("A line more.")


def test_an_edit_of_the_script_is_kept(tmp_path):
    script, notebook = clone_of(CHAPTERS[0], tmp_path)
    with script.open("a", encoding="utf-8") as file:
        file.write("\n# %%\nprint('a cell more')\n")
    set_age(script, notebook, -60)
    manager, path = opened_in(tmp_path), f"notebooks/{notebook.name}"
    model = manager.get(path)
    assert model["content"].cells[-1].source == "print('a cell more')"
    manager.save(model, path)
    assert "a cell more" in script.read_text("utf-8")
    after = nbformat.read(notebook, 4)
    assert after.cells[-1].source == "print('a cell more')"
    # The outputs are those of other code now, and the build says so.
    assert after.metadata.labkd_digest != code_digest(after)


def test_an_edit_of_the_notebook_elsewhere_is_not_lost(tmp_path):
    script, notebook = clone_of(CHAPTERS[0], tmp_path)
    edited = nbformat.read(notebook, 4)
    edited.cells[-1].source += "\n\nWritten in VS Code."
    nbformat.write(edited, notebook)
    set_age(script, notebook, 60)
    files = script.read_bytes(), notebook.read_bytes()
    # Nobody but the reader knows which of the two is meant.
    with pytest.raises(Exception, match="400") as told:
        opened_in(tmp_path).get(f"notebooks/{notebook.name}")
    assert told.value.status_code == 400
    for name in (script.name, notebook.name, "Written in VS Code."):
        assert name in told.value.log_message
    assert (script.read_bytes(), notebook.read_bytes()) == files
