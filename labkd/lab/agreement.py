r"""
# The same everywhere

One training, computed in several ways: by one process or two, with a batch
as a whole or in parts, in single precision or with products in bfloat16,
compiled or not. Seed, images, views and the images of each batch are the
same, so whatever differs is the arithmetic. Here stands how far that may
carry the losses of 50 steps apart, and why; how far it did is in the record
that scale writes.
"""

from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor

from labkd.data import load
from labkd.lab import engine
from labkd.lab.building import (
    bank_of,
    build,
    objective_of,
    optimizer_of,
    some_of,
)
from labkd.lab.recipes import Recipe, find
from labkd.lab.teachers import no_teacher
from labkd.pixels import Normalise
from labkd.training import fit

# Ten batches of 64 images, five times. Nobody reads these digits: they may be
# mirrored.
STEPS, IMAGES, EPOCHS, SEED = 50, 640, 5, 0
LEARNING_RATES = {"vit": 0.004, "resnet": 0.1}
MODELS = {"vit": "scratch-vit-digits", "resnet": "teacher-resnet18-digits"}
ROUNDING = (
    "The same sums in another order are rounded differently. Of the weights "
    "the biases of the keys differ most: no output depends on them, so their "
    "gradient is all rounding, and AdamW makes whole steps of it."
)
BFLOAT16 = (
    "bfloat16 keeps 8 bits of a factor where float32 keeps 24; the weights "
    "and their updates stay in float32."
)
SHARES = (
    "BatchNorm takes mean and variance of the images that pass together: of "
    "half a batch they are others, and so is the training. (Torch's "
    "SyncBatchNorm takes those of all processes, and refuses a CPU.)"
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    r"""
    One way to compute the same training.

    * `setting`: what it is called
    * `model`: of `MODELS`
    * `processes`, `accumulation`: parts of a batch, of several processes and
      one after another
    * `precision`: `float32` or `bfloat16`; `compiled`: by torch.compile
    * `tolerance`: how far its losses may be from the reference's, in nats;
      nothing if they are expected to differ
    * `reason`: why so far
    """

    setting: str
    model: str = "vit"
    processes: int = 1
    accumulation: int = 1
    precision: str = "float32"
    compiled: bool = False
    tolerance: float | None = 1e-5
    reason: str = ROUNDING


SETTINGS = (
    Setting(
        setting="one process", tolerance=0.0, reason="This is the reference."
    ),
    Setting(setting="two processes", processes=2),
    Setting(setting="two parts, one after the other", accumulation=2),
    Setting(setting="four parts, one after the other", accumulation=4),
    Setting(setting="compiled", compiled=True),
    Setting(
        setting="bfloat16",
        precision="bfloat16",
        tolerance=0.1,
        reason=BFLOAT16,
    ),
    Setting(
        setting="two processes, bfloat16",
        processes=2,
        precision="bfloat16",
        tolerance=0.1,
        reason=BFLOAT16,
    ),
    Setting(
        setting="BatchNorm: one process",
        model="resnet",
        tolerance=0.0,
        reason="This is the reference of the two below.",
    ),
    Setting(
        setting="BatchNorm: two processes",
        model="resnet",
        processes=2,
        tolerance=None,
        reason=SHARES,
    ),
    Setting(
        setting="BatchNorm: two parts, one after the other",
        model="resnet",
        accumulation=2,
        tolerance=None,
        reason=SHARES,
    ),
)


def recipe_of(model: str) -> Recipe:
    r"""The recipe that all settings of a model, of `MODELS`, train."""
    recipe = find(MODELS[model], "laptop")
    return replace(
        recipe,
        epochs=EPOCHS,
        training_images=IMAGES,
        learning_rate=LEARNING_RATES[model],
        mirror=True,
    )


def trained(setting: Setting) -> tuple[list[float], list[float]]:
    r"""
    Train in one way; each of several processes calls it.

    Returns the loss of every step, over all processes, in nats, and all
    weights afterwards.
    """
    torch.set_num_threads(1)
    accelerator = engine.accelerator(cpu=True)
    recipe, whole = recipe_of(setting.model), load("digits", "train")
    images = some_of(whole, recipe.training_images)
    torch.manual_seed(SEED)
    model = build(recipe, images)
    optimizer, schedule = optimizer_of(recipe, model, len(images))
    objective, losses = objective_of(recipe), []

    def told(outputs: Tensor, nothing: None, labels: Tensor) -> Tensor:
        loss = objective(outputs, nothing, labels)
        losses.append(loss.detach().double() * len(labels))
        return loss

    for _ in fit(
        engine.launched(model, accelerator, compiled=setting.compiled),
        images,
        optimizer,
        schedule,
        normalise=Normalise.of(whole.images),
        objective=told,
        teacher=no_teacher,
        generator=torch.Generator().manual_seed(SEED),
        epochs=range(1, recipe.epochs + 1),
        batch_size=recipe.batch_size,
        bank=bank_of(recipe, images),
        clip_norm=recipe.clip_norm,
        bfloat16=setting.precision == "bfloat16",
        accumulation=setting.accumulation,
        share=(accelerator.process_index, accelerator.num_processes),
    ):
        pass
    sums = torch.stack(losses).view(-1, setting.accumulation).sum(1)
    if accelerator.num_processes > 1:
        dist.all_reduce(sums)
        dist.destroy_process_group()
    weights = [p.detach().flatten() for p in model.parameters()]
    return (sums / recipe.batch_size).tolist(), torch.cat(weights).tolist()


def row(setting: Setting, reference: tuple | None) -> tuple[dict, tuple]:
    r"""
    Train in one way and compare.

    * `reference`: what `trained` returned for the reference, if any

    Returns the fields of the setting with `loss_difference` and
    `weight_difference`, the largest absolute ones, or nothing and the reason
    where the machine cannot compute so; and what `trained` returned.
    """
    fields = dict(vars(setting))
    if setting.compiled and not engine.compiler():
        missing = "Not available: torch.compile needs a C++ compiler"
        empty = {"loss_difference": None, "weight_difference": None}
        return fields | {"reason": missing} | empty, ()
    alone = setting.processes == 1
    found = (
        trained(setting)
        if alone
        else engine.together(setting.processes, trained, setting)
    )
    apart = [
        _apart(*pair) for pair in zip(found, reference or found, strict=True)
    ]
    names = ("loss_difference", "weight_difference")
    return fields | dict(zip(names, apart, strict=True)), found


def _apart(first: list[float], second: list[float]) -> float:
    pairs = zip(first, second, strict=True)
    return max(abs(a - b) for a, b in pairs)
