import torch
import torch.nn.functional as F


def fit_temperature(validation_logits, validation_labels):
    # On images that the model has not learned from, or T says nothing.
    logits = validation_logits.double()
    log_t = logits.new_zeros(1).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [log_t], max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_t.exp(), validation_labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_t.exp().item()  # divide logits by it; no answer changes
