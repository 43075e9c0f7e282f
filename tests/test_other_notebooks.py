r"""Every second chapter runs from top to bottom, beside the first ones."""

import pytest
from chapters import CHAPTERS, check_run


@pytest.mark.parametrize("source", CHAPTERS[1::2], ids=lambda p: p.stem)
def test_it_runs_from_top_to_bottom(source, installed, tmp_path, monkeypatch):
    check_run(source, installed, tmp_path, monkeypatch)
