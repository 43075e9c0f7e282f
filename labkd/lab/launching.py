r"""
# Launching the loop

Checkpoints, deadlines, several processes: what makes the loop of
[`fit`](../labkd/training.py#fit) last, kept beside it and out of it. On one
processor, one GPU or, under `accelerate launch` or `torchrun`, on several
processes the calls are the same.
"""

import math
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from tqdm import tqdm

from labkd import records
from labkd.data import ImageSet
from labkd.files import reading
from labkd.lab import checkpoints, engine, outcomes, store
from labkd.lab.building import (
    bank_of,
    build,
    optimizer_of,
    split_of,
    stages_of,
)
from labkd.lab.recipes import Recipe, digest, essentials, shown
from labkd.lab.teachers import Teacher
from labkd.lab.watched import unwatched, watched
from labkd.pixels import Normalise, predict
from labkd.shipped import SHIPPED_SIZE, WEIGHTS
from labkd.training import fit


@dataclass(frozen=True, kw_only=True)
class Run:
    r"""
    One run: a recipe, a seed, and where things go.

    * `name`, `size`, `recipe`: which; the recipe as it is to be run
    * `seed`: at least 0; initial values, order of images and views
    * `command`: the command that repeats it, for the record
    * `results`: where the record is written
    * `folder`: where weights, checkpoints and tables are kept
    * `deadline`: of `time.monotonic`, in seconds
    * `log`: `tensorboard` or `wandb`, which draw the epochs as they come
    * `accumulation`: each process sees its share of a batch in so many parts
    * `precision`, `compiled`: as `engine` takes them
    """

    name: str
    size: str
    recipe: Recipe
    seed: int
    command: str
    results: Path
    folder: Path = Path("runs")
    deadline: float = math.inf
    log: str = ""
    accumulation: int = 1
    precision: str = "auto"
    compiled: str = "auto"

    def file(self, suffix: str) -> Path:
        r"""A file of this run, and of no other recipe or seed."""
        stem = f"{self.size}-seed{self.seed}-{digest(self.recipe)}"
        return self.folder / self.name / f"{stem}.{suffix}"

    def learned(self) -> tuple[Path, Path]:
        r"""Its weights and test logits: its own, or those of the package."""
        own = self.file("weights.safetensors"), self.file("logits.safetensors")
        shipped = WEIGHTS / f"{self.name}.safetensors"
        if own[0].is_file() or not shipped.is_file():
            return own
        recorded = records.path_of(self.name, SHIPPED_SIZE, 0)
        if (self.size, self.seed) != (SHIPPED_SIZE, 0):
            return own
        if digest(self.recipe) != digest(store.tuned(self.name, self.size)):
            return own
        return shipped, recorded.with_suffix(".logits.safetensors")

    def table(self, student: Recipe) -> Path:
        r"""The table of this run's model, about a student's images."""
        return self.file(f"{shown(student)}.table")

    def teacher(self) -> "Run":
        r"""The run that makes the teacher, on the same data set."""
        name, dataset = self.recipe.teacher, self.recipe.dataset
        image_size = self.recipe.image_size
        theirs = store.tuned(name, self.size)
        command = f"python -m labkd run {name} --size {self.size} --seed 0"
        if dataset != theirs.dataset:
            command += f" --set {shlex.quote(f'dataset={dataset}')}"
        if image_size != theirs.image_size:
            command += f" --set image_size={image_size}"
        return replace(
            self,
            name=name,
            recipe=replace(theirs, dataset=dataset, image_size=image_size),
            seed=0,
            command=command,
            # Records of the package are made by asking for them.
            results=self.folder,
        )


def train(
    run: Run,
    accelerator: Accelerator,
    images: ImageSet,
    normalise: Normalise,
    teacher: Teacher,
) -> tuple[nn.Module, dict]:
    r"""
    Train the model of a run, from its checkpoint if it left one.

    * `accelerator`: knows the device and the other processes
    * `images`, `normalise`, `teacher`: as `fit` takes them

    Returns the model and `{"epochs", "seconds", "compiled"}`, the epochs with
    their scores on the validation images. Raises `TimeoutError` at the
    deadline, `ValueError` when the loss is no number any more, or a batch has
    fewer images than processes and their parts need.
    """
    recipe, path = run.recipe, run.file("checkpoint")
    device = accelerator.device
    images, teacher = _again(images, teacher, recipe.repeats)
    _check_shares(recipe, accelerator, len(images), run.accumulation)
    validation = split_of(recipe, "validation").to(device)
    torch.manual_seed(run.seed)
    model = watched(
        recipe, build(recipe, images), teacher, normalise(images.images[:2])
    )
    optimizer, schedule = optimizer_of(recipe, model, len(images))
    generator = torch.Generator().manual_seed(run.seed)
    parts = (model, optimizer, schedule, generator)
    made_of = essentials(recipe) | {
        "recipe": run.name,
        "size": run.size,
        "seed": run.seed,
    }
    kept = checkpoints.load(path, made_of) or {"epochs": [], "seconds": 0.0}
    if kept["epochs"]:
        with reading(path, "delete it to start anew"):
            checkpoints.restore(kept["state"], *parts)
        tell(accelerator, f"going on after epoch {len(kept['epochs'])}")
    clock = time.perf_counter() - kept["seconds"]
    steps = schedule.total_steps
    compiled = engine.compiles(run.compiled, device, steps)
    for epoch in _epochs(
        run,
        accelerator,
        engine.launched(model, accelerator, compiled=compiled),
        images,
        optimizer,
        schedule,
        normalise=normalise,
        teacher=teacher,
        generator=generator,
        done=len(kept["epochs"]),
    ):
        epoch["loss"] = _mean(epoch["loss"], accelerator)
        scores = _scores(run, model, validation, normalise, epoch["epoch"])
        kept = {
            "epochs": [*kept["epochs"], epoch | {"validation": scores}],
            "seconds": time.perf_counter() - clock,
            "state": checkpoints.snapshot(*parts),
            "made_of": made_of,
        }
        if accelerator.is_main_process:
            checkpoints.save(path, kept)
        seen = {"loss": epoch["loss"]}
        seen |= {f"validation/{key}": scores[key] for key in scores}
        accelerator.log(seen, step=epoch["epoch"])
        tell(accelerator, _report(run, kept))
        _stop_in_time(run, kept, accelerator)
    return unwatched(model), kept | {"compiled": compiled}


def _epochs(
    run: Run,
    accelerator: Accelerator,
    model: nn.Module,
    images: ImageSet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    normalise: Normalise,
    teacher: Teacher,
    generator: torch.Generator,
    done: int,
) -> Iterator[dict]:
    # The stages of a recipe one after another, without what is done.
    recipe = run.recipe
    for objective, epochs in stages_of(recipe):
        yield from fit(
            model,
            images,
            optimizer,
            schedule,
            normalise=normalise,
            objective=objective,
            teacher=teacher,
            generator=generator,
            epochs=range(max(epochs.start, done + 1), epochs.stop),
            batch_size=recipe.batch_size,
            bank=bank_of(recipe, images),
            clip_norm=recipe.clip_norm,
            mixup=recipe.mixup,
            bfloat16=engine.bfloat16(run.precision, accelerator.device),
            accumulation=run.accumulation,
            share=(accelerator.process_index, accelerator.num_processes),
            progress=partial(_batches, run, accelerator),
        )


def _scores(
    run: Run,
    model: nn.Module,
    validation: ImageSet,
    normalise: Normalise,
    epoch: int,
) -> dict:
    logits = predict(model, validation.images, normalise)
    if not logits.isfinite().all():
        raise ValueError(
            f"after epoch {epoch} the model's logits are not finite: "
            f"learning_rate={run.recipe.learning_rate} may be too large"
        )
    return outcomes.evaluate(logits, validation.labels)


def _again(
    images: ImageSet, teacher: Teacher, repeats: int
) -> tuple[ImageSet, Teacher]:
    # The teacher knows each image by its first place.
    if repeats == 1:
        return images, teacher
    count, device = len(images), images.labels.device
    places = torch.arange(count * repeats, device=device) % count
    return images.take(places), lambda pixels, indices, columns: teacher(
        pixels, indices % count, columns
    )


def _check_shares(
    recipe: Recipe, accelerator: Accelerator, images: int, parts: int = 1
) -> None:
    # A process without an image would wait for a gradient of nothing.
    last = images % recipe.batch_size or recipe.batch_size
    if last < accelerator.num_processes * parts:
        cut = f" in {parts} parts each" if parts > 1 else ""
        count = accelerator.num_processes
        raise ValueError(
            f"{count} process{'es' if count > 1 else ''} cannot share a batch "
            f"of {last}{cut}, the last of {images} images in batches of "
            f"{recipe.batch_size}"
        )


def _batches(
    run: Run, accelerator: Accelerator, batches: Iterable
) -> Iterator:
    main = accelerator.is_main_process
    for batch in tqdm(batches, disable=None if main else True, leave=False):
        # Several processes stop together, between epochs.
        alone = accelerator.num_processes == 1
        if alone and time.monotonic() > run.deadline:
            raise TimeoutError("the last whole epoch is kept")
        yield batch


def tell(accelerator: Accelerator, text: str) -> None:
    r"""
    Says what happens: once for all processes, at once, past any bar.

    * `text`: a line
    """
    if accelerator.is_main_process:
        tqdm.write(text)
        # A file or a pipe would keep it back, and lose it with the process.
        sys.stdout.flush()


def _report(run: Run, kept: dict) -> str:
    last = kept["epochs"][-1]
    return (
        f"epoch {last['epoch']}/{run.recipe.epochs}: loss {last['loss']:.3f}, "
        f"validation accuracy {last['validation']['accuracy']:.4f}, "
        f"{last['seconds']:.0f} s"
    )


def _stop_in_time(run: Run, kept: dict, accelerator: Accelerator) -> None:
    last = kept["epochs"][-1]
    late = time.monotonic() + last["seconds"] > run.deadline
    if _mean(late, accelerator) and last["epoch"] < run.recipe.epochs:
        raise TimeoutError(f"epoch {last['epoch']} is kept")


def _mean(value: float, accelerator: Accelerator) -> float:
    # Over the processes; of one, the value itself.
    exact = torch.tensor(float(value), dtype=torch.float64)
    exact = exact.to(accelerator.device)
    return accelerator.reduce(exact, reduction="mean").item()
