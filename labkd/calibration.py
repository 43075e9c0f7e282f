r"""
# How good are the probabilities?

Accuracy looks at the largest probability only. Three more numbers look at
the rest: the negative log-likelihood, the Brier score, and the expected
calibration error, which asks whether a classifier that says 80 % is right
80 % of the time.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    r"""
    Mean negative log-likelihood of the labels, in nats.

    $$
    \operatorname{NLL} = -\frac1N \sum_n \log \operatorname{softmax}(z_n)_{y_n}
    $$

    * `logits`: floating point, shape (images, classes)
    * `labels`: int64, shape (images,)

    Raises `ValueError` when the shapes do not fit.
    """
    _check(logits, labels)
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

    Raises `ValueError` when the shapes do not fit.
    """
    _check(probabilities, labels)
    one_hot = F.one_hot(labels, probabilities.shape[1])
    return (probabilities.double() - one_hot).square().sum(1).mean().item()


def expected_calibration_error(
    probabilities: Tensor, labels: Tensor, bins: int = 15
) -> float:
    r"""
    Mean gap between confidence and accuracy, weighted by bin size.

    Guo, Pleiss, Sun and Weinberger (2017), section 2, equation 3, with $M$
    bins $B_m = \bigl(\frac{m-1}{M}, \frac{m}{M}\bigr]$, open on the left:

    $$
    \operatorname{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{N}
      \bigl| \operatorname{acc}(B_m) - \operatorname{conf}(B_m) \bigr|
    $$

    * `probabilities`: floating point, shape (images, classes), rows sum to 1
    * `labels`: int64, shape (images,)
    * `bins`: $M \ge 1$

    Returns a fraction in 0 .. 1. Raises `ValueError` when the shapes do not
    fit or `bins` is below 1.
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

    Guo et al. (2017), section 2, equations 1 and 2; bins as above.

    * `probabilities`: floating point, shape (images, classes), rows sum to 1
    * `labels`: int64, shape (images,)
    * `bins`: at least 1

    Raises `ValueError` when the shapes do not fit or `bins` is below 1.
    """
    _check(probabilities, labels)
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
    ranking of the classes, and with it the accuracy, stays as it is.

    * `logits`: floating point, shape (images, classes)
    * `labels`: int64, shape (images,)

    Returns $T$, in 0.01 .. 100. Raises `ValueError` when the shapes do not
    fit.
    """
    _check(logits, labels)
    exact = logits.detach().double()
    # In log T the loss has one minimum, and T stays positive.
    best = minimize_scalar(
        lambda power: F.cross_entropy(exact / 10**power, labels).item(),
        bounds=(-2, 2),
        options={"xatol": 1e-6},
    )
    return float(10**best.x)


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(labels):
        raise ValueError(
            "expected (images, classes) and (images,) with at least one "
            f"image, got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
