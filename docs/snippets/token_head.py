import torch
import torch.nn.functional as F


def token_loss(class_logits, token_logits, teacher_logits, labels):
    # The labels for the class token's head, decisions for the other's.
    decisions = teacher_logits.argmax(dim=1)
    own = F.cross_entropy(class_logits, labels)
    return (own + F.cross_entropy(token_logits, decisions)) / 2


def predict(class_logits, token_logits):
    # Two opinions: the mean of the probabilities, and not of the logits.
    both = torch.stack([class_logits, token_logits])
    return both.softmax(dim=-1).mean(dim=0)
