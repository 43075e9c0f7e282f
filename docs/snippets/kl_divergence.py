import torch
import torch.nn.functional as F


def kl_divergence(student_logits, teacher_logits, temperature=1.0):
    # The student's goes first, the teacher's is the target, both as
    # logarithms: KL(teacher || student), in nats.
    return F.kl_div(
        torch.log_softmax(student_logits / temperature, dim=1),
        torch.log_softmax(teacher_logits.detach() / temperature, dim=1),
        reduction="batchmean",  # "mean" would divide by the classes too
        log_target=True,
    )
