"""Sheet 5: a fair comparison. Parts return, as text, what the guide states."""

import math
import statistics

import numpy as np
from scipy.stats import nct, norm, t

from labkd.inference import paired_difference

LABELS = [81.2, 80.4, 82.0, 79.8, 81.1]
SOFT = [82.0, 81.5, 82.4, 80.9, 81.4]


def part_a():
    differences = [a - b for a, b in zip(SOFT, LABELS, strict=True)]
    mean, spread = statistics.mean(differences), statistics.stdev(differences)
    half = t.ppf(0.975, 4) * spread / math.sqrt(5)
    ours = paired_difference(SOFT, LABELS)
    assert math.isclose(ours.mean, mean) and ours.found
    assert math.isclose(ours.half_width, half, rel_tol=1e-6)
    # As if the seeds had nothing to do with each other.
    pooled = math.sqrt(
        (statistics.variance(SOFT) + statistics.variance(LABELS)) / 2
    )
    apart = t.ppf(0.975, 8) * pooled * math.sqrt(2 / 5)
    assert apart > mean
    return [f"{x:.3f}" for x in (mean, spread, half, apart)]


def power(effect, seeds):
    # Of the paired t test; the effect in standard deviations of a difference.
    edge = t.ppf(0.975, seeds - 1)
    shift = effect * math.sqrt(seeds)
    below = nct.cdf(-edge, seeds - 1, shift)
    return below + nct.sf(edge, seeds - 1, shift)


def seeds_needed(effect, wanted=0.8):
    return next(n for n in range(2, 10_000) if power(effect, n) >= wanted)


def found(differences):
    seeds = differences.shape[-1]
    error = differences.std(-1, ddof=1) / math.sqrt(seeds)
    return abs(differences.mean(-1)) > t.ppf(0.975, seeds - 1) * error


def part_b():
    table = [seeds_needed(effect) for effect in (0.5, 1, 2)]
    # The same by simulation.
    draws = np.random.default_rng(0).normal(1, 1, (20_000, table[1]))
    assert abs(found(draws).mean() - power(1, table[1])) < 0.01
    return [str(n) for n in table] + [f"{power(1, 5):.2f}"]


def part_c():
    noise = np.random.default_rng(0).normal(size=(200_000, 5))
    best = {k: noise[:, :k].max(1).mean() for k in (2, 3, 5)}
    assert abs(best[2] - 1 / math.sqrt(math.pi)) < 0.01
    assert abs(best[3] - 1.5 / math.sqrt(math.pi)) < 0.01
    # Chosen by other images, the winner has no luck on these.
    validation = np.random.default_rng(1).normal(size=noise.shape)
    chosen = noise[np.arange(len(noise)), validation.argmax(1)]
    assert abs(chosen.mean()) < 0.01
    x = np.linspace(-8, 8, 4001)
    exact = {
        k: np.trapezoid(x * k * norm.pdf(x) * norm.cdf(x) ** (k - 1), x)
        for k in best
    }
    assert all(abs(best[k] - exact[k]) < 0.01 for k in best)
    return [f"{value:.3f}" for value in exact.values()]


def part_d():
    independent = 1 - 0.95**6
    generator = np.random.default_rng(0)
    baseline = generator.normal(size=(20_000, 1, 5))
    arms = generator.normal(size=(20_000, 6, 5))
    shared = found(arms - baseline).any(1).mean()
    # One lucky baseline helps all arms at once.
    assert 0.15 < shared < independent - 0.02
    corrected = 1 - (1 - 0.05 / 6) ** 6
    assert corrected < 0.05
    print(f"six arms, one baseline: {shared:.3f} of the studies find one")
    return [f"{independent:.3f}"]


def part_e():
    draws = np.random.default_rng(0).normal(size=(20_000, 20))
    looked = [found(draws[:, :n]) for n in range(3, 21)]
    alarms = np.any(looked, axis=0).mean()
    assert alarms > 3 * 0.05
    assert abs(looked[-1].mean() - 0.05) < 0.01
    print(f"a look after each of 3 to 20 seeds: {alarms:.3f} false alarms")


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__, part())
