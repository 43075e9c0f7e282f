"""Paired differences against scipy's own paired test."""

import pytest
from scipy import stats

from labkd.comparisons import paired_difference

OURS = [71.0, 68.5, 73.2, 70.1, 69.9]
THEIRS = [69.0, 67.5, 70.2, 69.9, 66.4]


def test_equals_scipys_confidence_interval():
    ours = paired_difference(OURS, THEIRS)
    interval = stats.ttest_rel(OURS, THEIRS).confidence_interval(0.95)
    assert ours.mean - ours.half_width == pytest.approx(interval.low)
    assert ours.mean + ours.half_width == pytest.approx(interval.high)
    assert ours.found


def test_zero_inside_the_interval_is_no_difference():
    noise = paired_difference([1.0, -1.0, 0.5], [0.0, 0.0, 0.0])
    assert not noise.found
    assert "no difference found" in str(noise)


def test_what_is_shared_by_a_pair_cancels():
    lucky = [20.0, -3.0, 7.0, 11.0, 0.0]
    shifted = paired_difference(
        [a + b for a, b in zip(OURS, lucky, strict=True)],
        [a + b for a, b in zip(THEIRS, lucky, strict=True)],
    )
    plain = paired_difference(OURS, THEIRS)
    assert shifted.mean == pytest.approx(plain.mean)
    assert shifted.half_width == pytest.approx(plain.half_width)


@pytest.mark.parametrize("pair", [([1.0], [2.0]), ([1.0, 2.0], [1.0])])
def test_bad_input(pair):
    with pytest.raises(ValueError, match="got 1|got 2 and 1"):
        paired_difference(*pair)
