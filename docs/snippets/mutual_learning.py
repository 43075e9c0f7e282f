import torch
import torch.nn.functional as F


def mutual_learning_loss(cohort_logits, labels, weight=0.5):
    losses = []
    for own, logits in enumerate(cohort_logits):
        log_q = torch.log_softmax(logits, dim=1)
        # A peer is a target: without detach it would be pulled as well.
        peers = [
            F.kl_div(
                log_q,
                torch.log_softmax(peer.detach(), dim=1),
                reduction="batchmean",
                log_target=True,
            )
            for other, peer in enumerate(cohort_logits)
            if other != own
        ]
        hard = F.cross_entropy(logits, labels)
        soft = torch.stack(peers).mean()
        losses.append((1 - weight) * hard + weight * soft)
    return losses  # one a student: backward through each, or through their sum
