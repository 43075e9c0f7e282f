r"""
# A classroom for mistakes

The digits are small enough to try every lesson in
minutes. A student, 32 units wide with one BatchNorm, has 200 steps, and comes
to one of two settings:

- *few*: 200 images, all labels right. The teacher's answers are a help, but
  no necessity.
- *doubtful*: 1,200 images, two labels in five replaced by any digit at
  random. The teacher learned from the right ones; here it matters what a
  student gets to hear from it, and how loudly.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from labkd.cross_quality import shrink
from labkd.data import load
from labkd.lab.lessons import Lesson
from labkd.lab.perceptrons import Perceptrons, say
from labkd.pixels import Normalise

SETTINGS = ("few", "doubtful")
TEMPERATURE, SOFT_WEIGHT, STEPS, BATCH = 4.0, 0.9, 200, 64
# ImageNet's mean and deviation, averaged over the colours.
IMAGENET = 0.449, 0.226


class Classroom:
    r"""
    The digits, a teacher, and its answers by name.

    `images` and `labels` are by split; images are normalised, float32,
    (images, 64). `answers` are for the training images, (images, 10).
    """

    def __init__(self) -> None:
        splits = {
            name: load("digits", name)
            for name in ("train", "validation", "test")
        }
        whole = splits["train"].images
        normalise = Normalise.of(whole)
        pixels = {k: normalise(s.images) for k, s in splits.items()}
        self.images = {name: x.flatten(1) for name, x in pixels.items()}
        self.labels = {name: s.labels for name, s in splits.items()}
        self.teacher = self._teacher(seed=101)
        mean, deviation = IMAGENET
        other = ((whole / 255 - mean) / deviation).flatten(1)
        fewer = F.interpolate(shrink(pixels["train"], 2), scale_factor=2)
        # The features are trained, the last layer is as it was drawn.
        stranger = copy.deepcopy(self.teacher)
        stranger.second = Perceptrons([102], 64, 256, dropout=0).second
        answers = say(self.teacher, self.images["train"])[0]
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(len(whole), generator=generator)
        self.answers = {
            "teacher": answers,
            "new head": say(stranger, self.images["train"])[0],
            "out of step": answers[order],
            "other normalisation": say(self.teacher, other)[0],
            "fewer pixels": say(self.teacher, fewer.flatten(1))[0],
        }

    def _teacher(self, seed: int) -> Perceptrons:
        teacher = Perceptrons([seed], 64, 256, dropout=0.3)
        torch.manual_seed(seed)
        batches = torch.randint(len(self.labels["train"]), (600, BATCH))
        tools = _tools(teacher.parameters(), 1e-2, len(batches))
        for batch in batches:
            z = teacher(self.images["train"][batch][None])[0]
            _step(F.cross_entropy(z, self.labels["train"][batch]), *tools)
        return teacher.eval()

    def given(self, setting: str, seed: int) -> tuple[Tensor, Tensor]:
        r"""The indices of a student's images, and labels for all images."""
        labels = self.labels["train"].clone()
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(labels), generator=generator)
        if setting == "few":
            return order[:200], labels
        doubted = torch.rand(len(labels), generator=generator) < 0.4
        any_digit = torch.randint(10, labels.shape, generator=generator)
        return order, torch.where(doubted, any_digit, labels)


def train(
    lesson: Lesson,
    room: Classroom,
    setting: str,
    seeds: int,
    rate: float,
    steps: int = STEPS,
) -> list[Perceptrons]:
    r"""
    The lesson's students after so many steps of a schedule of 200.

    * `setting`: `few` or `doubtful`
    * `seeds`: how many: of weights, images, doubts and batches
    * `rate`: the largest learning rate of AdamW's one cycle

    Returns the lesson's students, each as so many networks side by side.
    """
    given = [room.given(setting, seed) for seed in range(seeds)]
    which, labels = (torch.stack(kind) for kind in zip(*given, strict=True))
    inputs = 64 // lesson.factor**2
    students = [
        Perceptrons(range(1000 * k, 1000 * k + seeds), inputs, 32, dropout=0)
        for k in range(lesson.students)
    ]
    which = which[:, :: lesson.processes]
    teacher = room.teacher.repeated(seeds)
    trained = students + [teacher] * (lesson.teacher == "trained too")
    parameters = [p for model in trained for p in model.parameters()]
    tools = _tools(parameters, rate, STEPS)
    torch.manual_seed(0)
    places = torch.randint(which.shape[1], (STEPS, seeds, BATCH))
    rows = torch.arange(seeds)[:, None]
    for step in range(steps):
        if lesson.frozen and step * BATCH >= which.shape[1]:
            students[0].eval()
        batch = which[rows, places[step]]  # (seeds, batch)
        batch = batch[:, :: lesson.processes]
        x = seen(lesson, room.images["train"][batch])
        z = [student(x) for student in students]
        v = heard(lesson, room, teacher, batch)
        loss = loss_of(lesson, z, v, labels[rows, batch])
        # The mean over all of them, where each is to have its own.
        _step(seeds * loss, *tools)
    return [student.eval() for student in students]


def seen(lesson: Lesson, images: Tensor) -> Tensor:
    r"""What students of the lesson see of (networks, batch, 64) pixels."""
    if lesson.factor == 1:
        return images
    small = shrink(images.reshape(-1, 1, 8, 8), lesson.factor)
    return small.view(*images.shape[:2], -1)


def heard(
    lesson: Lesson, room: Classroom, teacher: Perceptrons, batch: Tensor
) -> Tensor:
    r"""The teacher's logits for the training images of these indices."""
    if lesson.teacher == "asked once":
        return room.answers[lesson.answers][batch]
    x = room.images["train"][batch]
    if lesson.teacher == "trained too":
        return teacher.eval()(x)
    with torch.no_grad():
        return teacher.train()(x)


def loss_of(
    lesson: Lesson, z: Sequence[Tensor], v: Tensor, labels: Tensor
) -> Tensor:
    r"""The lesson's loss, averaged over the networks side by side."""
    z = [logits.flatten(0, 1) for logits in z]
    if lesson.students > 1:
        return sum(lesson.loss(z, labels.flatten()))
    v, y = v.flatten(0, 1), labels.flatten()
    return lesson.loss(z[0], v, y, TEMPERATURE, SOFT_WEIGHT)


@torch.no_grad()
def judged(
    lesson: Lesson, room: Classroom, students: Perceptrons, split: str
) -> Tensor:
    r"""Students' logits for a split, (networks, images, 10)."""
    x = seen(lesson, room.images[split][None])[0]
    if not lesson.batch_statistics:
        return say(students, x)
    alone, order = copy.deepcopy(students).train(), torch.arange(len(x))
    if lesson.batch_statistics == "shuffled":
        order = torch.randperm(len(x), generator=torch.manual_seed(0))
    sevens = x[order].split(7)
    return torch.cat([say(alone, x) for x in sevens], 1)[:, order.argsort()]


def _tools(parameters, rate: float, steps: int):
    optimizer = torch.optim.AdamW(parameters, rate)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, cycle_momentum=False
    )


def _step(loss: Tensor, optimizer, schedule) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
