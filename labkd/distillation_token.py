r"""
# Hard distillation and the token

Touvron et al. (2021) found that their transformers learned more from the
teacher's *decision* than from its probabilities, and gave that decision a
token of its own to be read from. These are the two losses; the token itself
is a switch of [`VisionTransformer`](../labkd/vit.py#VisionTransformer).
"""

import torch.nn.functional as F
from torch import Tensor

from labkd.soft_targets import (
    at_least_float32,
    check_labels,
    check_logits,
    check_share,
)


def hard_distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    teacher_weight: float = 0.5,
) -> Tensor:
    r"""
    Cross-entropy with the true label and with the teacher's argmax.

    Touvron et al. (2021), section 4, equation 3, with
    $y_t = \operatorname{argmax}_i v_i$ and $w = \tfrac12$:

    $$
    \mathcal{L} = (1 - w) \operatorname{CE}(y, q)
      + w \operatorname{CE}(y_t, q) .
    $$

    * `student_logits`, `teacher_logits`: floating point, (batch, classes),
      finite
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `teacher_weight`: $w$ in 0 .. 1, the weight of the teacher's decision

    Returns a scalar, at least float32; gradients reach the student only.
    Raises `ValueError` for arguments outside these bounds.
    """
    return token_loss(
        student_logits,
        student_logits,
        teacher_logits,
        labels,
        teacher_weight=teacher_weight,
    )


def token_loss(
    class_logits: Tensor,
    token_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    teacher_weight: float = 0.5,
) -> Tensor:
    r"""
    The true label for the class head, the teacher's for the token's head.

    Touvron et al. (2021), section 4, “Distillation token”, with
    $y_t = \operatorname{argmax}_i v_i$ and $w = \tfrac12$:

    $$
    \mathcal{L} = (1 - w) \operatorname{CE}(y, q_{\text{class}})
      + w \operatorname{CE}(y_t, q_{\text{token}}) .
    $$

    * `class_logits`, `token_logits`, `teacher_logits`: floating point,
      (batch, classes), finite
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `teacher_weight`: $w$ in 0 .. 1, the weight of the token's term

    Returns a scalar, at least float32; gradients reach the two heads only.
    Raises `ValueError` for arguments outside these bounds.
    """
    check_logits(
        class_logits=class_logits,
        token_logits=token_logits,
        teacher_logits=teacher_logits,
    )
    check_labels(labels, class_logits.shape[1], len(class_logits))
    check_share("teacher_weight", teacher_weight)
    # The argmax has no gradient: nothing flows back into the teacher.
    decision = teacher_logits.argmax(dim=1)  # (batch,)
    own = F.cross_entropy(at_least_float32(class_logits), labels)
    borrowed = F.cross_entropy(at_least_float32(token_logits), decision)
    return (1 - teacher_weight) * own + teacher_weight * borrowed
