r"""The table of claims says what the records say, and no more."""

import math
import statistics

import claims
import pytest
from scipy.stats import f as fisher

from labkd import comparisons
from labkd.arms import RECIPES

ESSAY, LABML = claims.CLAIMS[1], claims.CLAIMS[2]
SOONER = claims.CLAIMS[0]
UNSTABLE = next(c for c in claims.CLAIMS if c.measure == "spread")
CALIBRATED = next(c for c in claims.CLAIMS if c.measure == "ece")


def runs(recipe, accuracies, size="laptop", ece=(), curves=()):
    return [
        {
            "recipe": recipe,
            "size": size,
            "seed": seed,
            "config": {"baseline": ""},
            "command": f"run {recipe} --seed {seed}",
            "test": {"accuracy": accuracy, "ece": ece[seed] if ece else 0.1},
            "epochs": [
                {"validation": {"accuracy": a}}
                for a in (curves[seed] if curves else (0.5,))
            ],
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def row_of(claim, found):
    rows = claims.table(found).splitlines()[2:]
    return rows[claims.CLAIMS.index(claim)]


def pair(claim, ours, theirs, **more):
    return runs(claim.ours, ours, **more) + runs(claim.theirs, theirs, **more)


def test_every_claim_is_about_recipes_of_the_course():
    for claim in claims.CLAIMS:
        assert {claim.ours, claim.theirs} <= set(RECIPES)
        shared = set(RECIPES[claim.ours]) & set(RECIPES[claim.theirs])
        assert "laptop" in shared


def test_every_source_has_its_row():
    sources = " ".join(claim.source for claim in claims.CLAIMS)
    for source in ("ViT on CIFAR-10", "labml", "Lightning", "Korean"):
        assert source in sources
    assert "distillistic" in sources


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([0.64, 0.66, 0.65], "confirmed"),
        ([0.56, 0.54, 0.55], "reversed"),
        ([0.61, 0.58, 0.62], "not found"),
    ],
)
def test_the_interval_gives_the_verdict(ours, verdict):
    theirs = [0.60, 0.61, 0.60]
    row = row_of(LABML, pair(LABML, ours, theirs))
    assert f"| **{verdict}** |" in row
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    ahead = comparisons.paired_difference(*points)
    assert f"{ahead.mean:+.1f} ± {ahead.half_width:.1f} points" in row
    assert f"{statistics.mean(theirs):.1%}"[:-1] in row
    assert f"`run {LABML.ours} --seed 0`" in row


def test_less_is_better_where_the_claim_says_so():
    ece = ([0.02, 0.03, 0.02], [0.20, 0.22, 0.21])
    found = runs(CALIBRATED.ours, [0.8] * 3, ece=ece[0])
    found += runs(CALIBRATED.theirs, [0.8] * 3, ece=ece[1])
    assert "**confirmed**" in row_of(CALIBRATED, found)
    swapped = runs(CALIBRATED.ours, [0.8] * 3, ece=ece[1])
    swapped += runs(CALIBRATED.theirs, [0.8] * 3, ece=ece[0])
    assert "**reversed**" in row_of(CALIBRATED, swapped)


def test_sooner_is_counted_in_epochs_to_nine_tenths_of_the_baseline():
    slow = [(0.1, 0.2, 0.3, 0.89, 1.0), (0.1, 0.2, 0.91, 0.95, 1.0)] * 2
    quick = [(0.1, 0.92, 0.3, 0.89, 1.0), (0.95, 0.2, 0.91, 0.95, 1.0)] * 2
    found = runs(SOONER.ours, [0.5] * 4, curves=quick)
    found += runs(SOONER.theirs, [0.5] * 4, curves=slow)
    # Fifth and third epoch against second and first.
    ahead = comparisons.paired_difference([2, 1, 2, 1], [5, 3, 5, 3])
    row = row_of(SOONER, found)
    assert f"{ahead.mean:+.1f} ± {ahead.half_width:.1f} epochs" in row
    assert "**confirmed**" in row


def test_a_level_that_is_never_reached_counts_as_too_late():
    low = [(0.1, 0.2, 0.2), (0.1, 0.2, 0.3)]
    high = [(0.1, 0.9, 0.9), (0.8, 0.9, 0.9)]
    found = runs(SOONER.ours, [0.5] * 2, curves=low)
    found += runs(SOONER.theirs, [0.5] * 2, curves=high)
    ahead = comparisons.paired_difference([4, 4], [2, 2])
    assert ahead.mean == 2.0 and "+2.0 ± 0.0 epochs" in row_of(SOONER, found)


def test_the_spread_is_judged_by_fishers_f():
    ours, theirs = [0.5, 0.6, 0.7, 0.4], [0.60, 0.61, 0.60, 0.62]
    row = row_of(UNSTABLE, pair(UNSTABLE, ours, theirs))
    ratio = statistics.stdev(ours) / statistics.stdev(theirs)
    # scipy's own interval of the ratio of two variances, by its quantiles.
    low = ratio / math.sqrt(fisher(3, 3).ppf(0.975))
    high = ratio / math.sqrt(fisher(3, 3).ppf(0.025))
    assert f"ratio {ratio:.1f}, interval {low:.1f} to {high:.1f}" in row
    assert low > 1 and "**confirmed**" in row
    even = pair(UNSTABLE, [0.6, 0.61, 0.59], [0.60, 0.61, 0.59])
    assert "**not found**" in row_of(UNSTABLE, even)


def test_what_was_not_recorded_is_open():
    assert claims.table([]).count("| not recorded yet | open |") == len(
        claims.CLAIMS
    )
    one = pair(ESSAY, [0.5], [0.4])
    assert "not recorded yet" in row_of(ESSAY, one)


def test_the_largest_size_is_judged_and_named():
    small = pair(LABML, [0.5, 0.6, 0.5], [0.6, 0.5, 0.6])
    large = pair(LABML, [0.9, 0.9, 0.9], [0.8, 0.8, 0.8], size="full")
    row = row_of(LABML, small + large)
    assert "(full)" in row and "**confirmed**" in row
    assert f"results/{LABML.ours}/full-seed0.json) × 3" in row
