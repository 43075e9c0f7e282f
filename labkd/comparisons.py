r"""
# Comparing two arms

One run is an anecdote: another seed moves the accuracy by as much as many a
method promises. So runs come in pairs, one of each arm from the same seed,
and what is judged is the difference inside a pair.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from scipy.special import stdtrit


@dataclass(frozen=True)
class PairedDifference:
    r"""
    The mean of paired differences and half of its 95 % interval.

    Printed as `+1.2 ± 0.5`; where the interval holds zero, it says that no
    difference was found.
    """

    mean: float
    half_width: float

    @property
    def found(self) -> bool:
        r"""Whether the interval leaves zero out."""
        return abs(self.mean) > self.half_width

    def __str__(self) -> str:
        interval = f"{self.mean:+.1f} ± {self.half_width:.1f}"
        return interval if self.found else f"{interval}, no difference found"


def paired_difference(
    ours: Sequence[float], theirs: Sequence[float]
) -> PairedDifference:
    r"""
    How far one arm is ahead of another over the same seeds.

    Student (1908): with $n$ differences of mean $\bar d$ and standard
    deviation $s$, the interval that covers the true mean in 95 % of cases is

    $$
    \bar d \pm t_{0.975,\, n - 1} \, \frac{s}{\sqrt n} .
    $$

    * `ours`, `theirs`: one score a seed, the seeds in the same order, at
      least two

    Returns the difference, ours minus theirs, in the scores' unit. Raises
    `ValueError` when the numbers of scores differ or are below two.
    """
    if len(ours) != len(theirs) or len(ours) < 2:
        raise ValueError(
            "expected two equally long lists of at least two scores, got "
            f"{len(ours)} and {len(theirs)}"
        )
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    count = len(differences)
    error = statistics.stdev(differences) / math.sqrt(count)
    quantile = float(stdtrit(count - 1, 0.975))
    return PairedDifference(statistics.mean(differences), quantile * error)


@dataclass(frozen=True)
class Arm:
    r"""
    All recorded runs of one recipe at one size.

    * `recipe`, `size`: which
    * `records`: one a seed, in the order of the seeds
    * `difference`: test accuracy minus the baseline's over the seeds that
      both have, in percentage points; nothing without two such seeds
    """

    recipe: str
    size: str
    records: tuple[dict, ...]
    difference: PairedDifference | None

    def scores(self, score: str) -> list[float]:
        r"""A score on the test images, one value a seed."""
        return [record["test"][score] for record in self.records]

    def spread(
        self, score: str, *, scale: float = 1.0, digits: int = 3
    ) -> str:
        r"""Mean and standard deviation over the seeds, as text."""
        values = [scale * value for value in self.scores(score)]
        mean = f"{statistics.mean(values):.{digits}f}"
        if len(values) == 1:
            return mean
        return f"{mean} ± {statistics.stdev(values):.{digits}f}"


def arms(records: list[dict]) -> list[Arm]:
    r"""
    Records put together by recipe and size, each beside its baseline.

    * `records`: as `records.read_all` gives them, in its order

    Returns an arm for each recipe and size, in the records' order.
    """
    grouped = {
        key: {record["seed"]: record for record in group}
        for key, group in groupby(
            records, key=lambda record: (record["recipe"], record["size"])
        )
    }
    return [
        Arm(recipe, size, tuple(ours.values()), _ahead(ours, grouped))
        for (recipe, size), ours in grouped.items()
    ]


def arms_by_name(records: list[dict]) -> dict[tuple[str, str], Arm]:
    r"""The `arms` of records, by recipe and size."""
    return {(arm.recipe, arm.size): arm for arm in arms(records)}


def _ahead(
    ours: dict[int, dict], grouped: dict[tuple, dict[int, dict]]
) -> PairedDifference | None:
    first = next(iter(ours.values()))
    key = first.get("config", {}).get("baseline", ""), first["size"]
    theirs = grouped.get(key, {})
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) < 2:
        return None
    return paired_difference(
        *(
            [100 * runs[seed]["test"]["accuracy"] for seed in shared]
            for runs in (ours, theirs)
        )
    )
