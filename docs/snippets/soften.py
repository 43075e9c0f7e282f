import torch


def soften(logits, temperature):
    # Logits, (..., classes), and not probabilities: a second softmax would
    # leave next to nothing of them.
    return torch.softmax(logits / temperature, dim=-1)
