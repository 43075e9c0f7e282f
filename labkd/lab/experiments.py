r"""
# Running a recipe

From a name to a record: data, model, teacher, loop, and one look at the test
images after the last epoch. Every epoch leaves a checkpoint, and the same call
goes on from it; records are written at the end and at once, so that an
interrupted run leaves the old ones as they were.
"""

import time
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from labkd import records
from labkd.controls import (
    mean_entropy,
    permute_wrong_classes,
    smoothed_logits,
)
from labkd.data import ImageSet
from labkd.lab import (
    checkpoints,
    engine,
    outcomes,
    store,
    validate_teacher,
)
from labkd.lab.building import bank_of, build, some_of, split_of
from labkd.lab.checkpoints import check_folder, claimed
from labkd.lab.launching import Run, tell, train
from labkd.lab.own_teacher import brings_teacher
from labkd.lab.recipes import FEATURES, PLAN, Recipe, asks_live
from labkd.lab.teachers import Teacher, live, no_teacher, recorded, table_of
from labkd.lab.watched import live_features
from labkd.pixels import Normalise, predict
from labkd.views import precision_of


def run(run: Run, *, trial: bool = False) -> dict:
    r"""
    Train, score on the test images once, write the record.

    * `trial`: leave the test images shut, and write the scores on the
      validation images beside the checkpoint: to choose a learning rate

    Returns the record. Raises `TimeoutError` at the deadline, when the same
    call goes on from there; `BlockingIOError` when another process is at the
    same run; `OSError` when something cannot be written; `ValueError` for a
    file that is damaged; what `load` raises when data is missing.
    """
    accelerator = accelerator_of(run)
    # What one process unpacks or downloads, the others find there.
    with accelerator.main_process_first():
        seen = images_of(run, accelerator)
    main = accelerator.is_main_process
    with claimed(run.file("lock")) if main else nullcontext():
        if main and not trial:
            # Before hours of training, and not after them.
            check_folder(run.results)
        if run.log:
            _open_log(run, accelerator)
        record = _record(run, accelerator, trial, *seen)
    for log in accelerator.trackers:
        log.finish()
    return record


def images_of(
    run: Run, accelerator: Accelerator
) -> tuple[ImageSet, Normalise]:
    r"""The training images of a run, on its device, and their statistics."""
    whole = split_of(run.recipe, "train").to(accelerator.device)
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
    teacher, source = teacher_of(run, accelerator, images, normalise)
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
        # Whoever uses its weights needs the statistics of its pixels.
        "pixels": {
            "mean": normalise.mean.tolist(),
            "deviation": normalise.deviation.tolist(),
        },
        "image_shape": list(images.images.shape[1:]),
        "classes": list(images.class_names),
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
            store.write_whole(record, run.file("trial.json"))
        else:
            store.write(record, run.results)
        checkpoints.remove(run.file("checkpoint"))
    accelerator.wait_for_everyone()
    return record


def build_table(run: Run) -> Path:
    r"""
    Asks a recipe's teacher about every view of every training image.

    Returns where the table is; later runs of the recipe find it there.
    Raises `ValueError` for a recipe without a teacher, or one whose teacher
    has to be asked anew about every batch; `TimeoutError` at the deadline.
    """
    if not run.recipe.teacher or asks_live(run.recipe):
        raise ValueError(f"{run.name} cannot learn from a table")
    accelerator = accelerator_of(run)
    if accelerator.num_processes > 1:
        raise ValueError(
            f"a table is built by one process, not by "
            f"{accelerator.num_processes}"
        )
    images, normalise = images_of(run, accelerator)
    model, _, path = _teacher(run, accelerator, images, normalise)
    _table(run, model, images, normalise, path)
    return path


def _table(
    run: Run,
    model: nn.Module,
    images: ImageSet,
    normalise: Normalise,
    path: Path,
) -> Tensor:
    lock = claimed(path.with_name(f"{path.name}.lock"))
    # Once it is there, any number of students may read it.
    with nullcontext() if path.is_file() else lock:
        return table_of(
            model,
            images.images,
            normalise,
            bank_of(run.recipe, images),
            path=path,
            bfloat16=engine.bfloat16(run.precision, images.images.device),
            deadline=run.deadline,
            progress=lambda columns: tqdm(columns, disable=None, leave=False),
        )


def accelerator_of(run: Run) -> Accelerator:
    r"""What knows the device and the other processes of a run."""
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


def teacher_of(
    run: Run, accelerator: Accelerator, images: ImageSet, normalise: Normalise
) -> tuple[Teacher, dict | None]:
    r"""The teacher of a run, and what its record says of it, or nobody."""
    if not run.recipe.teacher:
        return no_teacher, None
    model, said, path = _teacher(run, accelerator, images, normalise)
    recipe = run.recipe
    if recipe.objective in FEATURES:
        teacher = live_features(model, recipe.teacher_layers)
        return teacher, said | {"asked": "live"}
    # A bank asks no more of a teacher than one student does.
    banked = recipe.views or recipe.objective in ("permuted", "smoothing")
    if asks_live(recipe) or not (banked or path.is_file()):
        return live(model), said | {"asked": "live"}
    with accelerator.main_process_first():
        table = _table(run, model, images, normalise, path)
    if brings_teacher(recipe):
        bank = bank_of(recipe, images)
        validate_teacher.check_table(
            table, model, images.images, normalise, bank
        )
    said["asked"] = "table"
    if (precision := precision_of(path)) != "float32":
        said["precision"] = precision
    table = _controlled(table, images.labels, recipe)
    return recorded(table), said


def _controlled(table: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    # What the teacher said, or what is said in its place.
    images, views, classes = table.shape
    rows = table.view(images * views, classes)
    each = labels.repeat_interleave(views)
    if recipe.objective == "permuted":
        generator = torch.Generator().manual_seed(0)
        rows = permute_wrong_classes(rows, each, generator=generator)
    elif recipe.objective == "smoothing":
        settings = {"temperature": recipe.temperature}
        entropy = mean_entropy(rows, **settings)
        rows = smoothed_logits(each, classes, entropy=entropy, **settings)
    return rows.view(images, views, classes)


def _teacher(
    run: Run, accelerator: Accelerator, images: ImageSet, normalise: Normalise
) -> tuple[nn.Module, dict, Path]:
    # The model, what a record says of it, and where its table is.
    recipe = run.recipe
    if not brings_teacher(recipe):
        said = {"recipe": recipe.teacher, "size": run.size, "seed": 0}
        model = _teacher_model(run, accelerator, images)
        # Trained anew on another machine, it is another teacher.
        said["sha256"] = validate_teacher.sha256_of(model)
        return model, said, run.teacher().table(recipe)
    names = images.class_names
    model, said, told = validate_teacher.bring(recipe, names, normalise)
    tell(accelerator, told)
    table = validate_teacher.table_name(recipe, said)
    return model, said, run.folder / run.name / table


def _teacher_model(
    student: Run, accelerator: Accelerator, images: ImageSet
) -> nn.Module:
    theirs = student.teacher()
    weights, logits = theirs.learned()
    kept = (weights, logits)
    if not all(file.is_file() for file in kept):
        tell(
            accelerator,
            f"{theirs.name} has no weights in {theirs.folder} yet: it is "
            f"trained first, then {student.name}",
        )
        run(theirs)
    elif checkpoints.exist(theirs.file("checkpoint")):
        # It was killed after its weights and before its record. Or another
        # process is at it still, which ends without help.
        with suppress(BlockingIOError):
            run(theirs)
    # They are wanted after the last epoch, and better missed before the first.
    outcomes.decided(logits)
    return outcomes.load_weights(weights, build(theirs.recipe, images))


def _judge(
    run: Run, model: nn.Module, normalise: Normalise, accelerator: Accelerator
) -> dict:
    # The test split is opened here, once, and decides nothing.
    test_set = split_of(run.recipe, "test").to(accelerator.device)
    answers = outcomes.answer(model, test_set.images, normalise)
    heads = {
        head: outcomes.evaluate(logits, test_set.labels)
        for head, logits in answers.items()
    }
    judged = {"test": heads.pop("together"), "heads": heads}
    if accelerator.is_main_process:
        validation = split_of(run.recipe, "validation")
        images = validation.images.to(accelerator.device)
        answers["validation"] = predict(model, images, normalise)
        _keep(run, model, answers)
    if run.recipe.teacher:
        ours = answers["together"].argmax(1).cpu()
        if brings_teacher(run.recipe):
            answered = validate_teacher.answers(
                run.recipe, test_set, normalise
            )
            theirs = answered.argmax(1).cpu()
        else:
            _, path = run.teacher().learned()
            theirs = outcomes.decided(path, len(ours))
        same = theirs == ours
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
