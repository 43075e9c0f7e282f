r"""How the tests run a chapter, in two files side by side."""

from pathlib import Path

import nbformat
from conftest import processor_seconds
from execute import execute

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def committed(source):
    r"""The notebook of a chapter with the outputs that readers see."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def check_run(source, installed, tmp_path, monkeypatch):
    r"""A chapter runs as after `pip install`, within its time."""
    # No checkout, no data at hand, and no way to fetch any.
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("LABKD_DATA", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    before = processor_seconds()
    notebook = execute(source, tmp_path)
    seconds = processor_seconds() - before
    # Every cell with an output still has one, of the same kinds.
    for ours, kept in zip(
        notebook.cells, committed(source).cells, strict=True
    ):
        if ours.cell_type == "code":
            kinds = [[o.output_type for o in c.outputs] for c in (ours, kept)]
            assert kinds[0] == kinds[1], ours.source
    # The budget is 45 s on a free machine. Here another test may keep the
    # other half of a core busy, and a second of this half's time does less.
    assert 1 < seconds < 75
