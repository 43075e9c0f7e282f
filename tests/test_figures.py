r"""What is drawn is what was given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from labkd import figures
from labkd.inference import paired_difference


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_curves_are_the_mean_of_the_seeds_in_their_band(axes):
    rows = [
        (seed, epoch, 0.1 * epoch + 0.02 * seed)
        for seed in (0, 3)
        for epoch in (1, 2, 3)
    ]
    runs = pd.DataFrame(rows, columns=["seed", "epoch", "accuracy"])
    figures.draw_curves(axes, runs, "accuracy", "labels", dashes="--")
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata() == pytest.approx([0.13, 0.23, 0.33])
    assert line.get_label() == "labels" and line.get_linestyle() == "--"
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.1)
    assert corners[:, 1].max() == pytest.approx(0.36)


def test_a_forest_has_pairs_a_mean_and_its_interval(axes):
    differences = {"soft - labels": [1.0, 2.0, 3.0], "a - b": [-1.0, -1.5]}
    figures.draw_differences(axes, differences)
    zero, *drawn = axes.lines
    assert set(zero.get_xdata()) == {0}
    for place, values in enumerate(differences.values()):
        pairs, interval, mean = drawn[3 * place : 3 * place + 3]
        found = paired_difference(values, [0.0] * len(values))
        assert list(pairs.get_xdata()) == values
        assert list(interval.get_xdata()) == [found.low, found.high]
        assert list(mean.get_xdata()) == [found.mean]
        assert set(interval.get_ydata()) == set(mean.get_ydata()) == {place}
        assert set(pairs.get_ydata()) == {place + 0.2}
        assert axes.texts[place].get_text() == found.short
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        *differences
    ]
    # The first comparison is the uppermost.
    low, high = axes.get_ylim()
    assert low > high
