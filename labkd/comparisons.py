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

from scipy.stats import t as student_t


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
    quantile = float(student_t.ppf(0.975, count - 1))
    return PairedDifference(statistics.mean(differences), quantile * error)
