r"""
# Wrong forms of a loss

Distillation losses as people wrote them and meant something else. None raises
an error. They are here to be measured, not to be used: [chapter
16](../notebooks/16_the_gallery_of_mistakes.ipynb) has each as it is usually
written, with the right line beside it, a test, and where it was seen.

Most mistakes are in the soft term, which stands for the divergence in

$$
\mathcal{L} = (1 - w) \operatorname{CE}(y, q^{T=1})
  + w \, T^2 \operatorname{KL}(p \,\|\, q) ;
$$

five are in the whole of it. $C$ is the number of classes.

* `z`, `v`: logits of student and teacher, floating point, (batch, classes)
* `labels`: int64, shape (batch,)
* `temperature`: $T > 0$
* `soft_weight`: $w$ in 0 .. 1
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def _log_softmaxes(z: Tensor, v: Tensor, temperature: float):
    return (z / temperature).log_softmax(-1), (v / temperature).log_softmax(-1)


def divergence(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""The right soft term; a mistake only if `v` is not detached."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean")


def mean_over_classes(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""Over $C$: `reduction="mean"` averages over all axes."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="mean")


def no_square(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""Over $T^2$: the factor is forgotten."""
    return divergence(z, v, temperature) / temperature**2


def probabilities(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""$\sum_i p_i (\log p_i - q_i)$: the input is not in logarithms."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean")


def swapped(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""$\operatorname{KL}(q \,\|\, p)$, the other way round."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_p, log_q.exp(), reduction="batchmean")


def logarithm_unannounced(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""A target in logs without `log_target`: no number, but a gradient."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_q, log_p, reduction="batchmean")


def logarithm_promised(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""`log_target` for probabilities: $\sum_i e^{p_i} (p_i - \log q_i)$."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean", log_target=True)


def squared_error(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""The mean of $(p_i - q_i)^2$ in place of the divergence."""
    log_q, log_p = _log_softmaxes(z, v, temperature)
    return F.mse_loss(log_q.exp(), log_p.exp())


def second_softmax(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""$\operatorname{softmax}(\operatorname{softmax}(v) / T)$ for $p$."""
    return divergence(z, v.softmax(-1), temperature)


def two_temperatures(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""The teacher at $T$, the student at 1."""
    return divergence(z * temperature, v, temperature)


def raw_logits(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""
    Logits for probabilities, and no $T^2$, as in Keras' `LogitsDistillation`.

    $\tfrac{1}{T^2} \sum_i b_i \log(b_i / a_i)$, with $a = z / T$ and
    $b = v / T$ clipped to $10^{-7}$ .. 1.
    """
    a, b = ((x / temperature).clamp(1e-7, 1) for x in (z, v))
    return (b * (b / a).log()).sum(-1).mean() / temperature**2


def own_teacher(z: Tensor, v: Tensor, temperature: float) -> Tensor:
    r"""The student in the teacher's place: zero."""
    return divergence(z, z.detach(), temperature)


def softmax_before_labels(z: Tensor, labels: Tensor) -> Tensor:
    r"""A hard term: `F.cross_entropy` of probabilities, where it wants $z$."""
    return F.cross_entropy(F.softmax(z, dim=-1), labels)


def loss_with(
    soft: Callable[..., Tensor] = divergence,
    hard: Callable[..., Tensor] = F.cross_entropy,
) -> Callable[..., Tensor]:
    r"""Hinton's loss around a soft term and a hard one."""

    def loss(z, v, labels, temperature, soft_weight):
        square = temperature**2
        ours, theirs = hard(z, labels), soft(z, v, temperature)
        return (1 - soft_weight) * ours + soft_weight * square * theirs

    return loss


def weight_reversed(z, v, labels, temperature, soft_weight) -> Tensor:
    r"""$w$ on the labels and $1 - w$ on the teacher."""
    return loss_with()(z, v, labels, temperature, 1 - soft_weight)


def mean_times_hundred(z, v, labels, temperature, soft_weight) -> Tensor:
    r"""Weights of 100 and 0.5 on a mean, whatever $T$ and $w$."""
    soft = mean_over_classes(z, v, temperature)
    return 0.5 * F.cross_entropy(z, labels) + 100 * soft


def sum_for_product(z, v, labels, temperature, soft_weight) -> Tensor:
    r"""$2 T^2 + w$ for $2 T^2 w$ before the mean, as the write-up has it."""
    soft = mean_over_classes(z, v, temperature)
    hard = F.cross_entropy(z, labels)
    return (2 * temperature**2 + soft_weight) * soft + (1 - soft_weight) * hard


def loss_doubled(z, v, labels, temperature, soft_weight) -> Tensor:
    r"""Twice Hinton's loss."""
    return 2 * loss_with()(z, v, labels, temperature, soft_weight)


def mean_of_means(z, v, labels, temperature, soft_weight) -> Tensor:
    r"""Of each 64 images, 60 weigh as much as the other 4."""
    pieces = torch.arange(len(z)).view(-1, 64).split([60, 4], dim=1)
    means = []
    for piece in pieces:
        few = piece.flatten()
        settings = labels[few], temperature, soft_weight
        means.append(loss_with()(z[few], v[few], *settings))
    return (means[0] + means[1]) / 2


def peers_attached(
    cohort_logits: Sequence[Tensor], labels: Tensor, weight: float = 0.5
) -> list[Tensor]:
    r"""
    Mutual learning of two whose targets are not detached.

    Each loss then pulls the peer too. Returns one loss a student.
    """
    first, second = cohort_logits
    loss = loss_with()
    return [
        loss(first, second, labels, 1.0, weight),
        loss(second, first, labels, 1.0, weight),
    ]
