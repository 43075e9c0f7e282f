r"""
# A dry run

Before hours of training: are the data and the teacher right, does the model
fit, how long does a step take? A dry run loads all images, validates the
teacher and takes twenty steps of the real [loop](../labkd/training.py) with a
model that is thrown away. No image of the test split is shown to any model,
and nothing of the run is written.
"""

import math
import os
import statistics
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from labkd.data import ImageSet
from labkd.lab import launching
from labkd.lab.building import build, split_of
from labkd.lab.experiments import accelerator_of, images_of, teacher_of
from labkd.lab.launching import Run, tell
from labkd.lab.own_teacher import brings_teacher
from labkd.lab.teachers import Teacher, live
from labkd.pixels import Normalise

# The first steps allocate memory and choose algorithms.
WARM_UP, STEPS = 3, 20


class Enough(Exception):
    r"""The steps of a dry run are done."""


class Stopwatch:
    r"""
    A teacher that looks at the clock when it is asked, once a step.

    * `teacher`: who answers
    * `images`: how many there are; indices beyond them begin anew
    """

    def __init__(self, teacher: Teacher, images: int) -> None:
        self.teacher, self.images, self.marks = teacher, images, []

    def __call__(
        self, pixels: Tensor, indices: Tensor, views: Tensor
    ) -> Tensor | None:
        r"""What the teacher says; raises `Enough` after the last step."""
        # A GPU is still at work when a call returns.
        if pixels.is_cuda:
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())
        if len(self.marks) > WARM_UP + STEPS:
            raise Enough
        return self.teacher(pixels, indices % self.images, views)

    def seconds(self) -> float:
        r"""The median seconds of a step, after the first ones."""
        steps = pairwise(self.marks[WARM_UP:])
        return statistics.median(after - before for before, after in steps)


def rehearse(run: Run) -> dict[str, float]:
    r"""
    What a run will take, by twenty steps of it.

    * `run`: as `experiments.run` takes it

    Returns `{"images", "validation", "test", "parameters", "seconds_a_step",
    "steps"}`; the steps are those of all epochs. Raises what the run would
    raise before its first epoch ends.
    """
    for folder in (run.folder, run.results):
        _check_writable(folder)
    # Nothing is written: no compiled module of a teacher's code either.
    sys.dont_write_bytecode = True
    run = replace(run, log="", deadline=math.inf)
    accelerator = accelerator_of(run)
    images, normalise = images_of(run, accelerator)
    teacher = _teacher(run, accelerator, images, normalise)
    watch = Stopwatch(teacher, len(images))
    _steps(run, accelerator, images, normalise, watch)
    recipe = run.recipe
    model = build(recipe, images)
    batches = -(-len(images) * recipe.repeats // recipe.batch_size)
    return {
        "images": len(images),
        **{s: len(split_of(recipe, s)) for s in ("validation", "test")},
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds_a_step": watch.seconds(),
        "steps": batches * recipe.epochs,
    }


def _check_writable(folder: Path) -> None:
    # What is not there yet would be made in the nearest folder that is.
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"nothing can be written into {nearest}")


def _teacher(
    run: Run, accelerator: Accelerator, images: ImageSet, normalise: Normalise
) -> Teacher:
    recipe = run.recipe
    if recipe.teacher and not brings_teacher(recipe):
        theirs = run.teacher()
        if not all(path.is_file() for path in theirs.learned()):
            tell(
                accelerator,
                f"{theirs.name} has no weights yet: the run will train it "
                "first; an untrained one stands for it here",
            )
            return live(build(theirs.recipe, images))
    return teacher_of(run, accelerator, images, normalise)[0]


def _steps(
    run: Run,
    accelerator: Accelerator,
    images: ImageSet,
    normalise: Normalise,
    watch: Stopwatch,
) -> None:
    # Enough images that no epoch ends, for its end would be written down.
    least = (WARM_UP + STEPS + 2) * run.recipe.batch_size
    if len(images) < least:
        images = images.take(
            torch.arange(least, device=images.labels.device) % len(images)
        )
    # No recipe has this name, and so there is no checkpoint to go on from.
    nowhere = replace(run, name="dry run")
    try:
        launching.train(nowhere, accelerator, images, normalise, watch)
    except Enough:
        return


def report(run: Run, found: dict[str, float]) -> str:
    r"""
    What `rehearse` found, in lines.

    * `run`, `found`: what it was given, and what it returned
    """
    seconds, steps = found["seconds_a_step"], found["steps"]
    minutes = seconds * steps / 60
    return (
        f"{run.name}, {run.size}, seed {run.seed}: "
        f"{found['parameters']:,} parameters\n"
        f"{found['images']:,} images to train on, {found['validation']:,} to "
        f"validate and {found['test']:,} to test with\n"
        f"{seconds:.3g} s a step of {run.recipe.batch_size} images; "
        f"{steps:,} steps in {run.recipe.epochs} epochs take about "
        f"{minutes:.2g} minutes\n"
        "nothing was written"
    )
