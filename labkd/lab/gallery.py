r"""
# The gallery, measured

`python -m labkd.lab.gallery` teaches every lesson, right
and wrong, in both settings of the classroom, with
ten seeds at each of six learning rates, and writes what came of it. What a
mistake costs is read from that by damage.

What a mistake does to the loss and to its gradient is measured for the
logits of right students that are a tenth of the way: as ratios, wrong to
right, and as an angle.
"""

import argparse
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from labkd.calibration import negative_log_likelihood
from labkd.lab.classroom import (
    SETTINGS,
    SOFT_WEIGHT,
    STEPS,
    TEMPERATURE,
    Classroom,
    heard,
    judged,
    loss_of,
    seen,
    train,
)
from labkd.lab.damage import COMMAND, chosen, path_of
from labkd.lab.lessons import LESSONS, Lesson
from labkd.lab.outcomes import circumstances
from labkd.lab.perceptrons import say
from labkd.lab.store import write_whole
from labkd.records import RESULTS

RATES, SEEDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3), 10


def taught(
    lesson: Lesson, room: Classroom, setting: str, seeds: int
) -> list[dict]:
    r"""
    Students of a lesson at every rate.

    Returns for each rate `rate`, and one value a seed of `validation` and
    `test`, in percent right, and of `nll` on the test images in nats, where
    nothing stands for a student that is not a number any more.
    """
    found = []
    for rate in RATES:
        students = train(lesson, room, setting, seeds, rate)[0]
        scores = {}
        for split in ("validation", "test"):
            logits = judged(lesson, room, students, split)
            hits = logits.argmax(2) == room.labels[split]
            scores[split] = (100 * hits.double().mean(1)).tolist()
        scores["nll"] = [
            negative_log_likelihood(z, room.labels["test"])
            if z.isfinite().all()
            else None
            for z in logits
        ]
        found.append({"rate": rate} | scores)
    return found


def pull(lesson: Lesson, room: Classroom, begun: dict[str, list]) -> dict:
    r"""
    What a lesson's mistake does to the loss and to the gradient.

    * `begun`: students of the right lessons, by name, on their way

    Returns `loss` and `gradient`, ratios of wrong to right, and `angle`
    between the gradients in degrees; nothing where they are not defined.
    """
    right = LESSONS[lesson.right]
    students = begun[lesson.right]
    batch = torch.arange(256).expand(len(students[0].first), -1)
    x = seen(right, room.images["train"][batch])
    with torch.no_grad():
        z = [student(x) for student in students]
    (loss, ours), (reference, theirs) = (
        _loss_and_gradient(one, room, z, batch) for one in (lesson, right)
    )
    cosine = torch.cosine_similarity(ours, theirs, dim=0).clamp(-1, 1)
    values = {
        "loss": (loss / reference).item(),
        "gradient": (ours.norm() / theirs.norm()).item(),
        "angle": cosine.acos().rad2deg().item(),
    }
    return {k: v if math.isfinite(v) else None for k, v in values.items()}


def _loss_and_gradient(
    lesson: Lesson, room: Classroom, z: list[Tensor], batch: Tensor
) -> tuple[Tensor, Tensor]:
    # In double precision: an angle of zero is hard to see in single.
    z = [logits.double().requires_grad_() for logits in z]
    torch.manual_seed(0)  # of the dropout of a teacher in training mode
    teacher = room.teacher.repeated(len(batch))
    v = heard(lesson, room, teacher, batch).double()
    loss = loss_of(lesson, z, v, room.labels["train"][batch])
    return loss.detach(), torch.cat(torch.autograd.grad(loss, z)).flatten()


def measure(seeds: int) -> dict:
    r"""All lessons in all settings, as the record has them."""
    room, lessons = Classroom(), {}
    for name, lesson in LESSONS.items():
        lessons[name] = {
            setting: taught(lesson, room, setting, seeds)
            for setting in SETTINGS
        }
    begun = {}
    for name in {lesson.right for lesson in LESSONS.values()}:
        rate = chosen(lessons[name]["doubtful"])["rate"]
        lesson = LESSONS[name], room, "doubtful", seeds, rate
        begun[name] = train(*lesson, steps=STEPS // 10)
    answers = say(room.teacher, room.images["test"])[0].argmax(1)
    hits = (answers == room.labels["test"]).double().mean().item()
    return {
        "teacher": 100 * hits,
        "lessons": lessons,
        "pulls": {n: pull(one, room, begun) for n, one in LESSONS.items()},
    }


def main(arguments: list[str] | None = None) -> int:
    r"""Measure and write; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="What each known mistake does."
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="of the records"
    )
    options = parser.parse_args(arguments)
    # Quicker for networks this small.
    torch.set_num_threads(1)
    record = {
        "seeds": SEEDS,
        "settings": {
            "temperature": TEMPERATURE,
            "soft_weight": SOFT_WEIGHT,
            "steps": STEPS,
        },
        **measure(SEEDS),
        **circumstances(torch.device("cpu"), False),
        "command": COMMAND,
    }
    try:
        print(write_whole(record, path_of(options.results)))
    except OSError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
