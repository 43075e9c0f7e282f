r"""
# Soft targets

A trained classifier says more than which class is right: the probabilities
it gives to the *wrong* classes rank them, and that ranking is what a student
can learn from. This module holds Hinton's loss, from the softmax with a
temperature to the weighted sum of a hard and a soft term.

Everything here takes **logits**, never probabilities: in log space no
probability is ever rounded to zero. Throughout, $v$ are the teacher's logits,
$z$ the student's, and

$$
p_i = \frac{e^{v_i / T}}{\sum_j e^{v_j / T}}, \qquad
q_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} .
$$

The checks that read values (finite logits, labels in range) run for tensors
on the CPU only: on a GPU each of them would make the CPU wait for the queue
to drain, once a step. Shapes, types and scalars are checked everywhere.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def soften(logits: Tensor, temperature: float) -> Tensor:
    r"""
    Softmax with a temperature, over the last axis.

    Hinton, Vinyals and Dean (2015), section 2, equation 1:

    $$
    p_i = \frac{\exp(v_i / T)}{\sum_j \exp(v_j / T)} .
    $$

    $T = 1$ is the ordinary softmax; $T \to 0$ puts all mass on the largest
    logit, $T \to \infty$ spreads it evenly.

    * `logits`: floating point, shape (..., classes), finite
    * `temperature`: $T > 0$, finite, in the logits' own unit

    Returns probabilities of the logits' shape and dtype. Raises `ValueError`
    for a temperature or logits outside these bounds.
    """
    _check_logits("logits", logits)
    _check_temperature(temperature)
    # Dividing half-precision logits by T rounds them a second time, so the
    # division happens inside float32.
    exact = _at_least_float32(logits)
    return torch.softmax(exact / temperature, dim=-1).to(logits.dtype)


def kl_divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    r"""
    KL divergence from the teacher's to the student's soft targets, in nats.

    Hinton, Vinyals and Dean (2015), section 2, train on the cross-entropy
    with $p$; the divergence differs from it by the entropy of $p$, which no
    student can change:

    $$
    \operatorname{KL}(p \,\|\, q) = \sum_i p_i \, (\log p_i - \log q_i) .
    $$

    Summed over classes, averaged over the batch, and **not** multiplied by
    $T^2$: this is the divergence itself. Gradients reach the student only.

    * `student_logits`, `teacher_logits`: floating point, shape
      (batch, classes), the same for both, finite
    * `temperature`: $T > 0$, finite

    Returns a scalar, at least float32. Raises `ValueError` for arguments
    outside these bounds, an empty batch included.
    """
    _check_pair(student_logits, teacher_logits)
    _check_temperature(temperature)
    student = _at_least_float32(student_logits) / temperature
    # The teacher is a constant: no gradient may flow into it.
    teacher = _at_least_float32(teacher_logits.detach()) / temperature
    # `F.kl_div` takes the *input* first and the *target* second, so that
    # this is KL(target || input) = KL(teacher || student).
    log_q = F.log_softmax(student, dim=-1)  # (batch, classes)
    log_p = F.log_softmax(teacher, dim=-1)  # (batch, classes)
    # "batchmean" divides by the batch alone. "mean" would divide by the
    # number of classes as well, and so change the loss with the data set.
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 4.0,
    soft_weight: float = 0.9,
) -> Tensor:
    r"""
    Hinton's loss: true labels and a teacher's soft targets, weighted.

    Hinton, Vinyals and Dean (2015), section 2, with weights that sum to one:

    $$
    \mathcal{L} = (1 - w) \operatorname{CE}(y, q^{T=1})
      + w \, T^2 \operatorname{KL}(p \,\|\, q) .
    $$

    The gradient of the divergence shrinks as $1 / T^2$, so $T^2$ keeps the
    balance between the two terms when the temperature changes.

    * `student_logits`, `teacher_logits`: floating point, shape
      (batch, classes), finite
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `temperature`: $T > 0$, finite
    * `soft_weight`: $w$ in 0 .. 1, the weight of the *soft* term

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    _check_pair(student_logits, teacher_logits)
    _check_labels(labels, student_logits)
    if not 0 <= soft_weight <= 1:
        raise ValueError(f"soft_weight must lie in 0 .. 1, got {soft_weight}")
    # The hard term: the student at temperature one against the label.
    hard = F.cross_entropy(_at_least_float32(student_logits), labels)
    soft = kl_divergence(student_logits, teacher_logits, temperature)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


def _at_least_float32(logits: Tensor) -> Tensor:
    # Half precision ends at 65,504 and holds 11 bits: sums of exponentials
    # over classes belong in float32, whatever the network computed in.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _check_temperature(temperature: float) -> None:
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            f"temperature must be positive and finite, got {temperature}"
        )


def _check_logits(name: str, logits: Tensor) -> None:
    if not logits.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {logits.dtype}")
    if logits.ndim == 0 or logits.numel() == 0:
        raise ValueError(
            f"{name} must hold at least one row, got shape "
            f"{tuple(logits.shape)}"
        )
    if logits.device.type == "cpu" and not logits.isfinite().all():
        worst = logits[~logits.isfinite()][0].item()
        raise ValueError(f"{name} must be finite, found {worst}")


def _check_pair(student_logits: Tensor, teacher_logits: Tensor) -> None:
    _check_logits("student_logits", student_logits)
    _check_logits("teacher_logits", teacher_logits)
    if (
        student_logits.ndim != 2
        or student_logits.shape != teacher_logits.shape
    ):
        raise ValueError(
            "student_logits and teacher_logits must share one shape "
            f"(batch, classes), got {tuple(student_logits.shape)} and "
            f"{tuple(teacher_logits.shape)}"
        )


def _check_labels(labels: Tensor, logits: Tensor) -> None:
    batch, classes = logits.shape
    if labels.dtype != torch.int64 or labels.shape != (batch,):
        raise ValueError(
            f"labels must be int64 of shape ({batch},), got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    if labels.device.type == "cpu":
        outside = labels[(labels < 0) | (labels >= classes)]
        if outside.numel():
            raise ValueError(
                f"labels must lie in 0 .. {classes - 1}, "
                f"found {outside[0].item()}"
            )


def _check_weight(name: str, weight: float) -> None:
    if not (weight >= 0 and math.isfinite(weight)):
        raise ValueError(f"{name} must be at least 0 and finite, got {weight}")
