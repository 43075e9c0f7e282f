r"""
# What teacher and student cost

`python -m labkd.lab.cost_record` takes the teacher and the student of the
course's recipes, and measures:

- **to keep**: parameters, and bytes in single and in half precision;
- **to compute**: multiply-adds an image, which no machine changes;
- **to wait**: milliseconds an image, alone and in a batch of 128, the median
  of forward passes of one model and the other in turn, so that a busy minute
  falls on both; a CPU uses one thread;
- **to hold**: the most that the tensors of a forward pass fill at one time,
  weights and images not included.

The result is `costs/<size>.json` among the [records](../labkd/records.py).
Weights are untrained: no number here depends on their values.
"""

import argparse
import math
import statistics
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from labkd.costs import (
    multiply_adds,
    path_of,
    peak_memory,
    size_of,
    time_in_turn,
)
from labkd.data import CIFAR10_CLASSES, ImageSet
from labkd.lab.building import build
from labkd.lab.outcomes import circumstances
from labkd.lab.recipes import SIZES, find
from labkd.lab.store import write_whole
from labkd.pixels import native_bfloat16
from labkd.records import RESULTS

MODELS = {
    "teacher": "teacher-resnet18-cifar10",
    "student": "scratch-vit-cifar10",
}
BATCHES = (1, 128)


def measure(size: str, seconds: float, device: torch.device) -> dict:
    r"""
    The costs of teacher and student.

    * `size`: of the recipes
    * `seconds`: for each size of batch
    * `device`: where the models compute

    Returns, by `teacher` and `student`, the recipe, what `weight` returns,
    `multiply_adds` an image, and `batches`: by their size the median
    `milliseconds` an image, its `quartiles`, over how many `passes`, and
    `peak_bytes`. Raises `ValueError` for a size that does not exist.
    """
    models = _models(size, device)
    image = torch.randn(1, 3, 32, 32, device=device)
    costs = {
        name: {"recipe": MODELS[name]}
        | size_of(model)
        | {"multiply_adds": multiply_adds(model, image), "batches": {}}
        for name, model in models.items()
    }
    for batch in BATCHES:
        images = torch.randn(batch, 3, 32, 32, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        sides = {
            name: partial(_pass, model, images)
            for name, model in models.items()
        }
        for name, taken in time_in_turn(sides, seconds).items():
            costs[name]["batches"][str(batch)] = _summary(taken, batch) | {
                "peak_bytes": peak_memory(sides[name], device)
            }
    return costs


def _models(size: str, device: torch.device) -> dict[str, nn.Module]:
    nothing = torch.zeros(0, dtype=torch.uint8, device=device)
    beside = ImageSet(
        nothing.reshape(0, 3, 32, 32), nothing.long(), CIFAR10_CLASSES, ""
    )
    return {
        name: build(find(recipe, size), beside).eval()
        for name, recipe in MODELS.items()
    }


@torch.no_grad()
def _pass(model: nn.Module, images: Tensor) -> None:
    device = images.device
    with torch.autocast(device.type, torch.bfloat16, native_bfloat16(device)):
        model(images)
    # A GPU is handed its work and has not done it yet.
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _summary(taken: list[float], batch: int) -> dict:
    each = [1000 * seconds / batch for seconds in taken]
    low, middle, high = statistics.quantiles(each, method="inclusive")
    return {
        "milliseconds": middle,
        "quartiles": [low, high],
        "passes": len(each),
    }


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"labkd.lab.cost_record: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(
        prog="python -m labkd.lab.cost_record",
        description="What teacher and student cost.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--size", choices=SIZES, default="laptop", help="of the recipes"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="for each batch"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="of the records"
    )
    return parser


def _record(options: argparse.Namespace) -> Path:
    if not 0 <= options.seconds < math.inf:
        raise ValueError(
            f"--seconds must be finite and at least 0, got {options.seconds}"
        )
    # One thread of a CPU: how well a model uses several is another question.
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size, seconds = options.size, options.seconds
    record = {
        "size": size,
        "seconds": seconds,
        "threads": 1,
        "models": measure(size, seconds, device),
        **circumstances(device, native_bfloat16(device)),
        "command": "python -m labkd.lab.cost_record "
        f"--size {size} --seconds {seconds:g}",
    }
    return write_whole(record, path_of(size, options.results))


def main(arguments: list[str] | None = None) -> int:
    r"""Measure and write; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(_record(options))
    except (ValueError, OSError) as error:
        print(f"labkd.lab.cost_record: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
