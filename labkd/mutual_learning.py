r"""
# Mutual learning

No teacher: students start together, and each learns from the labels and from
what the others currently believe. Zhang, Xiang, Hospedales and Lu (2018) call
it deep mutual learning, DML. Below, $q^k$ is the softmax of student $k$ of
$K$, and $w$ the weight of its peers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkd.soft_targets import (
    at_least_float32,
    check_logits,
    check_share,
    distillation_loss,
)


class Cohort(nn.Module):
    r"""
    Students that are trained in one step, and judged one by one.

    Zhang et al. (2018) update the students in turn; here all of them answer
    first, so that every peer is the one of the step before, whatever its
    place in the list.

    * `students`: models of the same input and the same classes
    """

    def __init__(self, students: Sequence[nn.Module]) -> None:
        super().__init__()
        self.students = nn.ModuleList(students)

    def forward(self, pixels: Tensor) -> list[Tensor] | Tensor:
        r"""Logits of all in training, of the first in evaluation."""
        if not self.training:
            return self.students[0](pixels)
        return [student(pixels) for student in self.students]


def mutual_learning_loss(
    cohort_logits: Sequence[Tensor],
    labels: Tensor,
    *,
    weight: float = 0.5,
    ensemble: bool = False,
) -> list[Tensor]:
    r"""
    One loss a student: the labels, and the beliefs of its peers.

    Zhang et al. (2018), “Extension to Larger Student Cohorts”, here with
    weights that sum to one, which the paper has not:

    $$
    \mathcal{L}_k = (1 - w) \operatorname{CE}(y, q^k)
      + \frac{w}{K - 1} \sum_{l \ne k} \operatorname{KL}(q^l \,\|\, q^k) .
    $$

    With `ensemble`, the peers speak with one voice, DML$_e$ of the same
    section:

    $$
    \mathcal{L}_k = (1 - w) \operatorname{CE}(y, q^k) + w
      \operatorname{KL}\Bigl(\frac{1}{K - 1} \sum_{l \ne k} q^l
      \,\Big\|\, q^k\Bigr) .
    $$

    The two differ by a number that does not depend on student $k$, so their
    gradients are equal.

    * `cohort_logits`: floating point, (batch, classes) each, at least two
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `weight`: $w$ in 0 .. 1, of the peers' term
    * `ensemble`: compare with the peers' mean, not with each of them

    Returns a list of scalars, at least float32, one a student. Each has a
    graph of its own and a gradient for that student alone, so that it can be
    sent back by itself: `losses[0].backward()`. Raises `ValueError` for
    arguments outside these bounds.
    """
    if len(cohort_logits) < 2:
        raise ValueError(
            f"a cohort has at least 2 students, got {len(cohort_logits)}"
        )
    check_logits(**{f"student {k}": z for k, z in enumerate(cohort_logits)})
    check_share("weight", weight)
    losses = []
    for own, logits in enumerate(cohort_logits):
        # What a peer believes is a target here, and no way to its weights.
        peers = [
            peer.detach()
            for other, peer in enumerate(cohort_logits)
            if other != own
        ]
        if ensemble:
            peers = [_mean_belief(peers)]
        # Each peer is a teacher, as in Hinton's loss at temperature one.
        lessons = [
            distillation_loss(
                logits, peer, labels, temperature=1.0, soft_weight=weight
            )
            for peer in peers
        ]
        losses.append(torch.stack(lessons).mean())
    return losses


def _mean_belief(peers: Sequence[Tensor]) -> Tensor:
    # The mean of probabilities, as logits: its logarithm up to a constant,
    # taken in log space. The mean of the peers' logits would be another one.
    beliefs = torch.stack([at_least_float32(peer) for peer in peers])
    logs = beliefs.log_softmax(dim=-1)  # (peers, batch, classes)
    return logs.logsumexp(dim=0)  # (batch, classes)
