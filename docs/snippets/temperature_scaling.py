import torch


@torch.no_grad()
def fit_temperature(validation_logits, validation_labels):
    # On images that the model has not learned from, or T says nothing.
    logits = validation_logits.detach().double()
    unit = logits.std(dim=1).mean().item()  # T has the unit of the logits
    correct = logits.gather(1, validation_labels[:, None]).mean()
    low, high = unit * 1e-4, unit * 1e4
    for _ in range(100):
        temperature = (low * high) ** 0.5
        q = torch.softmax(logits / temperature, dim=1)
        # The slope of the loss over 1 / T; where it is above 0, T must grow.
        if (q * logits).sum(1).mean() > correct:
            low = temperature
        else:
            high = temperature
    return temperature  # divide logits by it; no answer changes
