r"""
# Inference

One run is an anecdote: another seed moves the accuracy by as much as many a
method promises. So runs come in pairs, one of each kind from the same seed,
and what is judged is the difference inside a pair, with its interval.

The same holds for whatever a run is reduced to: its accuracy, the epoch at
which it reaches a level, the mean of its curve, its agreement with a teacher.
Each of these is one number a run here, and `paired_difference` takes it from
there.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkd.extras import needs_extra

with needs_extra("course"):
    from scipy import stats


@dataclass(frozen=True)
class PairedDifference:
    r"""
    The mean of paired differences and half the width of its 95 % interval.

    * `mean`, `half_width`: in the unit of the scores
    """

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        r"""The lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        r"""The upper end of the interval."""
        return self.mean + self.half_width

    @property
    def found(self) -> bool:
        r"""Whether the interval excludes zero."""
        return abs(self.mean) > self.half_width

    @property
    def short(self) -> str:
        r"""`+1.2 ± 0.5`, for a table whose heading says what `±` is."""
        return f"{self.mean:+z.1f} ± {self.half_width:.1f}"

    def labelled(self, unit: str = "") -> str:
        r"""`+1.2 ± 0.5 points (95 % interval)`."""
        return " ".join(filter(None, (self.short, unit, "(95 % interval)")))

    def __str__(self) -> str:
        text = self.labelled()
        return text if self.found else f"{text}, no difference found"


def paired_difference(
    ours: Sequence[float], theirs: Sequence[float]
) -> PairedDifference:
    r"""
    How far one kind of run is ahead of another over the same seeds.

    Student (1908): with $n$ differences of mean $\bar d$ and standard
    deviation $s$, the interval that covers the true mean in 95 % of cases is

    $$
    \bar d \pm t_{0.975,\, n - 1} \, \frac{s}{\sqrt n} .
    $$

    * `ours`, `theirs`: one finite score a seed, the seeds in the same order,
      at least two

    Returns the difference, ours minus theirs, in the scores' unit. Raises
    `ValueError` when the numbers of scores differ or are below two, or when a
    score is not finite.
    """
    ours, theirs = _finite("ours", ours), _finite("theirs", theirs)
    if len(ours) != len(theirs) or len(ours) < 2:
        raise ValueError(
            "expected two equally long lists of at least two scores, got "
            f"{len(ours)} and {len(theirs)}"
        )
    with warnings.catch_warnings():
        # Differences that are all alike have no t statistic. Their interval
        # is the mean, and that is what we want to know.
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    return PairedDifference(float(low + high) / 2, float(high - low) / 2)


def crossing(curve: Sequence[float], level: float) -> float:
    r"""
    Epochs until a curve first reaches a level.

    Counted in whole epochs, a lead of half an epoch is sometimes none and
    sometimes one. So the curve is a straight line between two epochs: where
    it is at $c_t$ after epoch $t$ and at $c_{t+1}$ after the next, it reaches
    the level $a$ after

    $$
    t + \frac{a - c_t}{c_{t+1} - c_t}
    $$

    epochs.

    * `curve`: one finite value after each epoch, from the first on
    * `level`: finite, in the curve's unit

    Returns the epochs, at least 1: before the end of the first nothing was
    measured. NaN for a curve that never reaches the level; such a run must
    not be left out of a mean, for it is the slowest. Raises `ValueError` for
    a curve without values and for numbers that are not finite.
    """
    curve = _finite("curve", curve)
    (level,) = _finite("level", [level])
    (reached,) = np.nonzero(curve >= level)
    if not len(reached):
        return float("nan")
    epoch = reached[0] + 1
    if epoch == 1:
        return 1.0
    before, after = curve[epoch - 2 : epoch]
    return float(epoch - 1 + (level - before) / (after - before))


def area_under_curve(curve: Sequence[float]) -> float:
    r"""
    The mean height of a curve over a run, by the trapezoid rule.

    One number for the whole run, for which no level has to be chosen:

    $$
    \frac{1}{n - 1} \sum_{t=1}^{n-1} \frac{c_t + c_{t+1}}{2} .
    $$

    The trapezoid rule draws the line that `crossing` reads, so the two belong
    together: for a curve that rises, a lead in area is the lead in epochs,
    averaged over all levels. A plain mean would weigh the first and the last
    epoch in full, though both stand at an end.

    * `curve`: one finite value after each epoch, at least two

    Returns the mean, in the curve's unit. Raises `ValueError` for fewer than
    two values and for values that are not finite.
    """
    curve = _finite("curve", curve)
    if len(curve) < 2:
        raise ValueError(f"curve must have two epochs, got {len(curve)}")
    return float((curve[:-1] + curve[1:]).mean() / 2)


def cohen_kappa(
    ours: Sequence[int], theirs: Sequence[int], num_classes: int
) -> float:
    r"""
    Agreement of two classifiers beyond what chance would give.

    Cohen (1960) takes off the agreement $e$ that two would have if each chose
    its classes as often as it does, $p_i$ and $q_i$, but without regard to
    the image. With $o$ the share of images on which they agree,

    $$
    e = \sum_i p_i q_i, \qquad \kappa = \frac{o - e}{1 - e} .
    $$

    Of what two networks *answer*, much agreement is left even so: both are
    often right. Whether one has learned the other's mistakes is told by two
    classes, right and wrong: `cohen_kappa(ours == labels, theirs == labels,
    2)` is the error consistency of Geirhos, Meding and Wichmann (2020), in
    which $e$ is what their accuracies alone would give.

    * `ours`, `theirs`: the class of each image by either, integers in
      0 .. num_classes - 1 or truth values, shape (images,)
    * `num_classes`: at least 1

    Returns $\kappa$: 1 for the same classes, 0 for chance, below 0 for less
    agreement than that. Raises `ValueError` when the shapes differ or are
    empty, when a class is outside these bounds, and when both have one and
    the same class throughout, so that chance explains all.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.ndim != 1 or ours.shape != theirs.shape or not len(ours):
        raise ValueError(
            "expected two lists of classes for the same images, got shapes "
            f"{ours.shape} and {theirs.shape}"
        )
    for chosen in (ours, theirs):
        if chosen.dtype.kind not in "iub":
            raise ValueError(f"classes must be integers, got {chosen.dtype}")
        outside = chosen[(chosen < 0) | (chosen >= num_classes)]
        if len(outside):
            raise ValueError(
                f"classes must lie in 0 .. {num_classes - 1}, found "
                f"{outside[0]}"
            )
    shares = [
        np.bincount(chosen, minlength=num_classes) / len(ours)
        for chosen in (ours, theirs)
    ]
    by_chance = float(shares[0] @ shares[1])
    if by_chance == 1:
        raise ValueError(f"both have class {ours[0]} throughout")
    observed = float((ours == theirs).mean())
    return (observed - by_chance) / (1 - by_chance)


def _finite(name: str, values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be a list, got shape {array.shape}")
    if not np.isfinite(array).all():
        wrong = array[~np.isfinite(array)][0]
        raise ValueError(f"{name} must be finite, found {wrong}")
    return array
