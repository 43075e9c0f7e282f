r"""
# Controls for soft labels

Is it the softness that teaches? A soft label differs from a hard one in two
ways: it is less sure, and it says which wrong classes are near. Two controls
take these apart. One keeps all of the teacher's probabilities and shuffles
those of the wrong classes: just as soft, but nearness is gone. The other is
label smoothing of the same mean entropy: just as soft on average, and the
same for every image of a class. Both come as teacher logits, so that they go
into the very loss that the teacher's own would.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def permute_wrong_classes(
    teacher_logits: Tensor, labels: Tensor, *, generator: torch.Generator
) -> Tensor:
    r"""
    The logits of the wrong classes, shuffled within each row.

    The label's logit stays in its place: so do the probability of the label
    and the entropy, at every temperature.

    * `teacher_logits`: floating point, shape (rows, classes)
    * `labels`: int64, shape (rows,), in 0 .. classes - 1
    * `generator`: a CPU generator; the same state gives the same permutation

    Returns a tensor of the same shape and dtype. Raises `ValueError` for
    labels that do not fit the logits.
    """
    _check(teacher_logits, labels)
    rows, classes = teacher_logits.shape
    # Sorting random keys gives every order of the classes the same chance.
    keys = torch.rand(rows, classes, generator=generator)
    # Two lists of each row's wrong classes: in their order, and shuffled.
    wrong = torch.arange(classes) != labels.cpu()[:, None]
    places = wrong.nonzero()[:, 1].view(rows, classes - 1)
    order = keys.gather(1, places).argsort(dim=1)
    sources = places.gather(1, order).to(teacher_logits.device)
    places = places.to(teacher_logits.device)
    return teacher_logits.scatter(1, places, teacher_logits.gather(1, sources))


def mean_entropy(logits: Tensor, *, temperature: float = 1.0) -> float:
    r"""
    The mean over rows of $-\sum_i p_i \log p_i$, in nats.

    * `logits`: floating point, shape (rows, classes)
    * `temperature`: $T > 0$ of $p = \operatorname{softmax}(z / T)$
    """
    log_p = F.log_softmax(logits.double() / temperature, dim=1)
    return -(log_p.exp() * log_p).sum(1).mean().item()


def smoothed_logits(
    labels: Tensor, num_classes: int, *, entropy: float, temperature: float
) -> Tensor:
    r"""
    Teacher logits that stand for label smoothing of a given entropy.

    Szegedy et al. (2016), section 7: the label $y$ becomes

    $$
    p_i = (1 - \varepsilon) \, [i = y] + \frac{\varepsilon}{C} ,
    $$

    here with the $\varepsilon$ at which $p$ has the wanted entropy. The
    logits are $T \log p$, so that their softmax at the temperature is $p$.

    * `labels`: int64, shape (rows,), in 0 .. num_classes - 1
    * `num_classes`: $C$, at least 2
    * `entropy`: in nats, above 0 and below $\log C$
    * `temperature`: $T > 0$, at which the softmax will be taken

    Returns float32 of shape (rows, num_classes). Raises `ValueError` for an
    entropy out of range.
    """
    uniform = torch.tensor(float(num_classes), dtype=torch.float64).log()
    if not 0 < entropy < uniform.item():
        raise ValueError(
            f"entropy must lie between 0 and {uniform:.4f}, that of "
            f"{num_classes} equal probabilities, got {entropy}"
        )
    epsilon = smoothing_of(entropy, num_classes)
    p = torch.full((num_classes,) * 2, epsilon / num_classes).double()
    p.fill_diagonal_(1 - epsilon + epsilon / num_classes)
    return (temperature * p.log()).float()[labels.cpu()].to(labels.device)


def smoothing_of(entropy: float, num_classes: int) -> float:
    r"""
    The $\varepsilon$ of label smoothing that has this entropy, by bisection.

    The entropy grows with $\varepsilon$ from 0 to $\log C$, so that there is
    one and no other.
    """
    low, high = 0.0, 1.0
    # Each step halves the interval: sixty leave nothing of it.
    for _ in range(60):
        epsilon = (low + high) / 2
        p = torch.full((num_classes,), epsilon / num_classes).double()
        p[0] += 1 - epsilon
        if -torch.xlogy(p, p).sum().item() < entropy:
            low = epsilon
        else:
            high = epsilon
    return (low + high) / 2


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            "expected logits of shape (rows, classes) and labels of shape "
            f"(rows,), got {tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(
            f"labels must lie in 0 .. {logits.shape[1] - 1}, got "
            f"{labels.min()} to {labels.max()}"
        )
