r"""
# Rounds of a benchmark

What the benchmark compares: our loop, the customary
one, and bare steps without images to bring. Each is made into rounds: a call
trains on as many batches as every other and returns images a second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import nn

from labkd.data import ImageSet, load
from labkd.lab.building import bank_of, objective_of, optimizer_of
from labkd.lab.customary import batches_of, train_epoch
from labkd.lab.recipes import Recipe, find
from labkd.lab.teachers import Teacher, nobody
from labkd.pixels import Normalise, native_bfloat16
from labkd.resnet import ResNet
from labkd.training import fit


@dataclass(frozen=True, kw_only=True)
class Bench:
    r"""
    What all rounds share.

    * `data`: images in colour, on the device; `normalise`: theirs
    * `size`: of the recipes in `arms` that are followed
    * `batch_size`, `steps`: of a round, in images and in batches
    * `workers`: processes of the customary loop
    * `compiled`: whether our loop and the bare steps compile the model
    """

    data: ImageSet
    normalise: Normalise
    size: str
    batch_size: int
    steps: int
    workers: int
    compiled: bool

    @property
    def device(self) -> torch.device:
        r"""Where all rounds compute."""
        return self.data.images.device

    def recipe(self, name: str) -> Recipe:
        r"""A recipe of the course, with a schedule that does not end."""
        found = find(name, self.size)
        return replace(found, batch_size=self.batch_size, epochs=10**6)

    def images(self) -> ImageSet:
        r"""The images of one round."""
        return self.data.take(torch.arange(self.steps * self.batch_size))


def resnet20() -> ResNet:
    r"""
    ResNet-20: three stages of three blocks, 0.27 million parameters.

    He et al. (2015), section 4.2, with $n = 3$ and 16, 32 and 64 channels.
    Here the shortcuts between stages are 1 x 1 convolutions, the paper's
    option B.
    """
    model = ResNet("resnet34", width=16)
    model.layer2, model.layer3 = model.layer2[:3], model.layer3[:3]
    model.layer4, model.fc = nn.Identity(), nn.Linear(64, 10)
    return model


def images_for(
    steps: int, batch_size: int, workers: int, device: torch.device
) -> ImageSet:
    r"""
    Images of CIFAR-10 if it is at hand, random bytes if not; shuffled.

    * `steps`, `batch_size`, `workers`: of the rounds, as in `Bench`

    Raises `ValueError` when CIFAR-10 has not as many.
    """
    # The customary loop needs some before its clock starts, and some for
    # its workers to fetch until it stops.
    count = batch_size * (_ahead(workers) + steps + _ahead(workers))
    generator = torch.Generator().manual_seed(0)
    try:
        whole = load("cifar10", "train", download=False)
    except FileNotFoundError:
        size = (count, 3, 32, 32)
        bytes_ = torch.randint(256, size, generator=generator).byte()
        names = tuple("0123456789")
        whole = ImageSet(bytes_, torch.arange(count) % 10, names, "random")
    if count > len(whole):
        raise ValueError(
            f"rounds of {steps} batches of {batch_size} take {count} images; "
            f"there are {len(whole)}"
        )
    order = torch.randperm(len(whole), generator=generator)
    return whole.take(order[:count]).to(device)


def ours(
    bench: Bench, model: nn.Module, recipe: Recipe, teacher: Teacher = nobody
) -> Callable[[], float]:
    r"""
    Rounds of our loop, each an epoch.

    * `model`, `recipe`, `teacher`: what is trained, how, and by whom
    """
    images = bench.images()
    optimizer, schedule = optimizer_of(recipe, model, len(images))
    generator = torch.Generator().manual_seed(0)
    model = torch.compile(model) if bench.compiled else model

    def epoch() -> None:
        for _ in fit(
            model,
            images,
            optimizer,
            schedule,
            normalise=bench.normalise,
            objective=objective_of(recipe),
            teacher=teacher,
            generator=generator,
            epochs=range(1),
            batch_size=recipe.batch_size,
            bank=bank_of(recipe, images),
            clip_norm=recipe.clip_norm,
            bfloat16=native_bfloat16(bench.device),
        ):
            pass

    return lambda: len(images) / _seconds(epoch)


def customary(
    bench: Bench, model: nn.Module, recipe: Recipe
) -> Callable[[], float]:
    r"""
    Rounds of the customary loop, each a part of an epoch.

    * `model`, `recipe`: what is trained, in which batches and by which
      optimizer; it has no schedule
    """
    optimizer, _ = optimizer_of(recipe, model, len(bench.data))
    loader = batches_of(
        bench.data,
        bench.normalise,
        padding=recipe.padding,
        batch_size=recipe.batch_size,
        workers=bench.workers,
    )

    def rate() -> float:
        batches = iter(loader)

        def train(steps: int) -> None:
            some = islice(batches, steps)
            train_epoch(model, some, optimizer, bench.device)

        # From here on as many batches lie ready at any time: what workers
        # do for the round is neither left out nor counted twice.
        train(_ahead(bench.workers))
        seconds = _seconds(lambda: train(bench.steps))
        return bench.steps * bench.batch_size / seconds

    return rate


def bare(
    bench: Bench, model: nn.Module, recipe: Recipe
) -> Callable[[], float]:
    r"""
    Rounds of forward, backward and optimizer step on one batch.

    * `model`, `recipe`: what is trained, by which loss and optimizer
    """
    batch = bench.data.take(torch.arange(bench.batch_size))
    pixels = bench.normalise(batch.images)
    objective, bfloat16 = objective_of(recipe), native_bfloat16(bench.device)
    optimizer, _ = optimizer_of(recipe, model, len(batch))
    model = torch.compile(model) if bench.compiled else model

    def steps() -> None:
        model.train()
        for _ in range(bench.steps):
            with torch.autocast(bench.device.type, torch.bfloat16, bfloat16):
                loss = objective(model(pixels), None, batch.labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return lambda: bench.steps * bench.batch_size / _seconds(steps)


def _ahead(workers: int) -> int:
    # Each worker prefetches two batches; two more until all have started.
    return 2 * workers + 2


def _seconds(work: Callable[[], None]) -> float:
    # A GPU is still at work when a call returns.
    wait = torch.cuda.synchronize if torch.cuda.is_available() else int
    wait()
    started = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - started
