import torch
import torch.nn.functional as F


def correlation(first, second):
    # Pearson's is the cosine of what is left without the mean.
    first = first - first.mean(dim=1, keepdim=True)
    second = second - second.mean(dim=1, keepdim=True)
    return F.cosine_similarity(first, second, dim=1)


def correlation_loss(student_logits, teacher_logits):
    q = torch.softmax(student_logits, dim=1)  # (batch, classes)
    p = torch.softmax(teacher_logits.detach(), dim=1)
    # Classes within an image, and images within a class.
    inter = 1 - correlation(q, p).mean()
    intra = 1 - correlation(q.T, p.T).mean()
    return inter + intra
