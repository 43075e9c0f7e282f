r"""
# Settings

`--set epochs=2` makes another recipe of one that is there. A recipe that could
not be run is refused before anything is read or trained: a number out of its
range, and fields that contradict each other, such as an objective that asks a
teacher in a recipe without one.
"""

import math
from dataclasses import asdict, fields, replace

from labkd.lab.recipes import (
    MUTUAL,
    OBJECTIVES,
    PIXELS,
    PLAN,
    SOFT,
    TAUGHT,
    Recipe,
)

# Beyond these, products of some are no longer the machine's integers.
LARGEST, WIDEST = 10**9, 10**4


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
        *("heads", "seeds", "shrink", "cohort", "repeats", "trial_seeds"),
    )
    shares = ("momentum", "drop_path", "teacher_weight", "correct_probability")
    sizes = (
        *("width", "depth", "heads", "mlp_ratio", "patch_size", "shrink"),
        *("padding", "cohort", "repeats", "views"),
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
    if objective not in ("token", "cross-entropy", "doubled") and token:
        raise ValueError(
            f"objective {objective!r} is for one head, not for two: it needs "
            "distillation_token=false"
        )
    if (objective in MUTUAL) != (recipe.cohort > 1):
        raise ValueError(
            f"objective {objective!r} does not go with cohort={recipe.cohort}"
        )
    if objective in (*SOFT, "virtual") and not recipe.temperature:
        raise ValueError("temperature must be above 0, got 0.0")
    # They change a table, and the views of a blend cannot be counted.
    if recipe.mixup and objective in SOFT[1:]:
        raise ValueError(f"objective {objective!r} needs mixup=false")
    # The labels of a blend are nobody's: only a teacher can be asked.
    if recipe.mixup and (not recipe.teacher or recipe.teacher_weight < 1):
        raise ValueError(
            "mixup=true needs a teacher and teacher_weight=1, got "
            f"teacher {recipe.teacher!r} and "
            f"teacher_weight={recipe.teacher_weight}"
        )


def _parse(key: str, kind: type, value: str) -> object:
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        return kind(value)
    except (KeyError, ValueError):
        raise ValueError(
            f"{key} must be of type {kind.__name__}, got {value!r}"
        ) from None
