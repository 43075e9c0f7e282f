import torch
import torch.nn.functional as F


def distillation_loss(
    student_logits, teacher_logits, labels, temperature=4.0, soft_weight=0.9
):
    hard = F.cross_entropy(student_logits, labels)
    soft = F.kl_div(
        torch.log_softmax(student_logits / temperature, dim=1),
        torch.log_softmax(teacher_logits.detach() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    # The gradient of the soft term shrinks with the square of T.
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft
