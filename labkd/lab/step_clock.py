r"""
# A clock in the loop

The [loop](../labkd/training.py) asks a teacher once for every batch. A teacher
that looks at the clock then knows how long a step takes, and the loop is the
real one, with nothing added to it.
"""

import statistics
import time
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from labkd.lab.teachers import Teacher

# The first steps allocate memory and choose algorithms; their time is not
# that of the others. The median needs a few, and a few seconds suffice.
WARM_UP, STEPS, SECONDS = 3, 20, 10.0


class Enough(Exception):
    r"""The steps of a dry run are done."""


@dataclass
class Clock:
    r"""
    A teacher that looks at the clock when it is asked, once a step.

    From one call to the next the loop does all that it does for a batch:
    forward, backward, the optimizer's step, the images of the next.

    * `teacher`: who answers
    * `images`: how many there are; indices beyond them begin anew
    * `processes`: that share each batch
    * `device`: waited for before the clock is read
    """

    teacher: Teacher
    images: int
    processes: int
    device: torch.device
    marks: list[tuple[float, int]] = field(default_factory=list)

    def __call__(
        self, pixels: Tensor, indices: Tensor, views: Tensor
    ) -> Tensor | None:
        r"""What the teacher says; raises `Enough` after the last step."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.marks.append((time.perf_counter(), len(indices)))
        taken = len(self.marks) - 1 - WARM_UP
        passed = self.marks[-1][0] - self.marks[0][0]
        if taken >= STEPS or (taken >= 3 and passed > SECONDS):
            raise Enough
        return self.teacher(pixels, indices % self.images, views)

    def seconds(self) -> float:
        r"""The median seconds of an image, of all processes together."""
        return statistics.median(
            (after - before) / (count * self.processes)
            for (before, count), (after, _) in pairwise(self.marks[WARM_UP:])
        )
