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
    * `temperature`: $T$ in 1e-6 .. 1e6, in the logits' own unit

    Returns probabilities of the logits' shape and dtype. Raises `ValueError`
    for a temperature or logits outside these bounds.
    """
    check_floats("logits", logits)
    check_temperature(temperature)
    # Dividing half-precision logits by T rounds them a second time, so the
    # division happens inside float32.
    exact = at_least_float32(logits)
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
    * `temperature`: $T$ in 1e-6 .. 1e6

    Returns a scalar, at least float32. It is at least 0 but for rounding:
    between logits that are nearly equal it may come out at -1e-7. Raises
    `ValueError` for arguments outside these bounds, an empty batch included.
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    check_temperature(temperature)
    student = at_least_float32(student_logits) / temperature
    # The teacher is a constant: no gradient may flow into it.
    teacher = at_least_float32(teacher_logits.detach()) / temperature
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
    * `temperature`: $T$ in 1e-6 .. 1e6
    * `soft_weight`: $w$ in 0 .. 1, the weight of the *soft* term

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    check_logits(student_logits=student_logits, teacher_logits=teacher_logits)
    check_labels(labels, student_logits.shape[1], len(student_logits))
    check_share("soft_weight", soft_weight)
    # The hard term: the student at temperature one against the label.
    hard = F.cross_entropy(at_least_float32(student_logits), labels)
    soft = kl_divergence(student_logits, teacher_logits, temperature)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


def at_least_float32(logits: Tensor) -> Tensor:
    r"""The same numbers, half precision as float32."""
    # Half precision ends at 65,504 and holds 11 bits: sums of exponentials
    # over classes belong in float32, whatever the network computed in.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def check_logits(**named: Tensor) -> None:
    r"""Raises `ValueError` unless all are (batch, classes) of one shape."""
    for name, logits in named.items():
        check_floats(name, logits)
    shapes = [tuple(logits.shape) for logits in named.values()]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise ValueError(
            f"{' and '.join(named)} must share one shape (batch, classes), "
            f"got {' and '.join(map(str, shapes))}"
        )


def check_floats(name: str, values: Tensor) -> None:
    r"""Raises `ValueError` unless it is a tensor of finite numbers."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(
            f"{name} must be a floating point tensor, got {kind}: of a model "
            "that returns an object pass its .logits, of NumPy torch.tensor()"
        )
    if values.ndim == 0 or values.numel() == 0:
        raise ValueError(
            f"{name} must hold at least one row, got {tuple(values.shape)}"
        )
    if values.device.type == "cpu" and not values.isfinite().all():
        worst = values[~values.isfinite()][0].item()
        raise ValueError(f"{name} must be finite, found {worst}")


def check_labels(labels: Tensor, num_classes: int, batch: int) -> None:
    r"""Raises `ValueError` unless each is the number of a class."""
    if labels.dtype != torch.int64 or labels.shape != (batch,):
        raise ValueError(
            f"labels must be int64 of shape ({batch},), got {labels.dtype} "
            f"of shape {tuple(labels.shape)}"
        )
    outside = (labels < 0) | (labels >= num_classes)
    if labels.device.type == "cpu" and outside.any():
        raise ValueError(
            f"labels must lie in 0 .. {num_classes - 1}, "
            f"found {labels[outside][0].item()}"
        )


def check_temperature(temperature: float) -> None:
    r"""Raises `ValueError` for a temperature that float32 cannot hold."""
    # Beyond these, logits / T or T^2 leave the range of float32.
    if not 1e-6 <= temperature <= 1e6:
        raise ValueError(
            f"temperature must lie in 1e-6 .. 1e6, got {temperature}"
        )


def check_share(name: str, weight: float) -> None:
    r"""Raises `ValueError` unless it is in 0 .. 1."""
    if not 0 <= weight <= 1:
        raise ValueError(f"{name} must lie in 0 .. 1, got {weight}")


def check_weight(name: str, weight: float) -> None:
    r"""Raises `ValueError` unless it is at least 0 and finite."""
    if not (weight >= 0 and math.isfinite(weight)):
        raise ValueError(f"{name} must be at least 0 and finite, got {weight}")
