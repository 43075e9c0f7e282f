r"""
# Other ways to compare logits

Hinton's loss asks for the teacher's probabilities, all of them, as they are.
Three later losses ask for something else: decoupled distillation weighs what
the teacher says about the wrong classes apart from how sure it is of the
right one; standardised logits forget how large the logits are; correlations
ask for the same order and proportions, and for no value.

The last two are relatives. Let $\hat z$ and $\hat v$ be the logits of student
and teacher with mean 0 and deviation 1 over the classes. At high temperature
the standardised divergence, times $T^2$, becomes
$\tfrac1{2C} \lVert \hat z - \hat v \rVert^2$, and that is $1 - \rho$, one
minus the correlation of the two.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from labkd.soft_targets import (
    at_least_float32,
    check_floats,
    check_labels,
    check_logits,
    check_temperature,
    check_weight,
    kl_divergence,
)


def decoupled_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 4.0,
    alpha: float = 1.0,
    beta: float | Tensor = 8.0,
) -> Tensor:
    r"""
    The divergence in two parts: the right class, and the wrong ones.

    Zhao, Cui, Song, Qiu and Liang (2022), section 3, DKD. With $y$ the right
    class, $b = (p_y, 1 - p_y)$ says how sure the teacher is of it, and
    $\hat p_i = p_i / (1 - p_y)$ how it ranks the wrong classes; $b^s$ and
    $\hat q$ are the student's. Then

    $$
    \operatorname{KL}(p \,\|\, q) = \operatorname{KL}(b \,\|\, b^s)
      + (1 - p_y) \operatorname{KL}(\hat p \,\|\, \hat q) .
    $$

    A teacher that is sure has $1 - p_y$ near 0 and so hardly teaches its
    ranking. DKD puts a weight of its own there:

    $$
    \mathcal{L} = T^2 \bigl[ \alpha \operatorname{KL}(b \,\|\, b^s)
      + \beta \operatorname{KL}(\hat p \,\|\, \hat q) \bigr] ,
    $$

    averaged over the batch. The labels say which class is the right one, and
    no more: the cross-entropy is yours to add. The authors' code adds it with
    weight 1, and lets this loss grow from nothing over the first 20 epochs.

    * `student_logits`, `teacher_logits`: floating point, (batch, classes),
      finite, at least 3 classes: of two, one is wrong, and has no rank
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `temperature`: $T > 0$, finite
    * `alpha`: $\alpha$, at least 0
    * `beta`: $\beta$, at least 0: a number, or one for each row, (batch,),
      taken as a constant; with $\alpha = 1$ and $\beta = 1 - p_y$ the loss is
      $T^2 \operatorname{KL}(p \,\|\, q)$

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    check_labels(labels, student_logits.shape[1], len(student_logits))
    check_temperature(temperature)
    check_weight("alpha", alpha)
    _check_classes(student_logits)
    if isinstance(beta, Tensor):
        _check_beta(beta, labels)
        beta = beta.detach()
    else:
        check_weight("beta", beta)
    student = at_least_float32(student_logits) / temperature
    teacher = at_least_float32(teacher_logits.detach()) / temperature
    log_b_student, log_q = _split(student, labels)
    log_b, log_p = _split(teacher, labels)
    target = _divergence(log_b, log_b_student)  # (batch,)
    others = _divergence(log_p, log_q)  # (batch,)
    return temperature**2 * (alpha * target + beta * others).mean()


def _split(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    # Log-probabilities of the right class and of all others together,
    # (batch, 2), and those of the others among themselves, (batch, C - 1).
    log_q = F.log_softmax(logits, dim=1)
    right = log_q.gather(1, labels[:, None])
    # The columns of the others: from the right class on, one further.
    columns = torch.arange(logits.shape[1] - 1, device=logits.device)
    columns = columns + (columns >= labels[:, None])
    wrong = log_q.gather(1, columns)
    # In log space 1 - q does not cancel to 0, however sure the network is.
    together = wrong.logsumexp(dim=1, keepdim=True)
    return torch.cat([right, together], dim=1), wrong - together


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    pointwise = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return pointwise.sum(dim=1)


def standardise(logits: Tensor) -> Tensor:
    r"""
    Logits with mean 0 and deviation 1 over the classes of each row.

    Sun, Ren, Li, Wang and Cao (2024), logit standardisation:

    $$
    \hat z_i = \frac{z_i - \bar z}{\sigma}, \qquad
    \sigma^2 = \frac{1}{C} \sum_i (z_i - \bar z)^2 .
    $$

    The paper divides by $C$, as here. Its code divides by $C - 1$: the same
    at a temperature that is $\sqrt{C / (C - 1)}$ times as high. A row of
    equal logits has no deviation; it becomes zeros, without a gradient.

    * `logits`: floating point, (..., classes), finite, at least 3 classes:
      two would become 1 and -1, whatever they were

    Returns logits of that shape, at least float32. Raises `ValueError` for
    logits outside these bounds.
    """
    check_floats("logits", logits)
    _check_classes(logits)
    return _z_scores(at_least_float32(logits))


def standardised_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 2.0,
    soft_weight: float = 0.9,
) -> Tensor:
    r"""
    Hinton's loss, with standardised logits in the soft term.

    Sun et al. (2024), with weights that sum to one and $\hat p$, $\hat q$ the
    softmaxes of [`standardise`](#standardise)d logits at temperature $T$:

    $$
    \mathcal{L} = (1 - w) \operatorname{CE}(y, q^{T=1})
      + w \, T^2 \operatorname{KL}(\hat p \,\|\, \hat q) .
    $$

    The hard term keeps the logits as they are. Standardised ones cannot
    exceed $\sqrt{C - 1}$, and no label could be learned to certainty. The
    authors weigh the terms by 0.1 and 9, which is a $w$ of 0.989.

    * `student_logits`, `teacher_logits`: floating point, (batch, classes),
      finite, at least 3 classes
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `temperature`: $T > 0$, finite, in units of the logits' deviation
    * `soft_weight`: $w$ in 0 .. 1, the weight of the *soft* term

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    check_labels(labels, student_logits.shape[1], len(student_logits))
    if not 0 <= soft_weight <= 1:
        raise ValueError(f"soft_weight must lie in 0 .. 1, got {soft_weight}")
    hard = F.cross_entropy(at_least_float32(student_logits), labels)
    soft = kl_divergence(
        standardise(student_logits), standardise(teacher_logits), temperature
    )
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


def correlation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    inter_weight: float = 1.0,
    intra_weight: float = 1.0,
) -> Tensor:
    r"""
    One minus the correlation of probabilities, in rows and in columns.

    Huang, You, Wang, Qian and Xu (2022), DIST. With $\rho$ for Pearson's
    correlation, $p_{n \cdot}$ the teacher's probabilities for image $n$ and
    $p_{\cdot i}$ those of class $i$ over the $N$ images of the batch:

    $$
    \mathcal{L} = T^2 \Bigl[
      w_{\text{inter}} \frac1N \sum_n
        \bigl( 1 - \rho(p_{n \cdot}, q_{n \cdot}) \bigr)
      + w_{\text{intra}} \frac1C \sum_i
        \bigl( 1 - \rho(p_{\cdot i}, q_{\cdot i}) \bigr) \Bigr] .
    $$

    The first asks how the classes relate in one image, the second how the
    images relate in one class. The factor $T^2$, as in mmrazor, does not
    balance here what it balances in Hinton's loss: a correlation does not
    shrink as $T$ grows. The cross-entropy is yours to add. Equal numbers have
    no correlation: it counts as 0, without a gradient.

    * `student_logits`, `teacher_logits`: floating point, (batch, classes),
      finite, at least 2 of both; the correlation of two numbers is 1 or -1
      and teaches nothing
    * `temperature`: $T > 0$, finite
    * `inter_weight`, `intra_weight`: at least 0

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    check_temperature(temperature)
    check_weight("inter_weight", inter_weight)
    check_weight("intra_weight", intra_weight)
    if min(student_logits.shape) < 2:
        raise ValueError(
            "a correlation needs at least 2 rows and 2 classes, got shape "
            f"{tuple(student_logits.shape)}"
        )
    student = at_least_float32(student_logits) / temperature
    teacher = at_least_float32(teacher_logits.detach()) / temperature
    q, p = student.softmax(dim=1), teacher.softmax(dim=1)
    inter = 1 - _correlation(p, q).mean()
    intra = 1 - _correlation(p.T, q.T).mean()
    return temperature**2 * (inter_weight * inter + intra_weight * intra)


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    # Pearson's: the mean product of standardised numbers, row by row.
    return (_z_scores(first) * _z_scores(second)).mean(dim=-1)


def _z_scores(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=-1, keepdim=True)
    length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    deviation = length / math.sqrt(values.shape[-1])
    # The mean of equal numbers may be off by a rounding error, which is not
    # a deviation to divide by. Nor is one whose square is too small a number.
    # Divided by infinity, such numbers are 0 and have no gradient.
    flat = values.amax(-1, keepdim=True) == values.amin(-1, keepdim=True)
    flat = flat | (deviation == 0)
    return centred / deviation.masked_fill(flat, math.inf)


def _check_classes(logits: Tensor) -> None:
    if logits.shape[-1] < 3:
        raise ValueError(
            f"at least 3 classes are needed, got {logits.shape[-1]}"
        )


def _check_beta(beta: Tensor, labels: Tensor) -> None:
    if beta.shape != labels.shape or not beta.is_floating_point():
        raise ValueError(
            f"beta must be a number or floating point of shape "
            f"{tuple(labels.shape)}, got {beta.dtype} of shape "
            f"{tuple(beta.shape)}"
        )
    if beta.device.type == "cpu":
        wrong = beta[~((beta >= 0) & beta.isfinite())]
        if wrong.numel():
            raise ValueError(
                f"beta must be at least 0 and finite, found {wrong[0].item()}"
            )
