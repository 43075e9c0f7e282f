r"""
# Networks that show their features

In a plain run a network returns logits. Where features are compared, the
student returns what some of its layers put out as well, and so does its
teacher, which is then asked anew about every batch: features are too many to
keep.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd.features import (
    Regressor,
    attention_transfer_loss,
    capture,
    hint_loss,
    relational_loss,
)
from labkd.lab.recipes import FEATURES, Recipe
from labkd.lab.teachers import Objective, Teacher
from labkd.soft_targets import distillation_loss


class Watched(nn.Module):
    r"""
    A network whose features leave with its logits, while it is trained.

    * `network`: any that returns logits
    * `layers`: names of its parts
    * `regressor`: applied to the features, if there is one
    """

    def __init__(
        self,
        network: nn.Module,
        layers: Sequence[str],
        regressor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network, self.layers = network, layers
        self.regressor = regressor or nn.Identity()

    def forward(
        self, pixels: Tensor
    ) -> Tensor | tuple[Tensor, tuple[Tensor, ...]]:
        r"""Logits and features in training, logits alone in evaluation."""
        if not self.training:
            return self.network(pixels)
        with capture(self.network, *self.layers) as seen:
            logits = self.network(pixels)
        return logits, tuple(self.regressor(seen[x]) for x in self.layers)


def unwatched(model: nn.Module) -> nn.Module:
    r"""The network itself: what is scored, counted and kept."""
    return model.network if isinstance(model, Watched) else model


def watched(
    recipe: Recipe, student: nn.Module, teacher: Teacher, pixels: Tensor
) -> nn.Module:
    r"""
    The student of a recipe as it is trained.

    The regressor's initial values are drawn after the student's, which are
    those of every other student of the seed.

    * `teacher`: of the recipe
    * `pixels`: (batch, channels, height, width), to see how many channels
      the two have
    """
    if recipe.objective not in FEATURES:
        return student
    regressor = None
    if recipe.objective == "hint":
        places = torch.arange(len(pixels), device=pixels.device)
        _, (hints,) = teacher(pixels, places, places)
        # In eval mode BatchNorm learns nothing from this one look.
        student.eval()
        with torch.no_grad(), capture(student, *recipe.student_layers) as seen:
            student(pixels)
        (features,) = seen.values()
        regressor = Regressor(features.shape[1], hints.shape[1])
        regressor.to(pixels.device)
    return Watched(student, recipe.student_layers, regressor)


def live_features(model: nn.Module, layers: Sequence[str]) -> Teacher:
    r"""
    A teacher that is asked anew about every batch, for more than logits.

    * `model`: put in eval mode, and its parameters frozen
    * `layers`: names of its parts

    Returns a teacher: float32 logits and a tuple of features.
    """
    model.eval().requires_grad_(False)

    def ask(pixels: Tensor, indices: Tensor, columns: Tensor):
        with torch.no_grad(), capture(model, *layers) as seen:
            logits = model(pixels).float()
        return logits, tuple(seen[layer] for layer in layers)

    return ask


def feature_objective(recipe: Recipe) -> Objective:
    r"""
    The loss of a recipe that compares features: outputs, answers, labels.

    Cross-entropy and the weighted comparison, summed over the pairs of
    layers. With `hint`, FitNets, it is the loss of the second stage: the
    features have had their turn, and what remains is plain distillation.
    """
    if recipe.objective == "hint":
        return partial(
            _soft,
            temperature=recipe.temperature,
            soft_weight=recipe.teacher_weight,
        )
    compare = _relations
    if recipe.objective == "attention":
        compare = attention_transfer_loss
    return partial(_compared, compare=compare, weight=recipe.added_weight)


def hint_objective(recipe: Recipe) -> Objective:
    r"""The loss of FitNets' first stage: the hint alone, without labels."""
    return partial(_hinted, weight=recipe.added_weight)


def _hinted(outputs, answers, labels, *, weight: float) -> Tensor:
    (_, (features,)), (_, (hints,)) = outputs, answers
    return weight * hint_loss(features, hints)


def _soft(outputs, answers, labels, **settings) -> Tensor:
    return distillation_loss(outputs[0], answers[0], labels, **settings)


def _compared(outputs, answers, labels, *, compare, weight: float) -> Tensor:
    logits, features = outputs
    pairs = zip(features, answers[1], strict=True)
    added = sum(compare(ours, theirs) for ours, theirs in pairs)
    return F.cross_entropy(logits.float(), labels) + weight * added


def _relations(features: Tensor, their_features: Tensor) -> Tensor:
    # Pooled features are vectors with two axes of length 1 behind them.
    return relational_loss(features.flatten(1), their_features.flatten(1))
