r"""
# From a recipe to its parts

The images, the untrained model, the optimizer, the schedule and the objective
that a recipe asks for. Nothing here trains, and nothing but the seed and the
recipe decides what comes out.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from labkd import vgg
from labkd.cross_quality import FewerPixels
from labkd.data import NAMES, ImageSet, load
from labkd.decoupled import (
    correlation_loss,
    decoupled_loss,
    standardised_loss,
)
from labkd.distillation_token import hard_distillation_loss, token_loss
from labkd.lab.recipes import FEATURES, MUTUAL, SOFT, Recipe
from labkd.lab.teachers import Objective
from labkd.lab.watched import feature_objective, hint_objective
from labkd.mutual_learning import Cohort, mutual_learning_loss
from labkd.resnet import ResNet
from labkd.soft_targets import distillation_loss
from labkd.views import Bank
from labkd.virtual_teacher import virtual_teacher_loss
from labkd.vit import VisionTransformer

# That a folder of images is trained on, if nothing else is asked for.
LEAST_STEPS = 1_000
PLAIN = {"large_cnn": vgg.large_cnn, "small_cnn": vgg.small_cnn}


def some_of(images: ImageSet, count: int) -> ImageSet:
    r"""
    The first images of every class, as many of each: no draw, no seed.

    * `count`: in all; 0, or more than there are, for all

    Raises `ValueError` for fewer than one of each class.
    """
    if not count:
        return images
    classes = len(images.class_names)
    if count < classes:
        raise ValueError(
            f"{count} training images cannot show all {classes} classes"
        )
    kept = []
    for label in range(classes):
        members = torch.nonzero(images.labels == label).flatten()
        kept.append(members[: count // classes])
    return images.take(torch.cat(kept))


def split_of(recipe: Recipe, split: str) -> ImageSet:
    r"""The images of a recipe in `train`, `validation` or `test`."""
    return load(recipe.dataset, split, image_size=recipe.image_size)


def fit_to_images(recipe: Recipe, given: set[str]) -> list[str]:
    r"""
    Settings that suit a folder of one's own images, as `change` takes them.

    A recipe's budget is that of its own data. Here all images are used, in
    at least 1,000 steps.

    * `given`: the fields that somebody has set, which stay

    Returns nothing for a data set that has a name.
    """
    if recipe.dataset in NAMES:
        return []
    images = len(split_of(recipe, "train"))
    batch_size = recipe.batch_size
    if "batch_size" not in given:
        # At least twenty steps an epoch, of eight images or more.
        batch_size = min(batch_size, max(8, images // 20))
    steps = -(-images * recipe.repeats // batch_size)
    epochs = max(recipe.epochs, -(-LEAST_STEPS // steps))
    suited = {
        "training_images": 0,
        "batch_size": batch_size,
        "epochs": epochs,
    }
    return [
        f"{key}={value}"
        for key, value in suited.items()
        if key not in given and getattr(recipe, key) != value
    ]


def bank_of(recipe: Recipe, images: ImageSet) -> Bank:
    r"""The views that a recipe shows its training images in."""
    count, device = len(images), images.images.device
    settings = {
        "padding": recipe.padding,
        "mirror": recipe.mirror,
        "device": device,
    }
    if recipe.views:
        return Bank.drawn(count, recipe.views, **settings)
    return Bank.every(count, **settings)


def build(recipe: Recipe, images: ImageSet) -> nn.Module:
    r"""
    The untrained model of a recipe, sized for the data and beside it.

    The first of a cohort has the initial values of a model that is alone.
    Raises `ValueError` when the model cannot see images of this size.
    """
    students = [_one(recipe, images) for _ in range(recipe.cohort)]
    model = Cohort(students) if len(students) > 1 else students[0]
    device = images.images.device
    return model.to(device, memory_format=torch.channels_last)


def _one(recipe: Recipe, images: ImageSet) -> nn.Module:
    _, channels, side, _ = images.images.shape
    if recipe.padding > side:
        raise ValueError(
            f"padding={recipe.padding} would crop past images of {side} "
            "pixels to a side"
        )
    if side % recipe.shrink:
        raise ValueError(f"shrink={recipe.shrink} does not divide {side}")
    side //= recipe.shrink
    if recipe.architecture in PLAIN and side != vgg.SIDE:
        raise ValueError(
            f"{recipe.architecture} is for {vgg.SIDE} x {vgg.SIDE} pixels, "
            f"got {side} x {side}"
        )
    sizes = {"num_classes": len(images.class_names), "in_channels": channels}
    if recipe.architecture == "vit":
        model = VisionTransformer(
            image_size=side,
            patch_size=recipe.patch_size,
            width=recipe.width,
            depth=recipe.depth,
            heads=recipe.heads,
            mlp_ratio=recipe.mlp_ratio,
            distillation_token=recipe.distillation_token,
            drop_path=recipe.drop_path,
            **sizes,
        )
    elif recipe.architecture in PLAIN:
        model = PLAIN[recipe.architecture](**sizes)
    else:
        model = ResNet(recipe.architecture, width=recipe.width, **sizes)
    return FewerPixels(model, recipe.shrink) if recipe.shrink > 1 else model


def optimizer_of(
    recipe: Recipe, model: nn.Module, images: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    r"""
    The optimizer of a recipe and its schedule, stepped once a batch.

    * `images`: how many an epoch has
    """
    peak = recipe.learning_rate
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            model.parameters(),
            lr=peak,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )
    else:
        # Decay is for the matrices that multiply activations.
        weights = {
            module.weight
            for module in model.modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
        }
        rest = [p for p in model.parameters() if p not in weights]
        decayed = [p for p in model.parameters() if p in weights]
        groups = [{"params": decayed}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(
            groups, lr=peak, weight_decay=recipe.weight_decay
        )
    # A rise and a fall need three steps, however short the run.
    steps = max(3, recipe.epochs * -(-images // recipe.batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        peak,
        total_steps=steps,
        pct_start=max(0.25, 2 / steps),
        anneal_strategy=recipe.annealing,
        cycle_momentum=False,
    )
    return optimizer, schedule


def objective_of(recipe: Recipe) -> Objective:
    r"""
    The loss of a recipe: what the model returns, teacher_logits, labels.

    A model with a distillation token returns two logits. Without a teacher
    both heads learn the labels, each with half the weight: the control. A
    cohort returns as many as it has students, whose losses are summed.
    """
    weight = recipe.teacher_weight
    if recipe.objective in MUTUAL:
        ensemble = recipe.objective == "mutual-ensemble"
        return partial(_mutual, weight=weight, ensemble=ensemble)
    if recipe.objective == "virtual":
        return partial(
            _virtual,
            weight=weight,
            temperature=recipe.temperature,
            correct_probability=recipe.correct_probability,
            smooth_teacher=recipe.smooth_teacher,
        )
    softness = {"temperature": recipe.temperature}
    if recipe.objective in SOFT:
        return partial(distillation_loss, soft_weight=weight, **softness)
    if recipe.objective == "standardised":
        return partial(standardised_loss, soft_weight=weight, **softness)
    if recipe.objective == "decoupled":
        loss = partial(decoupled_loss, beta=recipe.beta, **softness)
        return partial(_added, loss=loss, weight=recipe.added_weight)
    if recipe.objective == "correlations":
        loss = partial(_correlations, **softness)
        return partial(_added, loss=loss, weight=recipe.added_weight)
    if recipe.objective in FEATURES:
        return feature_objective(recipe)
    if recipe.objective == "argmax":
        return partial(hard_distillation_loss, teacher_weight=weight)
    if recipe.objective == "token":
        return partial(_token, teacher_weight=weight)
    return _labels_twice if recipe.objective == "doubled" else _labels_alone


def stages_of(recipe: Recipe) -> list[tuple[Objective, range]]:
    r"""The losses of a recipe one after another, each with its epochs."""
    hinted = 0
    if recipe.objective == "hint" and recipe.hint_share:
        hinted = max(1, round(recipe.hint_share * recipe.epochs))
    first = (hint_objective(recipe), range(1, hinted + 1))
    rest = (objective_of(recipe), range(hinted + 1, recipe.epochs + 1))
    return [first, rest] if hinted else [rest]


def _added(
    logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    weight: float,
) -> Tensor:
    hard = nn.functional.cross_entropy(logits.float(), labels)
    return hard + weight * loss(logits, teacher_logits, labels)


def _correlations(logits, teacher_logits, labels, **settings) -> Tensor:
    return correlation_loss(logits, teacher_logits, **settings)


def _token(outputs, teacher_logits, labels, *, teacher_weight) -> Tensor:
    return token_loss(
        *outputs, teacher_logits, labels, teacher_weight=teacher_weight
    )


def _mutual(outputs, teacher_logits, labels, **settings) -> Tensor:
    # Each student has its own loss and gradient: the sum keeps them apart.
    losses = mutual_learning_loss(outputs, labels, **settings)
    return torch.stack(losses).sum()


def _virtual(outputs, teacher_logits, labels, **settings) -> Tensor:
    return virtual_teacher_loss(outputs, labels, **settings)


def _labels_alone(outputs, teacher_logits, labels) -> Tensor:
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [nn.functional.cross_entropy(z.float(), labels) for z in heads]
    return torch.stack(losses).mean()


def _labels_twice(outputs, teacher_logits, labels) -> Tensor:
    return 2 * _labels_alone(outputs, teacher_logits, labels)
