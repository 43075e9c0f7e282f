r"""How the tests run a chapter, in two files side by side."""

import time
from pathlib import Path

import nbformat
import torch
from execute import execute
from jupyter_client.provisioning import local_provisioner
from torch import nn
from warm import Kernel

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))
# Seconds of `yardstick` on one idle core of the machine the budget is for.
IDLE = 0.7


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
    before = yardstick()
    notebook, seconds = run_warm(source, tmp_path, monkeypatch)
    slower = (before + yardstick()) / 2 / IDLE
    # Every cell with an output still has one, of the same kinds.
    for ours, kept in zip(
        notebook.cells, committed(source).cells, strict=True
    ):
        if ours.cell_type == "code":
            kinds = [[o.output_type for o in c.outputs] for c in (ours, kept)]
            assert kinds[0] == kinds[1], (ours.source, ours.outputs)
    # The budget is 45 s on an idle machine. Where other tests keep the other
    # half of a core busy, a second does half as much; on a slower one, less.
    assert 0.1 < seconds < 45 * max(2, slower), slower


def yardstick():
    r"""Seconds of one thread for a fixed piece of training."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(2048, 10),
    )
    images, labels = torch.randn(64, 3, 16, 16), torch.arange(64) % 10
    began = time.process_time()
    for _ in range(150):
        nn.functional.cross_entropy(model(images), labels).backward()
    seconds = time.process_time() - began
    torch.set_num_threads(threads)
    return seconds


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
