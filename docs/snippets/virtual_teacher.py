import torch
import torch.nn.functional as F


def virtual_teacher_loss(
    student_logits, labels, correct_probability=0.9, weight=0.5
):
    num_classes = student_logits.shape[1]
    rest = (1 - correct_probability) / (num_classes - 1)
    target = torch.full_like(student_logits, rest)
    target.scatter_(1, labels[:, None], correct_probability)
    # These are probabilities already: no softmax, and no temperature.
    hard = F.cross_entropy(student_logits, labels)
    log_q = torch.log_softmax(student_logits, dim=1)
    soft = F.kl_div(log_q, target, reduction="batchmean")
    return (1 - weight) * hard + weight * soft
