import torch


def freeze(teacher):
    # Dropout off, running statistics of batch normalisation left alone,
    # and no parameter that an optimizer could move.
    return teacher.eval().requires_grad_(False)


@torch.no_grad()
def ask(teacher, images):
    # Somebody may have called train() on a model that contains it.
    if teacher.training:
        raise RuntimeError("the teacher is in training mode")
    return teacher(images)  # (batch, classes), logits
