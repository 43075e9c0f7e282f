r"""
# Running a recipe

From a name to a record: data, model, teacher, loop, and one look at the test
images after the last epoch. Every epoch leaves a checkpoint, and the same call
goes on from it; records are written at the end and at once, so that an
interrupted run leaves the old ones as they were.
"""

import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from labkd import checkpoints, engine, outcomes, records
from labkd.building import build, some_of
from labkd.checkpoints import claimed
from labkd.data import load
from labkd.launching import Run, tell, train
from labkd.pixels import Normalise, native_bfloat16, predict
from labkd.recipes import PLAN
from labkd.sources import ImageSet
from labkd.teachers import Teacher, live, nobody, recorded, table_of


def run(run: Run, *, trial: bool = False) -> dict:
    r"""
    Train, score on the test images once, write the record.

    * `trial`: leave the test images shut, and write the scores on the
      validation images beside the checkpoint: to choose a learning rate

    Returns the record. Raises `TimeoutError` at the deadline, when the same
    call goes on from there; `BlockingIOError` when another process is at the
    same run; what `load` raises when data is missing.
    """
    accelerator = _accelerator(run)
    # What one process unpacks or downloads, the others find there.
    with accelerator.main_process_first():
        seen = _images(run, accelerator)
    main = accelerator.is_main_process
    with claimed(run.file("lock")) if main else nullcontext():
        if run.log:
            _open_log(run, accelerator)
        record = _record(run, accelerator, trial, *seen)
    for log in accelerator.trackers:
        log.finish()
    return record


def _images(run: Run, accelerator: Accelerator) -> tuple[ImageSet, Normalise]:
    whole = load(run.recipe.dataset, "train").to(accelerator.device)
    # Teacher and student read the same numbers, whatever each has seen.
    normalise = Normalise.of(whole.images)
    return some_of(whole, run.recipe.training_images), normalise


def _record(
    run: Run,
    accelerator: Accelerator,
    trial: bool,
    images: ImageSet,
    normalise: Normalise,
) -> dict:
    device = accelerator.device
    teacher, source = _teacher(run, accelerator, images, normalise)
    model, kept = train(run, accelerator, images, normalise, teacher)
    started = time.perf_counter()
    judged = {} if trial else _judge(run, model, normalise, accelerator)
    kept["seconds"] += time.perf_counter() - started
    record = {
        "recipe": run.name,
        "size": run.size,
        "seed": run.seed,
        "dataset": run.recipe.dataset,
        "source": images.source,
        "config": asdict(run.recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "teacher": source,
        **{key: kept[key] for key in ("epochs", "seconds")},
        **judged,
        **outcomes.circumstances(
            device, engine.bfloat16(run.precision, device)
        ),
        "processes": accelerator.num_processes,
        "accumulation": run.accumulation,
        "compiled": kept["compiled"],
        "command": run.command,
    }
    if accelerator.is_main_process:
        if trial:
            records.write_whole(record, run.file("trial.json"))
        else:
            records.write(record, run.results)
        run.file("checkpoint").unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    return record


def build_table(run: Run) -> Path:
    r"""
    Asks a recipe's teacher about every view of every training image.

    Returns where the table is; later runs of the recipe find it there.
    Raises `ValueError` for a recipe without a teacher, or one that blends
    images, whose views cannot be counted; `TimeoutError` at the deadline.
    """
    if not run.recipe.teacher or run.recipe.mixup:
        raise ValueError(f"{run.name} cannot learn from a table")
    accelerator = _accelerator(run)
    if accelerator.num_processes > 1:
        raise ValueError(
            f"a table is built by one process, not by "
            f"{accelerator.num_processes}"
        )
    images, normalise = _images(run, accelerator)
    padding = run.recipe.padding
    path = run.teacher().table(run.recipe)
    table_of(
        _teacher_model(run, accelerator, images),
        images.images,
        normalise,
        padding=padding,
        path=path,
        bfloat16=native_bfloat16(accelerator.device),
        deadline=run.deadline,
        progress=lambda views: tqdm(views, disable=None, leave=False),
    )
    return path


def _accelerator(run: Run) -> Accelerator:
    return engine.accelerator(
        cpu=not torch.cuda.is_available(),
        log_with=run.log or None,
        project_dir=run.file("log"),
    )


def _open_log(run: Run, accelerator: Accelerator) -> None:
    # TensorBoard takes no grids, and names a run by its folder.
    settings = {
        key: value
        for key, value in asdict(run.recipe).items()
        if key not in PLAN
    }
    named = {"name": f"{run.name}-{run.size}-seed{run.seed}"}
    accelerator.init_trackers(
        "labkd", settings | {"seed": run.seed}, {"wandb": named}
    )


def _teacher(
    run: Run, accelerator: Accelerator, images: ImageSet, normalise: Normalise
) -> tuple[Teacher, dict | None]:
    if not run.recipe.teacher:
        return nobody, None
    model = _teacher_model(run, accelerator, images)
    said = {"recipe": run.recipe.teacher, "size": run.size, "seed": 0}
    padding = run.recipe.padding
    path = run.teacher().table(run.recipe)
    if run.recipe.mixup or not path.is_file():
        return live(model), said | {"asked": "live"}
    table = table_of(
        model, images.images, normalise, padding=padding, path=path
    )
    return recorded(table, padding=padding), said | {"asked": "table"}


def _teacher_model(
    student: Run, accelerator: Accelerator, images: ImageSet
) -> nn.Module:
    theirs = student.teacher()
    weights = theirs.file("weights.safetensors")
    # Its answers to the test images tell how often a student agrees.
    kept = (weights, theirs.file("logits.safetensors"))
    if not all(file.is_file() for file in kept):
        tell(
            accelerator,
            f"{theirs.name} has no weights in {theirs.folder} yet: it is "
            f"trained first, then {student.name}",
        )
        run(theirs)
    return outcomes.load_weights(weights, build(theirs.recipe, images))


def _judge(
    run: Run, model: nn.Module, normalise: Normalise, accelerator: Accelerator
) -> dict:
    # The test split is opened here, once, and decides nothing.
    test_set = load(run.recipe.dataset, "test").to(accelerator.device)
    answers = outcomes.answer(model, test_set.images, normalise)
    heads = {
        head: outcomes.evaluate(logits, test_set.labels)
        for head, logits in answers.items()
    }
    judged = {"test": heads.pop("together"), "heads": heads}
    if accelerator.is_main_process:
        validation = load(run.recipe.dataset, "validation")
        images = validation.images.to(accelerator.device)
        answers["validation"] = predict(model, images, normalise)
        _keep(run, model, answers)
    if run.recipe.teacher:
        theirs = checkpoints.read(run.teacher().file("logits.safetensors"))
        same = theirs["test"].argmax(1) == answers["together"].argmax(1).cpu()
        judged["agreement"] = same.double().mean().item()
    return judged


def _keep(run: Run, model: nn.Module, answers: dict[str, Tensor]) -> None:
    # The names that they have beside a record: of the test images, but one.
    names = {"together": "test", "class": "test_class", "token": "test_token"}
    logits = {names.get(key, key): value for key, value in answers.items()}
    decided = {"test": logits["test"].argmax(dim=1).to(torch.uint8)}
    outcomes.keep(logits, run.file("logits.safetensors"))
    outcomes.keep(model.state_dict(), run.file("weights.safetensors"))
    beside = records.path_of(run.name, run.size, run.seed, run.results)
    outcomes.keep(decided, beside.with_suffix(".predictions.safetensors"))
    if run.seed == 0:
        outcomes.keep(logits, beside.with_suffix(".logits.safetensors"))
