r"""
# Your own teacher

Whatever classifier you have, as a callable that makes it: `module:callable`,
from the current directory or from any package that is installed, or
`torchvision:resnet18` for a model of torchvision by its name. Its weights may
come from a file; safetensors alone are read, since torch's own format can run
code. It sees the pixels that the student sees, in the normalisation that it
was trained with, and is examined before the first
epoch.
"""

import difflib
import importlib
import inspect
import os
import sys
import traceback
from functools import reduce
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from labkd.lab.recipes import Recipe
from labkd.pixels import Normalise

# What torchvision's own weights were trained with.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# How pixels may be normalised for a teacher of one's own.
PIXELS = ("student", "imagenet", "unit", "half")


class Renormalised(nn.Module):
    r"""
    A classifier that is given pixels in its own normalisation.

    With $\mu, \sigma$ the student's mean and deviation, channel by channel,
    and $\mu', \sigma'$ the classifier's, it sees

    $$
    x' = \frac{x \sigma + \mu - \mu'}{\sigma'} ,
    $$

    which is right for blends of images too.

    * `model`: pixels to logits
    * `given`, `wanted`: the student's normalisation and the classifier's
    """

    def __init__(
        self, model: nn.Module, given: Normalise, wanted: Normalise
    ) -> None:
        super().__init__()
        self.model = model
        scale = given.deviation / wanted.deviation
        shift = (given.mean - wanted.mean) / wanted.deviation
        # In the state, and so in the digest of a table of its answers.
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", shift[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        r"""Logits, (batch, classes), of (batch, channels, height, width)."""
        # In the usual order in memory: others flatten by `view`.
        return self.model((pixels * self.scale + self.shift).contiguous())


def normalisation(kind: str, student: Normalise) -> Normalise:
    r"""
    A normalisation by name.

    * `kind`: `student` for the data's own mean and deviation, `imagenet` for
      ImageNet's (grey images become three equal channels), `unit` for
      0 .. 1, `half` for -1 .. 1
    """
    if kind == "student":
        return student
    like = student.mean
    if kind == "imagenet":
        return Normalise(*(like.new_tensor(values) for values in IMAGENET))
    middle = 0.0 if kind == "unit" else 0.5
    return Normalise(
        torch.full_like(like, middle), torch.full_like(like, 1 - middle)
    )


def brings_teacher(recipe: Recipe) -> bool:
    r"""Whether a recipe's teacher is one's own, `module:callable`."""
    return ":" in recipe.teacher


def make(recipe: Recipe, classes: int, student: Normalise) -> Renormalised:
    r"""
    The teacher that a recipe brings, in eval mode, beside the data.

    * `recipe`: its `teacher` is `module:callable`, called with
      `num_classes=` if it takes that, or a model itself; or
      `torchvision:NAME`, a classifier of torchvision. `teacher_weights` is a
      safetensors file with its state, or nothing if the callable loads them.
      `teacher_pixels` is a `kind` of `normalisation`
    * `classes`: at least 1
    * `student`: the normalisation of the pixels that it will be given

    Raises `ValueError` for what cannot be found, made or loaded,
    `FileNotFoundError` when the weights are not there.
    """
    module, _, name = recipe.teacher.partition(":")
    if module == "torchvision":
        model = _of_torchvision(name, classes, recipe.teacher_weights)
    else:
        model = _called(recipe.teacher, _found(module, name), classes)
    if recipe.teacher_weights:
        load_weights(Path(recipe.teacher_weights), model)
    wanted = normalisation(recipe.teacher_pixels, student)
    teacher = Renormalised(model, student, wanted)
    return teacher.to(student.mean.device).eval().requires_grad_(False)


def _of_torchvision(name: str, classes: int, weights: str) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        close = difflib.get_close_matches(name, known) or known[:3]
        raise ValueError(
            f"torchvision has no classifier {name!r}; there are, among "
            f"{len(known)}: {', '.join(close)}"
        )
    if not weights:
        raise ValueError(
            f"torchvision:{name} has no weights for {classes} classes: give "
            "--set teacher_weights=FILE.safetensors"
        )
    return models.get_model(name, weights=None, num_classes=classes)


def _found(module: str, name: str) -> object:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return reduce(
            getattr, name.split("."), importlib.import_module(module)
        )
    except Exception as error:
        raise in_a_line(f"cannot import {module}:{name}", error) from error


def _called(teacher: str, found: object, classes: int) -> nn.Module:
    # A model can be called too, but not for that.
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise ValueError(f"{teacher} cannot be called: {found!r}")
        words = {"num_classes": classes} if _takes(found) else {}
        try:
            found = found(**words)
        except Exception as error:
            raise in_a_line(f"{teacher} cannot be made", error) from error
    if not isinstance(found, nn.Module):
        raise ValueError(
            f"{teacher} gives a {type(found).__name__}, not an nn.Module"
        )
    return found


def _takes(found: object) -> bool:
    # It takes any word, to refuse all of them.
    if getattr(found, "__init__", None) is nn.Module.__init__:
        return False
    try:
        inspect.signature(found).bind_partial(num_classes=1)
    except (TypeError, ValueError):
        return False
    return True


def in_a_line(what: str, error: Exception) -> ValueError:
    r"""An error in somebody's code as one of ours, and where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    # Python's own importing says nothing of where.
    last = [f for f in frames if not f.filename.startswith("<frozen")][-1]
    text = " ".join(str(error).split())
    return ValueError(
        f"{what}: {type(error).__name__}: {text} "
        f"({Path(last.filename).name}, line {last.lineno})"
    )


def load_weights(path: Path, model: nn.Module) -> None:
    r"""
    Gives a model the state in a safetensors file, every entry of it.

    * `path`: of the file; torch's own files are not read

    Raises `ValueError` naming what is missing, left over or of another
    shape, `FileNotFoundError` when there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} with the weights")
    try:
        given = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a whole safetensors file ({error}). A file of "
            "torch.save can run code when it is read: where you trust it, "
            "load it once with weights_only=True and write its state by "
            "safetensors.torch.save_file"
        ) from None
    state = model.state_dict()
    # What BatchNorm counts, older files lack and eval mode does not use.
    needed = {k for k in state if not k.endswith("num_batches_tracked")}
    shapes = [
        f"{k} {tuple(given[k].shape)} instead of {tuple(state[k].shape)}"
        for k in sorted(given.keys() & state.keys())
        if given[k].shape != state[k].shape
    ]
    faults = {
        "lacks": sorted(needed - given.keys()),
        "has, and the model has not,": sorted(given.keys() - state.keys()),
        "has in another shape": shapes,
    }
    if any(faults.values()):
        told = [
            f"it {fault} {_some(keys)}"
            for fault, keys in faults.items()
            if keys
        ]
        raise ValueError(f"{path} does not fit the model: {'; '.join(told)}")
    model.load_state_dict(given, strict=False)


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more
