r"""
# Examining a teacher

A teacher of one's own is asked about a thousand
validation images at most before anybody learns from it, alone and in batches,
under each normalisation of the pixels. What it
answers is checked, and what it
knows. Who passes is entered in the record by the
digest of its weights, and so is the table of its answers.
"""

import hashlib

import torch
from torch import Tensor, nn

from labkd.lab import teacher_answers, teacher_skill
from labkd.lab.building import split_of
from labkd.lab.own_pixels import Renormalised, normalisation
from labkd.lab.own_teacher import in_a_line, make
from labkd.lab.recipes import Recipe
from labkd.pixels import Normalise, predict
from labkd.sources import ImageSet
from labkd.views import Bank, look_up

# Of the validation images, at most; and of these, one by one.
EXAMINED, ALONE = 1_000, 8

# How pixels may be normalised for a teacher of one's own.
PIXELS = ("student", "imagenet", "unit", "half")


def bring(
    recipe: Recipe, names: tuple[str, ...], student: Normalise
) -> tuple[Renormalised, dict]:
    r"""
    A recipe's own teacher, examined on the validation images.

    * `recipe`: as `make` takes it
    * `names`: of the classes
    * `student`: the normalisation of the pixels that it will be given

    Returns the teacher and what a record says of it: what was asked for, the
    sha256 of its state, and its accuracy. Raises what `make` raises, and
    `ValueError` for a teacher that is not connected rightly.
    """
    teacher = make(recipe, len(names), student)
    validation = split_of(recipe, "validation")
    step = -(-len(validation) // EXAMINED)
    # Sorted by class, and so from all of them.
    some = validation.take(torch.arange(0, len(validation), step))
    some = some.to(student.mean.device)
    try:
        accuracy = _examined(teacher.model, recipe, some, student)
    except ValueError as fault:
        raise ValueError(f"teacher {recipe.teacher}: {fault}") from None
    return teacher, {
        "own": recipe.teacher,
        "weights": recipe.teacher_weights,
        "pixels": recipe.teacher_pixels,
        "sha256": sha256_of(teacher.model),
        "validation": {"images": len(some), "accuracy": accuracy},
    }


def _examined(
    model: nn.Module, recipe: Recipe, images: ImageSet, student: Normalise
) -> float:
    chosen, labels = recipe.teacher_pixels, images.labels
    wanted = {kind: normalisation(kind, student) for kind in PIXELS}
    channels = len(wanted[chosen].mean)
    asked = {
        kind: Renormalised(model, student, other).eval()
        for kind, other in wanted.items()
        # It cannot be asked about another number of channels.
        if len(other.mean) == channels
    }
    few = images.images[:: -(-len(images) // ALONE)]
    classes, before = len(images.class_names), fingerprints(model)
    teacher_answers.check_form(
        _first(asked[chosen], student(few)), len(few), classes
    )
    first = predict(asked[chosen], few, student)
    found = {
        kind: predict(other, images.images, student)
        for kind, other in asked.items()
    }
    again = predict(asked[chosen], few, student)
    logits = found[chosen]
    teacher_answers.check_form(logits, len(images), classes)
    teacher_answers.check_unchanged(before, fingerprints(model))
    teacher_answers.check_steady(first, again, "when it is asked again")
    alone = _one_by_one(asked[chosen], few, student)
    teacher_answers.check_steady(first, alone, "when an image is alone")
    teacher_answers.check_logits(logits)
    teacher_skill.check_pixels(found, chosen, labels)
    teacher_skill.check_order(logits, labels, images.class_names)
    return teacher_skill.check_chance(logits, labels)


@torch.no_grad()
def _first(teacher: Renormalised, pixels: Tensor) -> object:
    try:
        return teacher(pixels)
    except Exception as error:
        shape = tuple(pixels.shape)
        raise in_a_line(f"fails on pixels of {shape}", error) from error


def _one_by_one(
    teacher: Renormalised, images: Tensor, student: Normalise
) -> Tensor:
    try:
        return predict(teacher, images, student, batch_size=1)
    except Exception as error:
        raise in_a_line("fails on an image alone", error) from error


def summary(said: dict) -> str:
    r"""A line about a teacher that passed; `said` is from `bring`."""
    found = said["validation"]
    return (
        f"{said['own']} is right about {100 * found['accuracy']:.1f} % of "
        f"{found['images']} validation images"
    )


def answers(recipe: Recipe, images: ImageSet, student: Normalise) -> Tensor:
    r"""The logits of a recipe's own teacher, without an examination."""
    teacher = make(recipe, len(images.class_names), student)
    return predict(teacher, images.images, student)


def fingerprints(model: nn.Module) -> dict[str, str]:
    r"""The sha256 of every parameter and buffer, by name."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    digests = {}
    for name, value in tensors.items():
        flat = value.detach().cpu().contiguous().flatten()
        raw = flat.view(torch.uint8).numpy()
        digests[name] = hashlib.sha256(raw).hexdigest()
    return digests


def sha256_of(model: nn.Module) -> str:
    r"""One sha256 for all parameters and buffers with their names."""
    lines = [f"{k} {v}\n" for k, v in sorted(fingerprints(model).items())]
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
    images = recipe.training_images or "all"
    views = f"-views{recipe.views}" if recipe.views else ""
    return f"own-{key}.{images}-padding{recipe.padding}{views}.table"


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
    indices = torch.arange(0, len(images), -(-len(images) // ALONE))
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
