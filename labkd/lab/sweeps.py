r"""
# What the gain depends on

One comparison is one point. These recipes move it along four axes, one at a
time, and leave the rest as the arms of chapter 6 have it:

- **images**: how many the student has. Fewer are shown more often, so that
  every student takes as many steps, and what differs is what it has seen. The
  teacher is the same all along: the fewer labels its student has, the more of
  what it knows comes from others.
- **epochs**: how long the student trains, from the first rise of the learning
  rate to its fall.
- **temperature** and **teacher weight** of the soft labels.

A student with labels alone stands at every point of the first two axes. Each
arm keeps the learning rate that its grid chose where the axes meet.
"""

from dataclasses import dataclass

from labkd import records
from labkd.lab.recipes import Recipe

SCRATCH = "scratch-vit-cifar10"
SOFT = "soft-vit_from_resnet18-cifar10"
# What 0, for all, stands for.
TRAINING_IMAGES = records.TRAINING_IMAGES["cifar10"]
# By size: the students along an axis, in its order; `vit` is where they meet.
# On a laptop those of few images train half as long as chapter 6's, and it has
# all points in two hours.
STUDENTS = {
    "training_images": {
        "laptop": ("vit_1000", "vit_2500", "vit_half_epochs"),
    },
    "epochs": {
        "laptop": ("vit_quarter_epochs", "vit_half_epochs", "vit"),
    },
}
# A laptop turns these two at half the length as well.
TURNED = {"laptop": "vit_half_epochs"}
TURNS = {
    "temperature": ("soft_t1", "soft_t2", "soft_t3", "soft_t6", "soft_t12"),
    "teacher_weight": ("soft_w30", "soft_w60", "soft_t3", "soft_w100"),
}


@dataclass(frozen=True)
class Point:
    r"""
    Where an axis is read: the arm with soft labels and the one without.

    * `value`: of the axis; images are counted, all of them too
    * `soft`, `scratch`: the names of the two recipes
    """

    value: float
    soft: str
    scratch: str


def points(
    axis: str, size: str, recipes: dict[str, dict[str, Recipe]]
) -> list[Point]:
    r"""
    An axis in its order, with the recipes of its points.

    * `axis`: `training_images`, `epochs`, `temperature` or `teacher_weight`
    * `size`: one of `TURNED`
    * `recipes`: all, by name and size

    Raises `KeyError` for an axis or a size that does not exist.
    """
    if axis in TURNS:
        student = TURNED[size]
        names = [_soft(method, student) for method in TURNS[axis]]
    else:
        names = [_soft("soft", each) for each in STUDENTS[axis][size]]
    found = [(name, recipes[name][size]) for name in names]
    return [
        Point(getattr(recipe, axis) or TRAINING_IMAGES, name, recipe.baseline)
        for name, recipe in found
    ]


def _soft(method: str, student: str) -> str:
    return f"{method}-{student}_from_resnet18-cifar10"
