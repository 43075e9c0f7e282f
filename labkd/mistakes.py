r"""
# Wrong forms of a loss

Distillation losses as people wrote them and meant something else. All but the
last take what [`distillation_loss`](../labkd/soft_targets.py) takes, and
return a number that falls while a student trains; none raises an error. They
are here to be measured, by the gallery, and not to be
used.

* `student_logits`, `teacher_logits`: floating point, shape (batch, classes)
* `labels`: int64, shape (batch,)
* `temperature`: $T > 0$
* `soft_weight`: $w$ in 0 .. 1

Below, $p$ and $q$ are the softmaxes of teacher and student at $T$, and $C$ is
the number of classes. Where each was seen, with its number in the project's
list of issues, is told in
[chapter 16](../notebooks/16_the_gallery_of_mistakes.ipynb).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def _softs(student_logits, teacher_logits, temperature):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return log_q, log_p  # both (batch, classes)


def _whole(student_logits, labels, soft, temperature, soft_weight):
    # Hinton's loss around a soft term that may be anything.
    hard = F.cross_entropy(student_logits, labels)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


def mean_over_classes(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""The soft term over $C$: `reduction="mean"` averages over all axes."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="mean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def mean_times_hundred(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""Weights of 100 and 0.5 on a mean, whatever `temperature` and $w$."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="mean")
    return 0.5 * F.cross_entropy(student_logits, labels) + 100 * soft


def no_square(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""The soft term without its $T^2$."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    hard = F.cross_entropy(student_logits, labels)
    return (1 - soft_weight) * hard + soft_weight * soft


def probabilities(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""$\sum_i p_i (\log p_i - q_i)$: the input is not in logarithms."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def swapped(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""$\operatorname{KL}(q \,\|\, p)$, the other way round."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_p, log_q.exp(), reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def logarithm_unannounced(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""A target in logs without `log_target`: no number, but a gradient."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p, reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def logarithm_promised(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""`log_target` for probabilities: $\sum_i e^{p_i} (p_i - \log q_i)$."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean", log_target=True)
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def squared_error(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""The mean of $(p_i - q_i)^2$ in place of the divergence."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.mse_loss(log_q.exp(), log_p.exp())
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def second_softmax(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""$\operatorname{softmax}(\operatorname{softmax}(v) / T)$ for $p$."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    twice = (F.softmax(teacher_logits, dim=-1) / temperature).softmax(-1)
    soft = F.kl_div(log_q, twice, reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def two_temperatures(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""The teacher at $T$, the student at 1."""
    log_q = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def softmax_before_labels(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""Probabilities for `F.cross_entropy`, which takes logits."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    hard = F.cross_entropy(F.softmax(student_logits, dim=-1), labels)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


def weight_reversed(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""$w$ on the labels and $1 - w$ on the teacher."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, 1 - soft_weight)


def sum_for_product(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""$2 T^2 + w$ for $2 T^2 w$ before the mean, as the write-up has it."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="mean")
    hard = F.cross_entropy(student_logits, labels)
    return (2 * temperature**2 + soft_weight) * soft + (1 - soft_weight) * hard


def own_teacher(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""The student in the teacher's place: a soft term of zero."""
    log_q, log_p = _softs(student_logits, student_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def teacher_attached(
    student_logits, teacher_logits, labels, temperature, soft_weight
) -> Tensor:
    r"""Hinton's loss with a way to the teacher's weights left open."""
    log_q, log_p = _softs(student_logits, teacher_logits, temperature)
    soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    return _whole(student_logits, labels, soft, temperature, soft_weight)


def peers_attached(
    cohort_logits: Sequence[Tensor], labels: Tensor, weight: float = 0.5
) -> Tensor:
    r"""
    Mutual learning of two whose targets are not detached.

    Each loss then pulls the peer too. Returns one loss a student.
    """
    losses = []
    for ours, theirs in (cohort_logits, cohort_logits[::-1]):
        log_q, log_p = _softs(ours, theirs, 1.0)
        soft = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
        losses.append(_whole(ours, labels, soft, 1.0, weight))
    return torch.stack(losses)
