import torch
import torch.nn.functional as F


def kl(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def split(logits, labels):
    log_q = torch.log_softmax(logits, dim=1)
    right = log_q.gather(1, labels[:, None])
    others = F.one_hot(labels, logits.shape[1]) == 0
    wrong = log_q[others].view(len(logits), -1)
    rest = wrong.logsumexp(dim=1, keepdim=True)
    # Right class against all others, and the others among themselves.
    return torch.cat([right, rest], dim=1), wrong - rest


def decoupled_loss(z, v, labels, temperature=4.0, alpha=1.0, beta=8.0):
    # Of student and teacher, three classes or more; add the cross-entropy.
    b_student, q = split(z / temperature, labels)
    b_teacher, p = split(v.detach() / temperature, labels)
    loss = alpha * kl(b_teacher, b_student) + beta * kl(p, q)
    return temperature**2 * loss.mean()
