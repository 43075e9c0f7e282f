"""Runs of one recipe, put together and beside their baseline."""

import pytest

from labkd.comparisons import arms
from labkd.inference import paired_difference


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
