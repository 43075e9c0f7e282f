r"""
# A virtual teacher

Yuan, Tay, Li, Wang and Feng (2020) leave the teacher out: a distribution that
is written down by hand, sure of the right class and impartial about the wrong
ones, stands in for it. They call it teacher-free distillation, Tf-KD. At
temperature one it is label smoothing by another name.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from labkd.soft_targets import (
    at_least_float32,
    check_labels,
    check_logits,
    check_share,
    check_temperature,
)


def virtual_targets(
    labels: Tensor, num_classes: int, *, correct_probability: float = 0.9
) -> Tensor:
    r"""
    What a teacher would say that is right by construction.

    Yuan et al. (2020), section 4, equation 8, the manually designed teacher:

    $$
    p_i = a \text{ for } i = y, \qquad
    p_i = \frac{1 - a}{C - 1} \text{ otherwise.}
    $$

    * `labels`: int64, shape (batch,), in 0 .. num_classes - 1
    * `num_classes`: $C$, at least 2
    * `correct_probability`: $a$ in 1 / num_classes .. 1

    Returns probabilities, float32, (batch, num_classes). Raises `ValueError`
    for arguments outside these bounds.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    if not 1 / num_classes <= correct_probability <= 1:
        raise ValueError(
            f"correct_probability must lie in 1 / {num_classes} .. 1, got "
            f"{correct_probability}"
        )
    check_labels(labels, num_classes, labels.numel())
    rest = (1 - correct_probability) / (num_classes - 1)
    right = F.one_hot(labels, num_classes).float()  # (batch, classes)
    return right * (correct_probability - rest) + rest


def virtual_teacher_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    correct_probability: float = 0.9,
    temperature: float = 1.0,
    weight: float = 0.5,
    smooth_teacher: bool = False,
) -> Tensor:
    r"""
    True labels, and the targets of a teacher that does not exist.

    Yuan et al. (2020), section 4, equation 9, with weights that sum to one and
    $p$ from [`virtual_targets`](#virtual_targets):

    $$
    \mathcal{L} = (1 - w) \operatorname{CE}(y, q^{T=1}) + w \, T^2
      \operatorname{KL}\bigl(p \,\|\, \operatorname{softmax}(z / T)\bigr) .
    $$

    At $T = 1$ its gradient is that of label smoothing with
    $\varepsilon = w (1 - a)\, C / (C - 1)$. The paper's loss has no $T^2$ and
    leaves open how $p$ is softened. The published code softens it as if it
    were logits, $\operatorname{softmax}(p / T)$, and what is left is nearly
    uniform; `smooth_teacher` shows it.

    * `student_logits`: floating point, (batch, classes), finite
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `correct_probability`: $a$ in 1 / classes .. 1
    * `temperature`: $T$ in 1e-6 .. 1e6
    * `weight`: $w$ in 0 .. 1, of the virtual teacher's term
    * `smooth_teacher`: soften the targets as the published code does, with
      $T$ of 10 to 40; there the student stays at $T = 1$

    Returns a scalar, at least float32. Raises `ValueError` for arguments
    outside these bounds.
    """
    check_logits(student_logits=student_logits)
    check_temperature(temperature)
    check_share("weight", weight)
    exact = at_least_float32(student_logits)
    targets = virtual_targets(
        labels,
        student_logits.shape[1],
        correct_probability=correct_probability,
    ).to(exact.dtype)
    check_labels(labels, student_logits.shape[1], len(student_logits))
    if smooth_teacher:
        targets = torch.softmax(targets / temperature, dim=1)
    log_q = F.log_softmax(exact / temperature, dim=1)  # (batch, classes)
    # Probabilities as the target: a class at zero adds nothing to the sum.
    soft = F.kl_div(log_q, targets, reduction="batchmean")
    hard = F.cross_entropy(exact, labels)
    return (1 - weight) * hard + weight * temperature**2 * soft
