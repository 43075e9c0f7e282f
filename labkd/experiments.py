r"""
# Running a recipe

From a name to a record: the data, the model, the loop, and one look at the
test images after the last epoch. Everything is written at the end and at
once, so that an interrupted run leaves the records as they were.
"""

import platform
import subprocess
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

import labkd
from labkd import records
from labkd.calibration import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from labkd.data import ImageSet, load
from labkd.recipes import Recipe
from labkd.resnet import ResNet
from labkd.training import (
    Normalise,
    cross_entropy,
    fit,
    native_bfloat16,
    predict,
)


def run(
    name: str,
    recipe: Recipe,
    *,
    size: str,
    seed: int,
    command: str,
    results: Path,
) -> dict:
    r"""
    Train a recipe, score it on the test images once, write its record.

    * `name`: the recipe's
    * `size`: the recipe's, for the record
    * `seed`: at least 0; initial values, order of images and views
    * `command`: the command that repeats this run, for the record
    * `results`: where the record, the logits and the weights are written

    Returns the record. Raises what `load` raises when data is missing.
    """
    started = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training_set = load(recipe.dataset, "train").to(device)
    validation_set = load(recipe.dataset, "validation").to(device)
    torch.manual_seed(seed)
    model = build(recipe, training_set)
    normalise = Normalise.of(training_set.images)
    bfloat16 = native_bfloat16(device)
    epochs = []
    for epoch in _epochs(model, recipe, training_set, seed, bfloat16):
        logits = predict(model, validation_set.images, normalise)
        scores = evaluate(logits, validation_set.labels)
        epochs.append(epoch | {"validation": scores})
        tqdm.write(
            f"epoch {epoch['epoch']}/{recipe.epochs}: loss "
            f"{epoch['loss']:.3f}, validation accuracy "
            f"{scores['accuracy']:.4f}, {epoch['seconds']:.0f} s"
        )
    # The test split is opened here, once, and decides nothing.
    test_set = load(recipe.dataset, "test").to(device)
    test_logits = predict(model, test_set.images, normalise)
    record = {
        "recipe": name,
        "size": size,
        "seed": seed,
        "dataset": recipe.dataset,
        "source": training_set.source,
        "config": asdict(recipe),
        "epochs": epochs,
        "test": evaluate(test_logits, test_set.labels),
        "seconds": time.perf_counter() - started,
        "device": _name_of(device),
        "precision": "bfloat16 autocast" if bfloat16 else "float32",
        "versions": _versions(),
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
    }
    path = records.path_of(name, size, seed, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"validation": logits, "test": test_logits}
    _save(kept, path.with_suffix(".logits.safetensors"))
    weights = Path("runs") / name / f"{size}-seed{seed}.weights.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    _save(model.state_dict(), weights)
    records.write(record, results)
    return record


def build(recipe: Recipe, training_set: ImageSet) -> nn.Module:
    r"""The untrained model of a recipe, sized for the data and beside it."""
    model = ResNet(
        recipe.architecture,
        num_classes=len(training_set.class_names),
        width=recipe.width,
        in_channels=training_set.images.shape[1],
    )
    device = training_set.images.device
    return model.to(device, memory_format=torch.channels_last)


def evaluate(logits: Tensor, labels: Tensor) -> dict[str, float]:
    r"""Accuracy, NLL, ECE and Brier score of (images, classes) logits."""
    probabilities = torch.softmax(logits.double(), dim=1)
    hits = logits.argmax(dim=1) == labels
    return {
        "accuracy": hits.double().mean().item(),
        "nll": negative_log_likelihood(logits, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "brier": brier_score(probabilities, labels),
    }


def _epochs(model, recipe, training_set, seed, bfloat16):
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )
    batches = -(-len(training_set) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=recipe.epochs * batches,
        pct_start=0.25,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    return fit(
        model,
        training_set,
        optimizer,
        schedule,
        objective=cross_entropy,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        padding=recipe.padding,
        seed=seed,
        bfloat16=bfloat16,
        progress=lambda batches: tqdm(batches, disable=None, leave=False),
    )


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    halves = {
        key: (value.half() if value.is_floating_point() else value)
        .contiguous()
        .cpu()
        for key, value in tensors.items()
    }
    part = path.with_name(path.name + ".part")
    save_file(halves, part)
    part.replace(path)


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    flags = getattr(torch.cpu, "get_capabilities", dict)()
    name = flags.get("cpu_name") or platform.processor() or "CPU"
    return f"{name}, {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    return {
        "labkd": labkd.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


def _commit() -> str:
    # Outside a checkout the version of the package has to stand for it.
    folder = Path(__file__).parent
    git = ["git", "-C", str(folder)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "*.py"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"labkd {labkd.__version__}"
    return f"{head} with changes" if changed else head
