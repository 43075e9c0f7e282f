"""Sheet 9: read the records. What they say is printed, not stated here."""

import json
import math
import statistics
from itertools import product

from scipy.stats import chi2, nct, t

from labkd import records
from labkd.comparisons import arms
from labkd.lab import store

VIT = "scratch-vit-cifar10"
PAIRS = (
    ("soft-vit_from_resnet18-cifar10", VIT),
    ("mutual-resnet18-fashion_mnist", "scratch-resnet18-fashion_mnist"),
)


def accuracies(recipe):
    runs = (r for r in records.read_all() if r["size"] == "laptop")
    found = {r["seed"]: r for r in runs if r["recipe"] == recipe}
    return {seed: 100 * run["test"]["accuracy"] for seed, run in found.items()}


def part_a():
    run = records.read(PAIRS[0][0], "laptop", 0)
    learned = run["config"]
    theirs = records.read(learned["teacher"], "laptop", 0)["config"]
    for key in ("objective", "teacher", "temperature", "teacher_weight"):
        print(f"{key}: {learned[key]}")
    print(f"{run['command']}\n{run['commit']}, {run['source']}")
    assert learned["objective"] == "soft"
    # Nothing in the field means: all of the training split.
    assert not theirs.get("training_images")
    grid = read_grid(run["recipe"])
    assert grid["learning_rate"] == learned["learning_rate"]
    assert all("test" not in trial for trial in grid["trials"])
    told = learned["temperature"], learned["teacher_weight"]
    return [f"{x:g}" for x in told] + [f"{learned['training_images']:,}"]


def read_grid(recipe):
    return json.loads(store.grid_path(recipe, "laptop").read_text("utf-8"))


def interval(ours, theirs):
    shared = sorted(ours.keys() & theirs.keys())
    differences = [ours[seed] - theirs[seed] for seed in shared]
    error = statistics.stdev(differences) / math.sqrt(len(shared))
    half = t.ppf(0.975, len(shared) - 1) * error
    return statistics.mean(differences), half


def part_b():
    baseline, rows = accuracies(VIT), 0
    for arm in arms(records.read_all()):
        config = arm.records[0]["config"]
        if arm.size != "laptop" or config.get("baseline") != VIT:
            continue
        ours = accuracies(arm.recipe)
        if len(ours.keys() & baseline.keys()) < 2:
            continue
        mean, half = interval(ours, baseline)
        assert math.isclose(mean, arm.difference.mean, abs_tol=1e-9)
        assert math.isclose(half, arm.difference.half_width, rel_tol=1e-6)
        found = "found" if abs(mean) > half else "no difference found"
        print(f"{arm.recipe}: {len(ours)} seeds, {arm.spread('accuracy')},")
        print(f"    {mean:+.2f} ± {half:.2f} points, {found}")
        rows += 1
    assert rows >= 4


def part_c():
    shares = []
    for recipes in PAIRS:
        ours, theirs = (list(accuracies(name).values()) for name in recipes)
        mean = statistics.mean(ours) - statistics.mean(theirs)
        gaps = [a - b for a, b in product(ours, theirs)]
        shares.append(sum(gap * mean <= 0 for gap in gaps) / len(gaps))
        print(f"{recipes[0]}: the other sign in {shares[-1]:.0%} of the pairs")
        print(f"    from {min(gaps):+.2f} to {max(gaps):+.2f} points")
    assert shares[0] < shares[1]


def seeds_needed(effect):
    def power(seeds):
        edge = t.ppf(0.975, seeds - 1)
        shift = effect * math.sqrt(seeds)
        below = nct.cdf(-edge, seeds - 1, shift)
        return below + nct.sf(edge, seeds - 1, shift)

    return next(n for n in range(2, 10_000) if power(n) >= 0.8)


def part_d():
    ours, theirs = map(accuracies, PAIRS[1])
    shared = sorted(ours.keys() & theirs.keys())
    spread = statistics.stdev(ours[seed] - theirs[seed] for seed in shared)
    degrees = len(shared) - 1
    # What the true spread may be, from so few seeds.
    low, high = (
        spread * math.sqrt(degrees / chi2.ppf(tail, degrees))
        for tail in (0.975, 0.025)
    )
    needed = [seeds_needed(0.5 / each) for each in (low, spread, high)]
    print(f"{needed[1]} seeds, and anything from {needed[0]} to {needed[2]}")
    assert needed[0] <= needed[1] <= needed[2] and needed[2] > 2 * needed[0]


def part_e():
    grid = read_grid(VIT)
    scores = sorted(
        100 * trial["epochs"][-1]["validation"]["accuracy"]
        for trial in grid["trials"]
    )
    ahead, share = scores[-1] - scores[-2], scores[-1] / 100
    binomial = 100 * math.sqrt(share * (1 - share) / 5000)
    spread = statistics.stdev(accuracies(VIT).values())
    print(f"ahead by {ahead:.2f} points, binomial error {binomial:.2f},")
    print(f"    spread over seeds {spread:.2f}")
    best = max(
        grid["trials"],
        key=lambda trial: trial["epochs"][-1]["validation"]["accuracy"],
    )
    assert best["config"]["learning_rate"] == grid["learning_rate"]
    assert 0.6 < binomial < 0.8


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__, part() or "")
