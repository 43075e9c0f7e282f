r"""
# A dry run

Before hours of training: are the data and the teacher right, does the model
fit, how long will it take? A dry run loads all images, examines the teacher
and takes a few steps of the real [loop](../labkd/training.py) with a model
that is thrown away. No image of the test split is shown to any model, and
nothing of the run is written.
"""

import math
import resource
import sys
import time
from dataclasses import replace

import torch
from accelerate import Accelerator
from torch import nn

from labkd.costs import weight
from labkd.lab import launching, outcomes
from labkd.lab.building import build, split_of
from labkd.lab.experiments import accelerator_of, images_of, teacher_of
from labkd.lab.launching import Run, tell
from labkd.lab.own_teacher import brings_teacher
from labkd.lab.step_clock import STEPS, WARM_UP, Clock, Enough
from labkd.lab.teachers import Teacher, live
from labkd.pixels import Normalise, predict
from labkd.data import ImageSet

# Bytes of a record: without epochs, and of each. An upper bound by a bit.
RECORD, EPOCH = 3_000, 400


def rehearse(run: Run) -> dict[str, float]:
    r"""
    What a run will take, by a few steps of it.

    * `run`: as `experiments.run` takes it

    Returns `{"images", "validation", "test", "parameters", "step", "epoch",
    "run", "memory", "checkpoint", "kept"}`: how many images to train on, to
    validate and test with, and how many parameters; seconds of a step, of an
    epoch with its validation, and of all epochs with the test; bytes of memory
    at the most, of the checkpoint and of the files that stay. Raises what the
    run would raise before its first epoch ends.
    """
    # Nothing is written: no compiled module of a teacher's code either.
    sys.dont_write_bytecode = True
    run = replace(run, log="", deadline=math.inf)
    accelerator = accelerator_of(run)
    device = accelerator.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    images, normalise = images_of(run, accelerator)
    splits = {s: split_of(run.recipe, s) for s in ("validation", "test")}
    teacher = _teacher(run, accelerator, images, normalise)
    clock = Clock(teacher, len(images), accelerator.num_processes, device)
    _steps(run, accelerator, images, normalise, clock)
    model = build(run.recipe, images)
    answer = _seconds_an_answer(model, splits["validation"], normalise, device)
    shown = len(images) * run.recipe.repeats
    epoch = clock.seconds() * shown + answer * len(splits["validation"])
    epochs = run.recipe.epochs
    return {
        "images": len(images),
        **{split: len(found) for split, found in splits.items()},
        "parameters": weight(model)["parameters"],
        "step": clock.seconds() * min(run.recipe.batch_size, shown),
        "epoch": epoch,
        "run": epochs * epoch + answer * len(splits["test"]),
        "memory": _peak_memory(device),
        **_disk(run, model, splits, normalise),
    }


def _teacher(
    run: Run, accelerator: Accelerator, images: ImageSet, normalise: Normalise
) -> Teacher:
    recipe = run.recipe
    if not recipe.teacher or brings_teacher(recipe):
        return teacher_of(run, accelerator, images, normalise)[0]
    theirs = run.teacher()
    kept = ("weights.safetensors", "logits.safetensors")
    if all(theirs.file(suffix).is_file() for suffix in kept):
        return teacher_of(run, accelerator, images, normalise)[0]
    tell(
        accelerator,
        f"{theirs.name} has no weights in {theirs.folder} yet: the run will "
        "train it first, which takes longer than is told here; an untrained "
        "one stands for it",
    )
    return live(build(theirs.recipe, images))


def _steps(
    run: Run,
    accelerator: Accelerator,
    images: ImageSet,
    normalise: Normalise,
    clock: Clock,
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
        launching.train(nowhere, accelerator, images, normalise, clock)
    except Enough:
        return


def _seconds_an_answer(
    model: nn.Module, images: ImageSet, normalise: Normalise, device
) -> float:
    some = images.images[:250].to(device)
    predict(model, some[:2], normalise)
    started = time.perf_counter()
    # On its way to the CPU it is waited for.
    predict(model, some, normalise).cpu()
    return (time.perf_counter() - started) / len(some)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, but on macOS in bytes.
    return most if sys.platform == "darwin" else 1024 * most


def _disk(
    run: Run,
    model: nn.Module,
    splits: dict[str, ImageSet],
    normalise: Normalise,
) -> dict[str, int]:
    recipe, bytes_of = run.recipe, weight(model)
    images = splits["validation"].images[:2]
    device = next(model.parameters()).device
    heads = outcomes.answer(model, images.to(device), normalise)
    classes, tests = len(splits["test"].class_names), len(splits["test"])
    answers = len(heads) * tests + len(splits["validation"])
    # In half precision; those of the first seed stand beside its record too.
    logits = 2 * classes * answers * (2 if run.seed == 0 else 1)
    moments = 2 if recipe.optimizer == "adamw" else int(recipe.momentum > 0)
    record = RECORD + EPOCH * recipe.epochs
    return {
        "checkpoint": bytes_of["float32_bytes"]
        + 4 * bytes_of["parameters"] * moments,
        "kept": bytes_of["float16_bytes"] + logits + tests + record,
    }


def report(run: Run, found: dict[str, float]) -> str:
    r"""
    What `rehearse` found, in lines.

    * `run`, `found`: what it was given, and what it returned
    """
    recipe = run.recipe
    where = "the GPU" if torch.cuda.is_available() else "the process"
    lines = {
        "dry run": f"{run.name}, {run.size}, seed {run.seed}",
        "images": f"{found['images']:,} for training, "
        f"{found['validation']:,} for validation, {found['test']:,} for test",
        "parameters": f"{found['parameters']:,}",
        "a step": f"{found['step']:.3g} s, of {recipe.batch_size} images",
        "an epoch": _time(found["epoch"]),
        "the run": f"{_time(found['run'])}, {recipe.epochs} epochs",
        "memory": f"{found['memory'] / 1e6:,.0f} MB of {where}",
        "disk": f"{found['kept'] / 1e6:,.2f} MB, and "
        f"{found['checkpoint'] / 1e6:,.2f} MB while it trains",
    }
    told = [f"{name:<12}{text}" for name, text in lines.items()]
    return "\n".join([*told, "nothing was written"])


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
