r"""
# Recipes

A recipe is everything about a run that could change its result, except the
seed: data, model, budget, optimizer, and what the student learns from. It is
frozen. What was decided before the first run stands in it too: how many
seeds, from which learning rates, against which other recipe. The recipes of
the course are in `arms`, and `--set` changes
one of their settings; records hold the recipe they
were made with, and a test compares the two.
"""

import hashlib
import json
from dataclasses import dataclass, fields

# Objectives that ask a teacher, and those that need none.
# `permuted` and `smoothing` are controls of `soft`, see `controls`.
SOFT = ("soft", "permuted", "smoothing")
TAUGHT = (*SOFT, "argmax", "token")
MUTUAL = ("mutual", "mutual-ensemble")
OBJECTIVES = ("cross-entropy", "doubled", *TAUGHT, *MUTUAL, "virtual")
# How pixels may be normalised for a teacher of one's own.
PIXELS = ("student", "imagenet", "unit", "half")
# What was planned about the runs, and changes none of them.
PLAN = (
    *("learning_rates", "temperatures", "loss_weights", "trial_epochs"),
    *("trial_seeds", "tuned_as", "seeds", "baseline"),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    r"""
    What is trained, on what, for how long, against what.

    * `dataset`: a name or folder that `data.load` takes
    * `training_images`: use so many, evenly from all classes; 0 for all
    * `image_size`: pixels to a side, as `data.load` takes it
    * `padding`: pixels around the image before the random crop
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
    * `temperatures`, `loss_weights`: a second grid, of $T$ and of
      `teacher_weight`, at the rate that the first one chose
    * `trial_epochs`: the budget of a trial; 0 for that of a run
    * `trial_seeds`: so many trials a point, judged by their mean
    * `tuned_as`: the recipe whose grid chose what no grid of its own does
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
    views: int = 0
    image_size: int = 0
    repeats: int = 1
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
    temperatures: tuple[float, ...] = ()
    loss_weights: tuple[float, ...] = ()
    trial_epochs: int = 0
    trial_seeds: int = 1
    tuned_as: str = ""
    seeds: int = 1
    baseline: str = ""


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
