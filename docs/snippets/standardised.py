import torch
import torch.nn.functional as F


def standardise(logits):
    centred = logits - logits.mean(dim=1, keepdim=True)
    # The small number is for a row of equal logits.
    return centred / (logits.std(dim=1, keepdim=True, correction=0) + 1e-7)


def standardised_loss(z, v, labels, temperature=2.0, soft_weight=0.9):
    # The hard term keeps the student's logits as they are.
    hard = F.cross_entropy(z, labels)
    soft = F.kl_div(
        torch.log_softmax(standardise(z) / temperature, dim=1),
        torch.log_softmax(standardise(v.detach()) / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft
