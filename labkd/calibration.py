r"""
# How good are the probabilities?

Accuracy looks at the largest probability only. Three more numbers look at
the rest: the negative log-likelihood, the Brier score, and the expected
calibration error, which asks whether a classifier that says 80 % is right
80 % of the time.
"""

import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from labkd.soft_targets import check_floats, check_labels


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    r"""
    Mean negative log-likelihood of the labels, in nats.

    $$
    \operatorname{NLL} = -\frac1N \sum_n \log \operatorname{softmax}(z_n)_{y_n}
    $$

    * `logits`: floating point, shape (images, classes)
    * `labels`: int64, shape (images,)

    Raises `ValueError` when the shapes do not fit, for labels out of range
    and for scores that are not finite.
    """
    _check_scores(logits, labels)
    return F.cross_entropy(logits.double(), labels).item()


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    r"""
    Mean squared distance from the one-hot label, summed over classes.

    Brier (1950), equation 2:

    $$
    \frac1N \sum_n \sum_i (p_{n i} - [\, i = y_n \,])^2 \in [0, 2]
    $$

    * `probabilities`: floating point, shape (images, classes), rows sum to 1
    * `labels`: int64, shape (images,)

    Raises `ValueError` when the shapes do not fit, for labels out of range
    and for scores that are not finite.
    """
    _check_probabilities(probabilities, labels)
    one_hot = F.one_hot(labels, probabilities.shape[1])
    return (probabilities.double() - one_hot).square().sum(1).mean().item()


def expected_calibration_error(
    probabilities: Tensor, labels: Tensor, bins: int = 15
) -> float:
    r"""
    Mean gap between confidence and accuracy, weighted by bin size.

    Naeini, Cooper and Hauskrecht (2015), as Guo, Pleiss, Sun and Weinberger
    (2017) have it in section 2, equation 3, with $M$ bins
    $B_m = \bigl(\frac{m-1}{M}, \frac{m}{M}\bigr]$, open on the left:

    $$
    \operatorname{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{N}
      \bigl| \operatorname{acc}(B_m) - \operatorname{conf}(B_m) \bigr|
    $$

    * `probabilities`: floating point, shape (images, classes), rows sum to 1
    * `labels`: int64, shape (images,)
    * `bins`: $M \ge 1$

    Returns a fraction in 0 .. 1. Raises `ValueError` when the shapes do not
    fit, for labels out of range, rows that do not sum to one, and `bins`
    below 1.
    """
    curve = reliability_curve(probabilities, labels, bins)
    gap = (curve.accuracy - curve.confidence).abs()
    # An empty bin has no accuracy, and no weight.
    weighted = torch.where(curve.count > 0, gap * curve.count, 0.0)
    return (weighted.sum() / len(labels)).item()


class Reliability(NamedTuple):
    r"""
    A reliability diagram as numbers, one of each a bin.

    * `confidence`, `accuracy`: float64, shape (bins,), means over the bin,
      NaN where it is empty
    * `count`: int64, shape (bins,)
    """

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


def reliability_curve(
    probabilities: Tensor, labels: Tensor, bins: int = 15
) -> Reliability:
    r"""
    Mean confidence and accuracy in bins of equal width.

    Guo et al. (2017), section 2; bins as above.

    * `probabilities`: floating point, shape (images, classes), rows sum to 1
    * `labels`: int64, shape (images,)
    * `bins`: at least 1

    Raises `ValueError` as `expected_calibration_error` does.
    """
    _check_probabilities(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence, prediction = probabilities.double().max(dim=1)
    hit = (prediction == labels).double()
    # `bucketize` counts the inner edges strictly below each confidence, which
    # makes every bin closed on the right.
    edges = torch.arange(1, bins, dtype=torch.float64) / bins
    member = torch.bucketize(confidence, edges.to(confidence.device))
    count = torch.bincount(member, minlength=bins)
    sums = confidence.new_zeros(2, bins)
    sums[0].index_add_(0, member, confidence)
    sums[1].index_add_(0, member, hit)
    means = sums / count
    return Reliability(means[0], means[1], count)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    r"""
    The one temperature that makes held-out labels likeliest.

    Guo et al. (2017), section 4.2: minimise the NLL of
    $\operatorname{softmax}(z / T)$ over $T$ on *validation* images. The
    ranking of the classes, and with it the accuracy, stays as it is. With
    $\beta = 1 / T$ and $q = \operatorname{softmax}(\beta z)$ the slope is

    $$
    \frac{\partial \operatorname{NLL}}{\partial \beta}
      = \frac1N \sum_n \Bigl( \sum_i q_{n i} z_{n i} - z_{n y_n} \Bigr) ,
    $$

    which only grows with $\beta$: there is one minimum, found by bisection.

    * `logits`: floating point, shape (images, classes), no probabilities
    * `labels`: int64, shape (images,)

    Returns $T$, between $10^{-4}$ and $10^4$ times the deviation of the
    logits; at an end of this range there is no minimum, because the model is
    right on every image or worse than chance, and a warning says so. Raises
    `ValueError` for arguments outside these bounds.
    """
    _check_scores(logits, labels)
    exact = logits.detach().double()
    sums_to_one = (exact.sum(1) - 1).abs().max() < 1e-3
    if exact.min() >= 0 and sums_to_one:
        raise ValueError(
            "expected logits, got probabilities: rows in "
            f"{exact.min():.3g} .. {exact.max():.3g} that sum to one"
        )
    # The temperature has the unit of the logits: twice the logits, twice T.
    unit = exact.std(dim=1).mean().item()
    if unit == 0:
        raise ValueError(f"all logits of a row are equal, {exact[0, 0]:.3g}")
    correct = exact.gather(1, labels[:, None]).mean()
    low, high = -4.0, 4.0
    for _ in range(60):
        power = (low + high) / 2
        q = torch.softmax(exact / (unit * 10**power), dim=1)
        slope = (q * exact).sum(1).mean() - correct
        low, high = (power, high) if slope > 0 else (low, power)
    if abs(power) > 3.999:
        warnings.warn(
            f"no temperature is best: the NLL still falls at {power:+.0f} "
            "decades from the deviation of the logits",
            stacklevel=2,
        )
    return unit * 10**power


def _check_scores(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(labels):
        raise ValueError(
            "expected (images, classes) and (images,) with at least one "
            f"image, got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    check_floats("scores", scores)
    check_labels(labels, scores.shape[1], len(scores))


def _check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    _check_scores(probabilities, labels)
    # Probabilities in half precision sum to one up to a few thousandths.
    off = (probabilities.double().sum(1) - 1).abs().max().item()
    if probabilities.min() < 0 or off > 0.01:
        raise ValueError(
            "expected probabilities, at least 0 and summing to one in each "
            f"row, got {probabilities.min():.3g} and sums up to {off:.3g} "
            "off: take the softmax of logits first"
        )
