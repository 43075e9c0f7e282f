r"""
# Lessons with one mistake each

A lesson is a whole training, and the mistakes are in all of it: in the
[loss](../labkd/mistakes.py), in what the teacher is asked, in who is trained,
in which mode. Every wrong lesson names the right one that it is compared
with; the two differ in nothing else. How they are taught is told in
classroom.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from labkd import mistakes
from labkd.mistakes import loss_with
from labkd.mutual_learning import mutual_learning_loss
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_teacher_loss


@dataclass(frozen=True)
class Lesson:
    r"""
    One way to train a student.

    * `right`: the name of the lesson that it is compared with; its own, if
      it is right
    * `loss`: of student logits, teacher logits, labels, temperature and soft
      weight; for two students, of their logits and the labels
    * `answers`: which of the teacher's answers the student hears
    * `teacher`: `asked once`, `in training mode` or `trained too`
    * `students`: trained together; the first one is judged
    * `frozen`: in evaluation mode from the second epoch on
    * `batch_statistics`: BatchNorm judges seven images by themselves, `as
      sorted` by class or `shuffled`
    * `factor`: by how much the student's images are shrunk
    * `processes`: so many share the images; the student hears of its own only
    """

    right: str
    loss: Callable[..., Tensor]
    answers: str = "teacher"
    teacher: str = "asked once"
    students: int = 1
    frozen: bool = False
    batch_statistics: str = ""
    factor: int = 1
    processes: int = 1


def hinton(z, v, y, temperature, soft_weight):
    r"""The loss of the course, at the lesson's settings."""
    return distillation_loss(
        z, v, y, temperature=temperature, soft_weight=soft_weight
    )


def _labels(z, v, y, temperature, soft_weight):
    return F.cross_entropy(z, y)


def _virtual(z, v, y, temperature, soft_weight):
    return virtual_teacher_loss(z, y)


def _virtual_softened(z, v, y, temperature, soft_weight):
    return virtual_teacher_loss(z, y, temperature=20.0, smooth_teacher=True)


def named(form: Callable[..., Tensor]) -> str:
    r"""A wrong form's name as that of its lesson."""
    return form.__name__.replace("_", " ")


SOFT_TERMS = (
    mistakes.mean_over_classes,
    mistakes.no_square,
    mistakes.probabilities,
    mistakes.swapped,
    mistakes.logarithm_unannounced,
    mistakes.logarithm_promised,
    mistakes.squared_error,
    mistakes.second_softmax,
    mistakes.two_temperatures,
    mistakes.raw_logits,
    mistakes.own_teacher,
)
WHOLE = (
    mistakes.weight_reversed,
    mistakes.mean_times_hundred,
    mistakes.sum_for_product,
    mistakes.loss_doubled,
    mistakes.mean_of_means,
)
RIGHT = {
    "hinton": Lesson("hinton", hinton),
    "virtual teacher": Lesson("virtual teacher", _virtual),
    "fewer pixels": Lesson("fewer pixels", hinton, factor=2),
    "peers": Lesson("peers", mutual_learning_loss, students=2),
}
IN_THE_LOSS = {
    "labels alone": Lesson("hinton", _labels),
    "virtual, softened": Lesson("virtual teacher", _virtual_softened),
    "softmax before labels": Lesson(
        "hinton", loss_with(hard=mistakes.softmax_before_labels)
    ),
    "peers attached": Lesson("peers", mistakes.peers_attached, students=2),
    **{named(f): Lesson("hinton", loss_with(f)) for f in SOFT_TERMS},
    **{named(f): Lesson("hinton", f) for f in WHOLE},
}
ELSEWHERE = {
    "teacher trained too": Lesson(
        "hinton", loss_with(), teacher="trained too"
    ),
    "teacher in training mode": Lesson(
        "hinton", hinton, teacher="in training mode"
    ),
    "new head": Lesson("hinton", hinton, answers="new head"),
    "out of step": Lesson("hinton", hinton, answers="out of step"),
    "other normalisation": Lesson(
        "hinton", hinton, answers="other normalisation"
    ),
    "teacher sees fewer": Lesson(
        "fewer pixels", hinton, answers="fewer pixels", factor=2
    ),
    "student frozen": Lesson("hinton", hinton, frozen=True),
    "student unwrapped": Lesson("hinton", hinton, processes=2),
    "batch statistics, sorted": Lesson(
        "hinton", hinton, batch_statistics="as sorted"
    ),
    "batch statistics, shuffled": Lesson(
        "hinton", hinton, batch_statistics="shuffled"
    ),
}
LESSONS = RIGHT | IN_THE_LOSS | ELSEWHERE
