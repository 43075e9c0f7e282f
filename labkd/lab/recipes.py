r"""
# Recipes

A recipe is everything about a run that could change its result, except the
seed: data, model, budget, optimizer, and what the student learns from. What
was decided before the first run stands in it too: how many seeds, from which
settings, against which other recipe. Those of the course are in
`recipes.toml`, by name, `METHOD-STUDENT_from_TEACHER-DATASET`, and size:
`laptop` for minutes of two CPU cores, `overnight` for hours of them, on all
training images, and `full` for one large GPU.
"""

import hashlib
import json
import tomllib
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

SIZES = ("laptop", "overnight", "full")
# Objectives that ask a teacher. `permuted` and `smoothing` are controls of
# `soft`, see `controls`.
SOFT = ("soft", "permuted", "smoothing")
# Other ways to compare logits, and what lies before them.
LOGITS = ("decoupled", "standardised", "correlations")
FEATURES = ("hint", "attention", "relations")
TAUGHT = (*SOFT, "argmax", "token", *LOGITS, *FEATURES)
MUTUAL = ("mutual", "mutual-ensemble")
# Grids, and the field that each of them is about.
GRIDS = {
    "learning_rates": "learning_rate",
    "temperatures": "temperature",
    "loss_weights": "teacher_weight",
    "added_weights": "added_weight",
    "betas": "beta",
}
# What was planned about the runs, and changes none of them.
PLAN = (*GRIDS, "trial_epochs", "trial_seeds", "tuned_as", "seeds", "baseline")

# Beyond these, products of some are no longer the machine's integers.
Count = Annotated[int, Field(ge=1, le=10**9)]
Optional = Annotated[int, Field(ge=0, le=10**9)]
Size = Annotated[int, Field(ge=1, le=10**4)]
Pixels = Annotated[int, Field(ge=0, le=10**4)]
Amount = Annotated[float, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]


STRICT = ConfigDict(allow_inf_nan=False, extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Recipe:
    r"""
    What is trained, on what, for how long, against what.

    * `dataset`: a name or folder that `data.load` takes
    * `training_images`: use so many, evenly from all classes; 0 for all
    * `image_size`: pixels to a side, as `data.load` takes it
    * `padding`: pixels around the image before the random crop
    * `mirror`: whether images are mirrored too; not for digits or text
    * `views`: each image is shown in so many views, drawn once, one an
      epoch; 0 for all views, drawn at random
    * `architecture`: a layout of `resnet.LAYOUTS`, `vit`, or `large_cnn` or
      `small_cnn` of `vgg`, which have a width of their own
    * `width`: channels after the stem, or numbers a token
    * `shrink`: the model sees so many times fewer pixels to a side
    * `cohort`: so many models of the recipe learn together
    * `patch_size`, `depth`, `heads`, `mlp_ratio`, `distillation_token`,
      `drop_path`: as `VisionTransformer` takes them; `vit` alone uses them
    * `epochs`, `batch_size`: the budget
    * `repeats`: an epoch shows every image so many times
    * `optimizer`: `sgd`, with Nesterov's momentum, or `adamw`
    * `learning_rate`: the peak, reached after a quarter of the steps
    * `annealing`: `linear` or `cos`, up to the peak and down to zero
    * `momentum`: of SGD, in 0 .. 1
    * `weight_decay`: under AdamW of weights alone, not of biases and tokens
    * `clip_norm`: the largest norm of a gradient; 0 for any
    * `objective`: what the student learns from
    * `teacher`: the recipe of the teacher, `module:callable` for one of
      your own, or nothing
    * `teacher_weights`, `teacher_pixels`: of your own one, as
      `own_teacher.make` takes them
    * `temperature`: $T$ of soft targets
    * `teacher_weight`: in 0 .. 1, of the term of the teacher, virtual or
      not, or of the peers
    * `added_weight`: of what is added to the cross-entropy: the decoupled
      loss, correlations, attention, relations, or the hint, which FitNets
      has to itself
    * `beta`: as `decoupled_loss` takes it
    * `student_layers`, `teacher_layers`: parts whose features are compared,
      in pairs
    * `hint_share`: in 0 .. 1, of the epochs, the first, for the hint alone
    * `correct_probability`, `smooth_teacher`: as `virtual_teacher_loss`
      takes them
    * `mixup`: blend images in pairs, the same for teacher and student
    * `learning_rates`: the grid, judged on the validation split
    * `temperatures`, `loss_weights`, `added_weights`, `betas`: a second
      grid, of all their combinations, at the rate that the first one chose,
      or that of `tuned_as`
    * `trial_epochs`: the budget of a trial; 0 for that of a run
    * `trial_seeds`: so many trials a point, judged by their mean
    * `tuned_as`: the recipe whose grid chose what no grid of its own does
    * `seeds`: how many runs are recorded, paired across recipes by seed
    * `baseline`: the recipe that this one is compared with, by the paired
      difference of test accuracies and its 95 % interval

    Raises `ValueError` for values out of range and for fields that contradict
    each other, such as an objective that asks a teacher without one.
    """

    dataset: str
    architecture: Literal[
        "resnet18", "resnet34", "resnet50", "vit", "large_cnn", "small_cnn"
    ]
    width: Size
    epochs: Count
    batch_size: Count
    learning_rate: Amount
    momentum: Share = 0.9
    weight_decay: Amount = 5e-4
    padding: Pixels = 4
    mirror: bool = True
    training_images: Optional = 0
    views: Pixels = 0
    image_size: Optional = 0
    repeats: Size = 1
    patch_size: Size = 4
    depth: Size = 6
    heads: Size = 4
    mlp_ratio: Annotated[float, Field(ge=0, le=10**4)] = 4.0
    distillation_token: bool = False
    drop_path: Share = 0.0
    shrink: Size = 1
    cohort: Size = 1
    optimizer: Literal["sgd", "adamw"] = "sgd"
    annealing: Literal["linear", "cos"] = "linear"
    clip_norm: Amount = 0.0
    objective: Literal[
        "cross-entropy",
        "doubled",
        "soft",
        "permuted",
        "smoothing",
        "argmax",
        "token",
        *LOGITS,
        *FEATURES,
        "mutual",
        "mutual-ensemble",
        "virtual",
    ] = "cross-entropy"
    teacher: str = ""
    teacher_weights: str = ""
    teacher_pixels: Literal["student", "imagenet", "unit", "half"] = "student"
    temperature: Amount = 1.0
    teacher_weight: Share = 0.0
    added_weight: Amount = 0.0
    beta: Amount = 0.0
    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()
    hint_share: Share = 0.0
    correct_probability: Share = 0.9
    smooth_teacher: bool = False
    mixup: bool = False
    learning_rates: tuple[float, ...] = ()
    temperatures: tuple[float, ...] = ()
    loss_weights: tuple[float, ...] = ()
    added_weights: tuple[float, ...] = ()
    betas: tuple[float, ...] = ()
    trial_epochs: Optional = 0
    trial_seeds: Count = 1
    tuned_as: str = ""
    seeds: Count = 1
    baseline: str = ""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Recipe":
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self


def _contradictions(recipe: Recipe):
    objective, teacher = recipe.objective, recipe.teacher
    own = recipe.teacher_weights or recipe.teacher_pixels != "student"
    if own and ":" not in teacher:
        yield (
            "teacher_weights and teacher_pixels are for a teacher of your "
            f"own, module:callable, got teacher {teacher!r}"
        )
    if (objective in TAUGHT) != bool(teacher):
        yield f"objective {objective!r} does not go with teacher {teacher!r}"
    if recipe.distillation_token and recipe.architecture != "vit":
        yield f"{recipe.architecture} has no distillation token"
    if objective == "token" and not recipe.distillation_token:
        yield "objective 'token' needs distillation_token=true"
    one_head = objective not in ("token", "cross-entropy", "doubled")
    if one_head and recipe.distillation_token:
        yield f"objective {objective!r} needs distillation_token=false"
    if (objective in MUTUAL) != (recipe.cohort > 1):
        yield (
            f"objective {objective!r} does not go with cohort={recipe.cohort}"
        )
    softened = (*SOFT, *LOGITS, "hint", "virtual")
    if objective in softened and not recipe.temperature:
        yield "temperature must be above 0, got 0.0"
    ours, theirs = len(recipe.student_layers), len(recipe.teacher_layers)
    if ours != theirs or (objective in FEATURES) != bool(ours):
        yield (
            f"objective {objective!r} does not go with {ours} layers of the "
            f"student and {theirs} of the teacher"
        )
    if objective in ("hint", "relations") and ours > 1:
        yield f"objective {objective!r} compares one pair of layers"
    if objective in FEATURES and ":" in teacher:
        yield f"objective {objective!r} needs a teacher of a recipe"
    # They change a table, and the views of a blend cannot be counted, or
    # they need the labels, and those of a blend are nobody's.
    if recipe.mixup and objective in (*SOFT[1:], *LOGITS, *FEATURES):
        yield f"objective {objective!r} needs mixup=false"
    # The labels of a blend are nobody's: only a teacher can be asked.
    if recipe.mixup and (not teacher or recipe.teacher_weight < 1):
        yield (
            "mixup=true needs a teacher and teacher_weight=1, got teacher "
            f"{teacher!r} and teacher_weight={recipe.teacher_weight}"
        )


def change(recipe: Recipe, settings: list[str]) -> Recipe:
    r"""
    A recipe with some fields set anew.

    * `settings`: strings `key=value`, such as `epochs=2`

    Raises `ValueError` for a key that cannot be set, with the nearest that
    can, and for a value that does not fit.
    """
    keys = [f.name for f in fields(recipe) if f.name not in PLAN]
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if key not in keys:
            near = get_close_matches(key, keys, n=3, cutoff=0.0)
            raise ValueError(
                f"no setting {key!r}; the nearest are: {', '.join(near)}"
            )
        if not equals:
            raise ValueError(f"expected {key}=value, got {setting!r}")
        changes[key] = value
    try:
        return replace(recipe, **changes)
    except ValidationError as error:
        raise ValueError(_in_words(error)) from None


def _in_words(error: ValidationError) -> str:
    # Without the library's own lines about itself.
    lines = []
    for each in error.errors():
        message = each["msg"].removeprefix("Value error, ")
        where = ".".join(map(str, each["loc"]))
        given = f"{where}: {message}, got {each['input']!r}"
        lines.append(given if where else message)
    return "; ".join(lines)


def digest(recipe: Recipe) -> str:
    r"""
    Eight letters that stand for a recipe: files of runs carry them.

    Fields at their default do not count, so that a field more, which leaves
    old recipes as they were, leaves their files valid. Nor does the plan.
    """
    text = json.dumps(essentials(recipe), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def asks_live(recipe: Recipe) -> bool:
    r"""Whether no table can stand in for the teacher: of blends, features."""
    return recipe.mixup or recipe.objective in FEATURES


def essentials(recipe: Recipe) -> dict:
    r"""The fields of a recipe that change its runs, without the defaults."""
    return {
        field.name: getattr(recipe, field.name)
        for field in fields(recipe)
        if getattr(recipe, field.name) != field.default
        and field.name not in PLAN
    }


def shown(recipe: Recipe) -> str:
    r"""Which images a recipe shows, in which views, as names of files."""
    images = recipe.training_images or "all"
    views = f"-views{recipe.views}" if recipe.views else ""
    mirror = "" if recipe.mirror else "-unmirrored"
    return f"{images}-padding{recipe.padding}{views}{mirror}"


def read_recipes(
    path: Path,
) -> tuple[dict[str, dict[str, Recipe]], list, list]:
    r"""
    The recipes of a TOML file by name and size, their order of recording,
    and the patterns of names that belong to chapters.

    `like = "NAME SIZE"` begins with the fields of another recipe, which
    stands further up.
    """
    kept = tomllib.loads(path.read_text("utf-8"))
    wanted, chapters = kept.pop("wanted"), kept.pop("chapters")
    recipes = {}
    for name, sizes in kept.items():
        recipes[name] = {}
        for size, own in sizes.items():
            like = own.pop("like", "")
            if not like:
                recipes[name][size] = Recipe(**own)
                continue
            other, its_size = like.split()
            recipes[name][size] = replace(recipes[other][its_size], **own)
    return recipes, [tuple(group) for group in wanted], chapters


RECIPES, WANTED, CHAPTERS = read_recipes(
    Path(__file__).with_name("recipes.toml")
)


def find(name: str, size: str) -> Recipe:
    r"""
    The recipe of a name at a size.

    Raises `ValueError` for a name or a size that does not exist.
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.0)
        raise ValueError(
            f"no recipe {name!r}; the nearest are: {', '.join(near)} "
            "(python -m labkd list names all)"
        )
    if size not in RECIPES[name]:
        raise ValueError(
            f"{name} has no size {size!r}; it has: {', '.join(RECIPES[name])}"
        )
    return RECIPES[name][size]
