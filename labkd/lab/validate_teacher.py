r"""
# Validating a teacher of one's own

A teacher that gives probabilities, counts the classes in another order or
knows pixels of another scale raises no error, and a student learns nonsense
from it for hours. So it is asked about a thousand validation images at most
before anybody learns from it. What cannot be right is refused; what looks
odd is told, and is for you to judge.
"""

import hashlib

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from labkd.data import ImageSet
from labkd.lab.building import split_of
from labkd.lab.own_teacher import (
    PIXELS,
    Renormalised,
    in_a_line,
    make,
    normalisation,
)
from labkd.lab.recipes import Recipe, shown
from labkd.pixels import Normalise, predict
from labkd.views import Bank, look_up

# Of the validation images, at most; and of a table, to compare.
EXAMINED, COMPARED = 1_000, 8
# Below so many images an accuracy says next to nothing.
FEW = 50
# Probabilities in half precision sum to one up to a few thousandths.
SUM = 0.01


def bring(
    recipe: Recipe, names: tuple[str, ...], student: Normalise
) -> tuple[Renormalised, dict, str]:
    r"""
    A recipe's own teacher, asked about validation images.

    * `recipe`: as `make` takes it
    * `names`: of the classes
    * `student`: the normalisation of the pixels that it will be given

    Returns the teacher; what a record says of it: what was asked for, the
    sha256 of its state, its accuracy; and what it knows, in a line. Raises
    what `make` raises, and `ValueError` for answers that are no logits or no
    better than chance.
    """
    teacher = make(recipe, len(names), student)
    validation = split_of(recipe, "validation")
    step = -(-len(validation) // EXAMINED)
    # Sorted by class, and so from all of them.
    some = validation.take(torch.arange(0, len(validation), step))
    some = some.to(student.mean.device)
    try:
        logits = _answers(teacher, some.images, student)
        check_logits(logits, len(some), len(names))
        accuracy = _above_chance(logits, some.labels)
    except ValueError as fault:
        raise ValueError(f"teacher {recipe.teacher}: {fault}") from None
    said = {
        "own": recipe.teacher,
        "weights": recipe.teacher_weights,
        "pixels": recipe.teacher_pixels,
        "sha256": sha256_of(teacher.model),
        "validation": {"images": len(some), "accuracy": accuracy},
    }
    others = _other_pixels(teacher.model, recipe, some, student)
    return teacher, said, describe(said, others, best_order(logits, some))


@torch.no_grad()
def _answers(
    teacher: Renormalised, images: Tensor, student: Normalise
) -> Tensor:
    # Somebody's code: whatever it raises is told in a line.
    try:
        first = teacher(student(images[:2]))
        if not isinstance(first, Tensor):
            raise ValueError(
                f"it answers with a {type(first).__name__}: wrap it in a "
                "module that returns the tensor of logits alone"
            )
        return predict(teacher, images, student)
    except Exception as error:
        shape = tuple(student(images[:2]).shape)
        raise in_a_line(f"fails on pixels of {shape}", error) from error


def check_logits(logits: Tensor, images: int, classes: int) -> None:
    r"""
    Finite logits of the right shape, and not probabilities.

    The softmax of probabilities is almost flat, whatever the teacher knows.
    Log-probabilities are right: $\log p_i = z_i - \log \sum_j e^{z_j}$ are
    the logits less one number an image, which no softmax sees.

    * `logits`: what the teacher answered
    * `images`, `classes`: the shape that it should have

    Raises `ValueError` with what came instead.
    """
    if logits.shape != (images, classes):
        raise ValueError(
            f"it answers in shape {tuple(logits.shape)} where the data's "
            f"classes make it {(images, classes)}"
        )
    bad = ~logits.isfinite().all(1)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {images} answers are not finite"
        )
    sums = (logits.sum(1) - 1).abs().max().item()
    if logits.min() >= 0 and sums < SUM:
        raise ValueError(
            "it gives probabilities, not logits: none is negative and every "
            "row sums to one; leave out its softmax or give their logarithm"
        )


def _above_chance(logits: Tensor, labels: Tensor) -> float:
    hits = (logits.argmax(1) == labels).double().mean().item()
    share = labels.bincount().max().item() / len(labels)
    # Two deviations of a guess that calls every image by the largest class.
    least = share + 2 * (share * (1 - share) / len(labels)) ** 0.5
    if len(labels) >= FEW and hits < least:
        raise ValueError(
            f"it is right about {100 * hits:.1f} % of {len(labels)} "
            f"validation images, and calling all of them by the most "
            f"frequent class is right about {100 * share:.1f} %: no better "
            "than chance. Are its weights the trained ones, its pixels and "
            "classes those of the data?"
        )
    return hits


def _other_pixels(
    model: nn.Module, recipe: Recipe, images: ImageSet, student: Normalise
) -> dict[str, float]:
    # Its accuracy under each other normalisation with as many channels.
    chosen = recipe.teacher_pixels
    channels = len(normalisation(chosen, student).mean)
    accuracies = {}
    for kind in PIXELS:
        wanted = normalisation(kind, student)
        if kind == chosen or len(wanted.mean) != channels:
            continue
        other = Renormalised(model, student, wanted).eval()
        logits = predict(other, images.images, student)
        hits = logits.argmax(1) == images.labels
        accuracies[kind] = hits.double().mean().item()
    return accuracies


def best_order(logits: Tensor, images: ImageSet) -> tuple[float, list[str]]:
    r"""
    The accuracy if outputs are assigned to classes in the best order.

    * `logits`: shape (images, classes)
    * `images`: with labels and names of classes

    Returns the accuracy, and the class that each output would stand for.
    """
    names = images.class_names
    counts = np.zeros((len(names), len(names)))
    said = logits.argmax(1).cpu().numpy()
    np.add.at(counts, (said, images.labels.cpu().numpy()), 1)
    # Where two orders are as good, the one that stands is kept.
    counts += 1e-6 * np.eye(len(names))
    rows, order = linear_sum_assignment(counts, maximize=True)
    right = round(counts[rows, order].sum()) / len(images)
    return right, [names[k] for k in order]


def describe(
    said: dict, others: dict[str, float], best: tuple[float, list[str]]
) -> str:
    r"""
    What the teacher knows, in a line.

    * `said`: what the record will say of it
    * `others`: accuracies under other normalisations of the pixels
    * `best`: from `best_order`
    """
    accuracy, images = (said["validation"][k] for k in ("accuracy", "images"))
    line = (
        f"{said['own']} is right about {100 * accuracy:.1f} % of {images} "
        f"validation images with teacher_pixels={said['pixels']}"
    )
    told = [f"{100 * value:.1f} % with {k}" for k, value in others.items()]
    line += f" ({', '.join(told)})" if told else ""
    right, order = best
    if right > accuracy + 0.02:
        line += (
            f"; {100 * right:.1f} % if its outputs stood for "
            f"{', '.join(order)}, in this order"
        )
    if images < FEW:
        line += f"; {images} images prove nothing"
    return line


def answers(recipe: Recipe, images: ImageSet, student: Normalise) -> Tensor:
    r"""The logits of a recipe's own teacher, not validated again."""
    teacher = make(recipe, len(images.class_names), student)
    return predict(teacher, images.images, student)


def sha256_of(model: nn.Module) -> str:
    r"""One sha256 for all parameters and buffers with their names."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    lines = []
    for name, value in sorted(tensors.items()):
        flat = value.detach().cpu().contiguous().flatten()
        raw = flat.view(torch.uint8).numpy()
        lines.append(f"{name} {hashlib.sha256(raw).hexdigest()}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def table_name(recipe: Recipe, said: dict) -> str:
    r"""
    The name of the file of a table: of this teacher, about these images.

    * `recipe`: the student's
    * `said`: from `bring`
    """
    parts = [said[key] for key in ("own", "pixels", "sha256")]
    parts += [recipe.dataset, str(recipe.image_size)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return f"own-{key}.{shown(recipe)}.table"


def check_table(
    table: Tensor,
    teacher: nn.Module,
    images: Tensor,
    student: Normalise,
    bank: Bank,
) -> None:
    r"""
    A table says what the teacher says today, of one view of a few images.

    The digest of its weights cannot tell whether its code has changed.

    * `table`: float16, (images, views, classes), of the views of `bank`
    * `images`: uint8, (images, channels, height, width), of the table

    Raises `ValueError` when they differ by more than half precision does.
    """
    indices = torch.arange(0, len(images), -(-len(images) // COMPARED))
    middle = torch.full_like(indices, bank.views.shape[1] // 2)
    kept = look_up(table, indices, middle)
    indices, middle = indices.to(images.device), middle.to(images.device)
    now = predict(teacher, bank.show(images, indices, middle), student)
    off = (kept.to(now.device) - now).abs().mean().item()
    # A table may be computed in bfloat16, which keeps two or three digits.
    if off > 0.05 * now.std().item() + 1e-3:
        raise ValueError(
            f"the table of its answers is of another teacher: {off:.3g} off "
            f"on {len(indices)} images; delete it to build it anew"
        )
