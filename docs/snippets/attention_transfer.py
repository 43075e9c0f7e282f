import torch.nn.functional as F


def attention(features, grid):
    energy = features.pow(2).sum(dim=1)  # (batch, rows, columns)
    energy = F.adaptive_avg_pool2d(energy, grid)
    return F.normalize(energy.flatten(1), dim=1)  # vectors of length one


def attention_transfer_loss(student_features, teacher_features):
    # (batch, channels, rows, columns); channels and grid may differ.
    sizes = zip(student_features.shape, teacher_features.shape, strict=True)
    grid = [min(pair) for pair in sizes][2:]
    ours = attention(student_features, grid)
    theirs = attention(teacher_features.detach(), grid)
    return F.mse_loss(ours, theirs)
