r"""Intervals, crossings, areas and kappa against tables and counts by hand."""

import math
import random
import statistics

import pytest

from labkd.inference import (
    area_under_curve,
    cohen_kappa,
    crossing,
    paired_difference,
)

OURS = [71.0, 68.5, 73.2, 70.1, 69.9]
THEIRS = [69.0, 67.5, 70.2, 69.9, 66.4]
# Student's t at 0.975, by degrees of freedom, as printed tables have it.
QUANTILES = {1: 12.706, 4: 2.776, 9: 2.262}


@pytest.mark.parametrize("freedom", QUANTILES)
def test_the_interval_is_that_of_a_table(freedom):
    count = freedom + 1
    draw = random.Random(freedom)
    ours, theirs = (
        [draw.gauss(50, 2) for _ in range(count)] for _ in range(2)
    )
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    found = paired_difference(ours, theirs)
    half = QUANTILES[freedom] * statistics.stdev(gaps) / math.sqrt(count)
    assert found.mean == pytest.approx(statistics.mean(gaps))
    assert found.half_width == pytest.approx(half, rel=2e-4)
    assert (found.low, found.high) == pytest.approx(
        (found.mean - half, found.mean + half), rel=1e-3, abs=1e-3
    )


def test_the_interval_decides_what_was_found():
    # Differences 2, 1, 3, 0.2 and 3.5: mean 1.94, s² = 7.472 / 4 = 1.868,
    # and 2.776 · √(1.868 / 5) = 1.697.
    found = paired_difference(OURS, THEIRS)
    assert found.half_width == pytest.approx(1.697, abs=5e-4)
    assert found.found and found.short == "+1.9 ± 1.7"
    # There is no minus nought.
    assert paired_difference([0.0, -0.02], [0.0, 0.0]).short == "+0.0 ± 0.1"
    noise = paired_difference([1.0, -1.0, 0.5], [0.0, 0.0, 0.0])
    assert not noise.found and noise.low < 0 < noise.high
    for text in (str(found), str(noise), found.labelled("points")):
        assert "(95 % interval)" in text
    assert ("no difference found" in str(noise)) > (
        "no difference found" in str(found)
    )


def test_what_is_shared_by_a_pair_cancels():
    lucky = [20.0, -3.0, 7.0, 11.0, 0.0]
    shifted = paired_difference(
        [a + b for a, b in zip(OURS, lucky, strict=True)],
        [a + b for a, b in zip(THEIRS, lucky, strict=True)],
    )
    plain = paired_difference(OURS, THEIRS)
    assert shifted.mean == pytest.approx(plain.mean)
    assert shifted.half_width == pytest.approx(plain.half_width)


@pytest.mark.filterwarnings("error")
def test_differences_that_are_all_alike_have_no_width():
    found = paired_difference([0.5, 0.51, 0.5], [0.4, 0.41, 0.4])
    assert found.mean == pytest.approx(0.1) and found.half_width < 1e-12
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.mean, same.half_width) == (0, 0) and not same.found


@pytest.mark.parametrize(
    "pair",
    [
        ([1.0], [2.0]),
        ([1.0, 2.0], [1.0]),
        ([], []),
        ([1.0, math.nan], [1.0, 2.0]),
        ([1.0, 2.0], [math.inf, 2.0]),
        ([[1.0, 2.0]], [[1.0, 2.0]]),
    ],
)
def test_scores_that_make_no_pairs(pair):
    with pytest.raises(ValueError):
        paired_difference(*pair)


@pytest.mark.parametrize(
    ("curve", "level", "epochs"),
    [
        # Half-way, a quarter of the way, on an epoch.
        ([0.2, 0.4, 0.6], 0.3, 1.5),
        ([0.2, 0.4, 0.8], 0.5, 2.25),
        ([0.2, 0.4, 0.6], 0.4, 2.0),
        ([0.2, 0.4, 0.6], 0.6, 3.0),
        # The first time counts, whatever comes later.
        ([0.1, 0.5, 0.2, 0.5], 0.3, 1.5),
        # What was before the end of the first epoch, nobody knows.
        ([0.5, 0.6], 0.3, 1.0),
        ([0.5], 0.5, 1.0),
    ],
)
def test_a_crossing_lies_between_two_epochs(curve, level, epochs):
    assert crossing(curve, level) == pytest.approx(epochs)


def test_a_level_that_is_never_reached_has_no_crossing():
    never = crossing([0.1, 0.2], 0.3)
    assert math.isnan(never)
    # And it cannot slip into a mean.
    with pytest.raises(ValueError):
        paired_difference([never, 2.0], [1.0, 2.0])


def test_a_shifted_line_is_crossed_later_by_the_shift():
    line = [0.03 * epoch for epoch in range(1, 21)]
    later = [value - 0.012 for value in line]
    for level in (0.1, 0.2345, 0.5):
        gap = crossing(later, level) - crossing(line, level)
        assert gap == pytest.approx(0.4)


@pytest.mark.parametrize(
    "arguments", [([], 0.5), ([0.1, math.nan], 0.5), ([0.1, 0.2], math.nan)]
)
def test_curves_and_levels_that_are_none(arguments):
    with pytest.raises(ValueError):
        crossing(*arguments)


def test_the_area_of_shapes_that_have_a_formula():
    assert area_under_curve([0.7] * 5) == pytest.approx(0.7)
    # A line from 0.2 to 0.8, and a triangle up to 1 and down again.
    assert area_under_curve([0.2, 0.4, 0.6, 0.8]) == pytest.approx(0.5)
    assert area_under_curve([0.0, 0.5, 1.0, 0.5, 0.0]) == pytest.approx(0.5)
    # The ends weigh half: (0.5 · 1 + 0 + 0.5 · 0) / 2.
    assert area_under_curve([1.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_the_area_is_the_time_above_a_level_averaged_over_levels():
    draw = random.Random(0)
    curve = sorted(draw.random() for _ in range(8))
    low, high, count = curve[0], curve[-1], 20_000
    levels = [low + (k + 0.5) * (high - low) / count for k in range(count)]
    above = [(8 - crossing(curve, level)) / 7 for level in levels]
    mean = low + (high - low) * statistics.mean(above)
    assert area_under_curve(curve) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("curve", [[], [0.5], [0.5, math.inf]])
def test_curves_without_an_area(curve):
    with pytest.raises(ValueError):
        area_under_curve(curve)


def test_kappa_by_hand():
    # Of 50 images, class by class: 20 both yes, 15 both no, 5 and 10 apart.
    # They agree on 0.7; chance gives 0.5 · 0.6 + 0.5 · 0.4 = 0.5.
    ours = [1] * 25 + [0] * 25
    theirs = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(ours, theirs, 2) == pytest.approx(0.4)
    assert cohen_kappa(theirs, ours, 2) == pytest.approx(0.4)


def test_kappa_is_one_for_the_same_and_below_zero_for_the_contrary():
    assert cohen_kappa([0, 1, 2, 1], [0, 1, 2, 1], 3) == pytest.approx(1)
    assert cohen_kappa([0, 1], [1, 0], 2) == pytest.approx(-1)
    # Classes that nobody chose change nothing.
    assert cohen_kappa([0, 1], [1, 0], 9) == pytest.approx(-1)


def test_kappa_takes_chance_off():
    # Nine of ten answers are a 3: the two agree on 0.82 of the images, and
    # know nothing of each other.
    draw = random.Random(1)
    ours, theirs = (
        [3 if draw.random() < 0.9 else 7 for _ in range(200_000)]
        for _ in range(2)
    )
    raw = statistics.mean(a == b for a, b in zip(ours, theirs, strict=True))
    assert raw == pytest.approx(0.82, abs=5e-3)
    assert cohen_kappa(ours, theirs, 10) == pytest.approx(0, abs=1e-2)
    # Nor does who always says the same.
    assert cohen_kappa(ours, [3] * len(ours), 10) == pytest.approx(0)


def test_kappa_of_right_and_wrong_is_error_consistency():
    # Right on 90 and on 80 of a hundred; both right or both wrong on 82.
    # Accuracies alone would give 72 + 2 = 74: 8 of the 26 that are left.
    ours = [True] * 90 + [False] * 10
    theirs = [True] * 76 + [False] * 14 + [True] * 4 + [False] * 6
    assert cohen_kappa(ours, theirs, 2) == pytest.approx(8 / 26)


def test_kappa_is_that_of_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    draw = random.Random(2)
    ours = [draw.randrange(5) for _ in range(300)]
    theirs = [y if draw.random() < 0.6 else draw.randrange(5) for y in ours]
    expected = cohen_kappa_score(ours, theirs)
    assert cohen_kappa(ours, theirs, 5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "classes"),
    [
        ([], [], 2),
        ([0, 1], [0], 2),
        ([0, 2], [0, 1], 2),
        ([0, 1], [0, -1], 2),
        ([0.0, 1.0], [0.0, 1.0], 2),
        ([[0, 1]], [[0, 1]], 2),
        # One class throughout: any agreement is chance.
        ([1, 1], [1, 1], 2),
    ],
)
def test_answers_that_have_no_kappa(ours, theirs, classes):
    with pytest.raises(ValueError):
        cohen_kappa(ours, theirs, classes)
