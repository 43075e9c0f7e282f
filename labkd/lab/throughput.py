r"""
# What a second process is worth

Two cores can serve one process with two threads or two processes with one
thread each. How many images a second either trains is measured here by the
loop itself, in turn, in the same two processes, so that a busy minute of the
machine falls on all. While one process computes, the other waits and uses no
core; so do threads that wait for one another (`OMP_WAIT_POLICY=passive`).
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.distributed as dist
from accelerate import Accelerator

from labkd.data import CIFAR10_CLASSES, ImageSet
from labkd.lab import engine
from labkd.lab.building import bank_of, build, objective_of, optimizer_of
from labkd.lab.recipes import find
from labkd.lab.teachers import no_teacher
from labkd.pixels import Normalise
from labkd.training import fit

STUDENT, TEACHER = "scratch-vit-cifar10", "teacher-resnet18-cifar10"
# Images that are trained between two looks at the clock, and to a batch. The
# CNN gets fewer: where bfloat16 is emulated, it is slow.
COUNTS = {STUDENT: (256, 128), TEACHER: (16, 16)}
# So many times fewer rounds are enough to tell one from eight.
SELDOM = 5
# Processes and threads of each, on two cores.
WAYS = ((1, 2), (2, 1), (1, 1))


def measure(rounds: int) -> dict[str, list[dict]]:
    r"""
    Images a second, in training; two processes call it, together.

    * `rounds`: how often each is measured, at least 2

    Returns `throughput` of the student, a row for each of `WAYS`, and
    `precision_throughput` of the teacher, a CNN, in one process with one
    thread: the median `images_per_second`, `lowest` and `highest`, and the
    `processor_milliseconds` an image, of all processes and threads.
    """
    accelerator = engine.accelerator(cpu=True)
    runs = {
        ("student", *way, "float32"): _epochs(
            STUDENT, accelerator, processes=way[0], bfloat16=False
        )
        for way in WAYS
    } | {
        ("teacher", 1, 1, precision): _epochs(
            TEACHER, accelerator, processes=1, bfloat16=bfloat16
        )
        for precision, bfloat16 in (("float32", False), ("bfloat16", True))
    }
    rates = {key: [] for key in runs}
    # The first round is for whatever is made at the first call.
    for number in range(1 + rounds):
        for key, epochs in runs.items():
            dist.barrier()
            torch.set_num_threads(key[2])
            seldom = key[0] == "teacher" and number % SELDOM > 1
            if accelerator.process_index < key[1] and not seldom:
                used = time.process_time()
                rates[key].append((next(epochs), time.process_time() - used))
    dist.barrier()
    dist.destroy_process_group()
    rows = {"student": [], "teacher": []}
    for key, found in rates.items():
        if len(found) > 1:
            images, _ = COUNTS[STUDENT if key[0] == "student" else TEACHER]
            rows[key[0]].append(_row(*key[1:], found[1:], images))
    return {
        "throughput": rows["student"],
        "precision_throughput": rows["teacher"],
    }


def _row(
    processes: int,
    threads: int,
    precision: str,
    found: list[tuple[float, float]],
    images: int,
) -> dict:
    rates, used = zip(*found, strict=True)
    share = statistics.median(used) * processes / images
    return {
        "processes": processes,
        "threads": threads,
        "precision": precision,
        "images_per_second": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "processor_milliseconds": 1000 * share,
    }


def _epochs(
    name: str, accelerator: Accelerator, *, processes: int, bfloat16: bool
) -> Iterator[float]:
    # Colours and labels are random: no number here depends on them.
    count, batch_size = COUNTS[name]
    recipe = replace(find(name, "laptop"), epochs=1000, batch_size=batch_size)
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, 32, 32)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % len(CIFAR10_CLASSES)
    random = ImageSet(images, labels, CIFAR10_CLASSES, "random")
    model = build(recipe, random)
    optimizer, schedule = optimizer_of(recipe, model, count)
    alone = processes == 1
    for epoch in fit(
        model
        if alone
        else engine.launched(model, accelerator, compiled=False),
        random,
        optimizer,
        schedule,
        normalise=Normalise.of(images),
        objective=objective_of(recipe),
        teacher=no_teacher,
        generator=generator,
        epochs=range(1, recipe.epochs + 1),
        batch_size=recipe.batch_size,
        bank=bank_of(recipe, random),
        clip_norm=recipe.clip_norm,
        bfloat16=bfloat16,
        share=(0, 1) if alone else (accelerator.process_index, processes),
    ):
        yield count / epoch["seconds"]
