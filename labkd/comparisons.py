r"""
# The runs of one recipe

All seeds of a recipe at a size, put together, and how far they are ahead of
the recipe's baseline by their [paired difference](../labkd/inference.py).
"""

import statistics
from dataclasses import dataclass
from itertools import groupby

from labkd.inference import PairedDifference, paired_difference


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
