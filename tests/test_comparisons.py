"""Paired differences against scipy's own paired test."""

import pytest
from scipy import stats

from labkd.comparisons import arms, paired_difference

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


def record(recipe, seed, accuracy, baseline=""):
    scores = {"accuracy": accuracy, "nll": 1.0, "ece": 0.1, "brier": 0.5}
    return {
        "recipe": recipe,
        "size": "laptop",
        "seed": seed,
        "config": {"baseline": baseline},
        "test": scores,
    }


def test_arms_are_paired_by_seed_with_their_baseline():
    theirs = [record("alone", s, a) for s, a in enumerate((0.5, 0.6, 0.4))]
    # A seed that the baseline lacks, seed 7, has no pair.
    ours = [
        record("soft", seed, accuracy, "alone")
        for seed, accuracy in ((0, 0.55), (2, 0.44), (7, 0.9))
    ]
    alone, soft = arms(theirs + ours)
    assert (alone.recipe, len(alone.records)) == ("alone", 3)
    assert alone.difference is None
    expected = paired_difference([55.0, 44.0], [50.0, 40.0])
    assert soft.difference.mean == pytest.approx(expected.mean)
    assert soft.difference.half_width == pytest.approx(expected.half_width)
    assert soft.scores("accuracy") == [0.55, 0.44, 0.9]


def test_an_arm_shows_mean_and_standard_deviation():
    many = [record("alone", s, a) for s, a in enumerate((0.5, 0.6, 0.4))]
    (arm,) = arms(many)
    assert arm.spread("accuracy", scale=100, digits=1) == "50.0 ± 10.0"
    (single,) = arms(many[:1])
    assert single.spread("accuracy", scale=100, digits=1) == "50.0"


def test_one_shared_seed_is_no_comparison():
    pair = [record("alone", 0, 0.5), record("soft", 0, 0.6, "alone")]
    assert [arm.difference for arm in arms(pair)] == [None, None]
