r"""
# What a teacher of your own knows

A teacher that was trained on pixels of another scale, or counts the classes in
another order, answers in the right form, and wrongly. This shows on the
validation images, in seconds, and is refused with what was seen. What cannot
be told from chance passes.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import bdtrc, betaincinv
from torch import Tensor

# A right teacher must not be refused by chance: one in a thousand, and fewer,
# for what is seen of a fault is overwhelming where it is one.
LEVEL = 0.001
# A wrong scale of the pixels costs a teacher more than two points of accuracy.
# Less is what one gains from a little more contrast, by luck.
CLEARLY = 0.02


def check_pixels(
    answers: dict[str, Tensor], chosen: str, labels: Tensor
) -> None:
    r"""
    No other normalisation of the pixels makes it clearly better.

    Two normalisations are compared on the images of which exactly one makes
    it right: if both are as good, each wins half of them (McNemar's test,
    exact and one-sided). One that is not above chance is not considered.

    * `answers`: logits, (images, classes), by normalisation
    * `chosen`: one of them
    * `labels`: int64, shape (images,)

    Raises `ValueError` naming the best, both accuracies and the setting.
    """
    hits = {kind: z.argmax(1) == labels for kind, z in answers.items()}
    most = max(hits, key=lambda kind: hits[kind].sum().item())
    ours, theirs = hits[chosen], hits[most]
    gained = (theirs & ~ours).sum().item()
    lost = (ours & ~theirs).sum().item()
    least = lowest(theirs.sum().item(), len(labels))
    clear = gained - lost > CLEARLY * len(labels)
    # The best of several has as many chances to look better by luck.
    clear = clear and wins(gained, lost, among=len(answers) - 1)
    if clear and least > _majority(labels):
        raise ValueError(
            f"with teacher_pixels={chosen} it is right about "
            f"{_share(ours)}, with teacher_pixels={most} about "
            f"{_share(theirs)} of {len(labels)} validation images ({gained} "
            f"gained, {lost} lost): give --set teacher_pixels={most}"
        )


def check_order(
    logits: Tensor, labels: Tensor, names: tuple[str, ...]
) -> None:
    r"""
    No other order of its outputs makes it clearly better.

    Of all one-to-one assignments of outputs to classes, that with most hits
    is found on one half of the images and judged on the other, where it has
    no advantage by construction; then the halves change places.

    * `logits`: floating point, shape (images, classes)
    * `labels`: int64, shape (images,)
    * `names`: of the classes

    Raises `ValueError` naming which class it calls which.
    """
    said, true = logits.argmax(1).cpu().numpy(), labels.cpu().numpy()
    gained = lost = right = 0
    for fitted in (0, 1):
        fit, held = slice(fitted, None, 2), slice(1 - fitted, None, 2)
        output = _assigned(said[fit], true[fit], len(names))
        reordered = said[held] == output[true[held]]
        as_it_is = said[held] == true[held]
        gained += (reordered & ~as_it_is).sum().item()
        lost += (as_it_is & ~reordered).sum().item()
        right += reordered.mean() / 2
    output = _assigned(said, true, len(names))
    moved = np.flatnonzero(output != np.arange(len(names)))
    if not (len(moved) and wins(gained, lost)):
        return
    seen = [
        f"{names[k]!r} it calls {names[output[k]]!r} "
        f"({(said[true == k] == output[k]).sum()} of {(true == k).sum()})"
        for k in moved[:3]
    ]
    # Chance features of weights that nobody trained tell classes apart too.
    doubt = ", if its weights are trained ones" if right < 0.5 else ""
    raise ValueError(
        f"its classes stand in another order{doubt}: {', '.join(seen)}, "
        f"{len(moved)} of {len(names)} classes in all; in the best order it "
        f"is right about {100 * right:.1f} % of {len(true)} validation images "
        f"({gained} gained, {lost} lost). The order here: {', '.join(names)}"
    )


def check_chance(logits: Tensor, labels: Tensor) -> float:
    r"""
    Better than calling every image by the most frequent class.

    * `logits`: floating point, shape (images, classes)
    * `labels`: int64, shape (images,)

    Returns the accuracy. Raises `ValueError` when the lower end of its 95 %
    interval (Clopper and Pearson's) does not lie above that class's share.
    """
    hits = logits.argmax(1) == labels
    least, share = lowest(hits.sum().item(), len(hits)), _majority(labels)
    if not least > share:
        raise ValueError(
            f"it is right about {_share(hits)} of {len(hits)} validation "
            f"images, from {100 * least:.1f} % on by the 95 % interval; to "
            "call all of them by the most frequent class is right about "
            f"{100 * share:.1f} %. Are its weights the trained ones, its "
            "pixels and its classes those of the data?"
        )
    return hits.double().mean().item()


def wins(gained: int, lost: int, *, among: int = 1) -> bool:
    r"""
    Whether so many of both are more than chance gives in a thousand trials.

    * `gained`, `lost`: images, at least 0
    * `among`: the best of so many was taken, at least 1
    """
    # The chance of as many or more in as many fair throws.
    both = gained + lost
    return gained > 0 and bdtrc(gained - 1, both, 0.5) < LEVEL / among


def lowest(hits: int, images: int) -> float:
    r"""The lower end of the 95 % interval of a share of images."""
    return betaincinv(hits, images - hits + 1, 0.025) if hits else 0.0


def _assigned(said: np.ndarray, true: np.ndarray, classes: int) -> np.ndarray:
    counts = np.zeros((classes, classes))
    np.add.at(counts, (true, said), 1)
    # Where two orders are as good, the one that stands is kept.
    counts += 1e-6 * np.eye(classes)
    return linear_sum_assignment(counts, maximize=True)[1]


def _majority(labels: Tensor) -> float:
    return labels.bincount().max().item() / len(labels)


def _share(hits: Tensor) -> str:
    return f"{100 * hits.double().mean().item():.1f} %"
