r"""
# Hard distillation and the token

Touvron et al. (2021) found that their transformers learned more from the
teacher's *decision* than from its probabilities, and gave that decision a
token of its own to be read from. These are the two losses; the token itself
is a switch of [`VisionTransformer`](../labkd/vit.py#VisionTransformer).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


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

    * `student_logits`, `teacher_logits`: floating point, (batch, classes)
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
      (batch, classes)
    * `labels`: int64, shape (batch,), in 0 .. classes - 1
    * `teacher_weight`: $w$ in 0 .. 1, the weight of the token's term

    Returns a scalar, at least float32; gradients reach the two heads only.
    Raises `ValueError` for arguments outside these bounds.
    """
    _check(class_logits, token_logits, teacher_logits, labels)
    if not 0 <= teacher_weight <= 1:
        raise ValueError(
            f"teacher_weight must lie in 0 .. 1, got {teacher_weight}"
        )
    # The argmax has no gradient: nothing flows back into the teacher.
    decision = teacher_logits.argmax(dim=1)  # (batch,)
    own = _cross_entropy(class_logits, labels)
    borrowed = _cross_entropy(token_logits, decision)
    return (1 - teacher_weight) * own + teacher_weight * borrowed


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    # Sums of exponentials over classes belong in float32.
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(exact, labels)


def _check(
    class_logits: Tensor,
    token_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
) -> None:
    shapes = {
        "class_logits": tuple(class_logits.shape),
        "token_logits": tuple(token_logits.shape),
        "teacher_logits": tuple(teacher_logits.shape),
    }
    if len(set(shapes.values())) > 1 or class_logits.ndim != 2:
        raise ValueError(
            f"all logits must share one shape (batch, classes), got {shapes}"
        )
    batch, classes = class_logits.shape
    if batch == 0 or not class_logits.is_floating_point():
        raise ValueError(
            "logits must be floating point with at least one row, got "
            f"{class_logits.dtype} of shape ({batch}, {classes})"
        )
    if labels.dtype != torch.int64 or labels.shape != (batch,):
        raise ValueError(
            f"labels must be int64 of shape ({batch},), got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    # Reading values would make a GPU wait for its queue, once a step.
    outside = (labels < 0) | (labels >= classes)
    if labels.device.type == "cpu" and outside.any():
        raise ValueError(
            f"labels must lie in 0 .. {classes - 1}, "
            f"found {labels[outside][0].item()}"
        )
