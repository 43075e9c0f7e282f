r"""
# Recipes

A recipe is everything about a run that could change its result, except the
seed: data, model, budget, optimizer, and what the student learns from. It is
frozen. What was decided before the first run stands in it too: how many
seeds, from which learning rates, against which other recipe. The recipes of
the course are in [`arms`](../labkd/arms.py); records hold the recipe they
were made with, and a test compares the two.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields, replace

# Objectives that ask a teacher, and those that need none.
TAUGHT = ("soft", "argmax", "token")
MUTUAL = ("mutual", "mutual-ensemble")
OBJECTIVES = ("cross-entropy", *TAUGHT, *MUTUAL, "virtual")
# How pixels may be normalised for a teacher of one's own.
PIXELS = ("student", "imagenet", "unit", "half")
# What was planned about the runs, and changes none of them.
PLAN = ("learning_rates", "seeds", "baseline")
# Beyond these, products of some are no longer the machine's integers.
LARGEST, WIDEST = 10**9, 10**4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    r"""
    What is trained, on what, for how long, against what.

    * `dataset`: a name or folder that `data.load` takes
    * `training_images`: use so many, evenly from all classes; 0 for all
    * `image_size`: pixels to a side, as `data.load` takes it
    * `padding`: pixels around the image before the random crop
    * `architecture`: a layout of `resnet.LAYOUTS`, `vit`, or `large_cnn` or
      `small_cnn` of `vgg`, which have a width of their own
    * `width`: channels after the stem, or numbers a token
    * `shrink`: the model sees so many times fewer pixels to a side
    * `cohort`: so many models of the recipe learn together
    * `patch_size`, `depth`, `heads`, `mlp_ratio`, `distillation_token`,
      `drop_path`: as `VisionTransformer` takes them; `vit` alone uses them
    * `epochs`, `batch_size`: the budget
    * `optimizer`: `sgd`, with Nesterov's momentum, or `adamw`
    * `learning_rate`: the peak, reached after a quarter of the steps
    * `annealing`: `linear` or `cos`, up to the peak and down to zero
    * `momentum`: of SGD, in 0 .. 1
    * `weight_decay`: under AdamW of weights alone, not of biases and tokens
    * `clip_norm`: the largest norm of a gradient; 0 for any
    * `objective`: one of `OBJECTIVES`
    * `teacher`: the recipe of the teacher, `module:callable` for one of
      your own, or nothing
    * `teacher_weights`, `teacher_pixels`: of your own one, as
      `own_teacher.make` takes them
    * `temperature`: $T$ of soft targets
    * `teacher_weight`: in 0 .. 1, of the term of the teacher, virtual or
      not, or of the peers
    * `correct_probability`, `smooth_teacher`: as `virtual_teacher_loss`
      takes them
    * `mixup`: blend images in pairs, the same for teacher and student
    * `learning_rates`: the grid, judged on the validation split
    * `seeds`: how many runs are recorded, paired across recipes by seed
    * `baseline`: the recipe that this one is compared with, by the paired
      difference of test accuracies and its 95 % interval
    """

    dataset: str
    architecture: str
    width: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    padding: int = 4
    training_images: int = 0
    image_size: int = 0
    patch_size: int = 4
    depth: int = 6
    heads: int = 4
    mlp_ratio: float = 4.0
    distillation_token: bool = False
    drop_path: float = 0.0
    shrink: int = 1
    cohort: int = 1
    optimizer: str = "sgd"
    annealing: str = "linear"
    clip_norm: float = 0.0
    objective: str = "cross-entropy"
    teacher: str = ""
    teacher_weights: str = ""
    teacher_pixels: str = "student"
    temperature: float = 1.0
    teacher_weight: float = 0.0
    correct_probability: float = 0.9
    smooth_teacher: bool = False
    mixup: bool = False
    learning_rates: tuple[float, ...] = ()
    seeds: int = 1
    baseline: str = ""


def change(recipe: Recipe, settings: list[str]) -> Recipe:
    r"""
    A recipe with some fields set anew.

    * `settings`: strings `key=value`, such as `epochs=2`

    Raises `ValueError` for a key that cannot be set, a value of another type
    or fields that contradict each other.
    """
    types = {f.name: f.type for f in fields(recipe) if f.name not in PLAN}
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in types:
            raise ValueError(
                f"expected key=value with a key of {', '.join(types)}, "
                f"got {setting!r}"
            )
        changes[key] = _parse(key, types[key], value)
    changed = replace(recipe, **changes)
    check(changed)
    return changed


def check(recipe: Recipe) -> None:
    r"""Raises `ValueError` for a recipe that cannot be run."""
    positive = (
        *("width", "epochs", "batch_size", "patch_size", "depth"),
        *("heads", "seeds", "shrink", "cohort"),
    )
    shares = ("momentum", "drop_path", "teacher_weight", "correct_probability")
    sizes = (
        *("width", "depth", "heads", "mlp_ratio", "patch_size", "shrink"),
        *("padding", "cohort"),
    )
    for key, value in asdict(recipe).items():
        if not isinstance(value, int | float):
            continue
        least = 1 if key in positive else 0
        if not least <= value < math.inf:
            raise ValueError(
                f"{key} must be finite and at least {least}, got {value}"
            )
        most = WIDEST if key in sizes else LARGEST
        if value > most:
            raise ValueError(f"{key} must be at most {most}, got {value}")
        if key in shares and value > 1:
            raise ValueError(f"{key} must be at most 1, got {value}")
    choices = {
        "optimizer": ("sgd", "adamw"),
        "annealing": ("linear", "cos"),
        "objective": OBJECTIVES,
        "teacher_pixels": PIXELS,
    }
    for key, allowed in choices.items():
        if getattr(recipe, key) not in allowed:
            raise ValueError(
                f"{key} must be one of {', '.join(allowed)}, got "
                f"{getattr(recipe, key)!r}"
            )
    _check_objective(recipe)


def _check_objective(recipe: Recipe) -> None:
    own = recipe.teacher_weights or recipe.teacher_pixels != "student"
    if own and ":" not in recipe.teacher:
        raise ValueError(
            "teacher_weights and teacher_pixels are for a teacher of your "
            f"own, module:callable, got teacher {recipe.teacher!r}"
        )
    objective, token = recipe.objective, recipe.distillation_token
    if (objective in TAUGHT) != bool(recipe.teacher):
        raise ValueError(
            f"objective {objective!r} does not go with teacher "
            f"{recipe.teacher!r}"
        )
    if token and recipe.architecture != "vit":
        raise ValueError(f"{recipe.architecture} has no distillation token")
    if objective == "token" and not token:
        raise ValueError("objective 'token' needs distillation_token=true")
    if objective not in ("token", "cross-entropy") and token:
        raise ValueError(
            f"objective {objective!r} is for one head, not for two: it needs "
            "distillation_token=false"
        )
    if (objective in MUTUAL) != (recipe.cohort > 1):
        raise ValueError(
            f"objective {objective!r} does not go with cohort={recipe.cohort}"
        )
    if objective in ("soft", "virtual") and not recipe.temperature:
        raise ValueError("temperature must be above 0, got 0.0")
    # The labels of a blend are nobody's: only a teacher can be asked.
    if recipe.mixup and (not recipe.teacher or recipe.teacher_weight < 1):
        raise ValueError(
            "mixup=true needs a teacher and teacher_weight=1, got "
            f"teacher {recipe.teacher!r} and "
            f"teacher_weight={recipe.teacher_weight}"
        )


def digest(recipe: Recipe) -> str:
    r"""
    Eight letters that stand for a recipe: files of runs carry them.

    Fields at their default do not count, so that a field more, which leaves
    old recipes as they were, leaves their files valid. Nor does the plan.
    """
    text = json.dumps(essentials(recipe), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def essentials(recipe: Recipe) -> dict:
    r"""The fields of a recipe that change its runs, without the defaults."""
    return {
        field.name: getattr(recipe, field.name)
        for field in fields(recipe)
        if getattr(recipe, field.name) != field.default
        and field.name not in PLAN
    }


def _parse(key: str, kind: type, value: str) -> object:
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        return kind(value)
    except (KeyError, ValueError):
        raise ValueError(
            f"{key} must be of type {kind.__name__}, got {value!r}"
        ) from None
