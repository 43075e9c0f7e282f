import torch
import torch.nn.functional as F


def mutual_ensemble_loss(cohort_logits, labels, weight=0.5):
    beliefs = torch.stack(list(cohort_logits)).detach().softmax(dim=-1)
    losses = []
    for own, logits in enumerate(cohort_logits):
        # The peers speak with one voice: the mean of their probabilities.
        others = [k for k in range(len(cohort_logits)) if k != own]
        target = beliefs[others].mean(dim=0)
        hard = F.cross_entropy(logits, labels)
        soft = F.kl_div(
            torch.log_softmax(logits, dim=1), target, reduction="batchmean"
        )
        losses.append((1 - weight) * hard + weight * soft)
    return losses  # one a student: backward through each, or through their sum
