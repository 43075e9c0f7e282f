"""A step takes what passes between two questions, after a warm-up."""

from types import SimpleNamespace

import pytest
import torch

from labkd.lab import step_clock
from labkd.lab.step_clock import Clock, Enough


def test_the_clock_takes_the_median_and_waits_for_the_first(monkeypatch):
    # Steps of 4 images, of 2 s each; the first three, and one more, are slow.
    slow = {0: 50, 1: 30, 2: 9, 11: 70}
    moments, now = [], 0.0
    for step in range(100):
        moments.append(now)
        now += slow.get(step, 2)
    clock = Clock(lambda *asked: asked, 6, 2, torch.device("cpu"))
    ticking = SimpleNamespace(perf_counter=iter(moments).__next__)
    monkeypatch.setattr(step_clock, "time", ticking)
    indices = torch.tensor([1, 5, 6, 13])
    with pytest.raises(Enough):
        for _ in range(100):
            _, asked, _ = clock(None, indices, None)
            # Indices of repeated images are those of the images.
            assert asked.tolist() == [1, 5, 0, 1]
    # Two processes take as long for the eight images of a whole batch.
    assert clock.seconds() == 2 / 8
    # Three steps are enough when they take long.
    assert len(clock.marks) == 1 + 3 + 3
