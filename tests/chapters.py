r"""How the tests run a chapter, in two files side by side."""

from pathlib import Path

import nbformat
from execute import execute
from jupyter_client.provisioning import local_provisioner
from warm import Kernel

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
    notebook, seconds = run_warm(source, tmp_path, monkeypatch)
    # Every cell with an output still has one, of the same kinds.
    for ours, kept in zip(
        notebook.cells, committed(source).cells, strict=True
    ):
        if ours.cell_type == "code":
            kinds = [[o.output_type for o in c.outputs] for c in (ours, kept)]
            assert kinds[0] == kinds[1], ours.source
    # The budget is 45 s on a free machine, of which ten are for imports, done
    # before. Here another test may keep the other half of a core busy, and a
    # second of this half's time does less.
    assert 0.1 < seconds < 65


def run_warm(source, folder, monkeypatch):
    r"""A chapter with its outputs, and the processor's seconds for it."""
    kernels = []

    def launch(*words, **options):
        kernels.append(Kernel(*words, **options))
        return kernels[-1]

    monkeypatch.setattr(local_provisioner, "launch_kernel", launch)
    notebook = execute(source, folder)
    (kernel,) = kernels
    return notebook, kernel.seconds
