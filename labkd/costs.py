r"""
# What a model costs

A student is worth having if it is cheaper than its teacher, and "cheaper" has
several meanings. `python -m labkd.costs` takes the teacher and the student of
the course's [recipes](../labkd/arms.py) at the size that suits the device,
and measures for each:

- **to keep**: parameters, and the bytes of its weights in single and in half
  precision;
- **to compute**: multiply-adds an image, which no machine changes;
- **to wait**: milliseconds an image, one image at a time and 128 together.
  The models are measured in turn, a forward pass of one, a forward pass of
  the other, so that a busy minute falls on both; the median of the passes
  counts, and a CPU computes with one thread;
- **to hold**: the most memory that the tensors of a forward pass fill at one
  time, weights and images not included.

The result is one JSON file, `costs/<size>.json` among the
[records](../labkd/records.py), with the machine, the versions, the commit,
the date and the command. Weights are untrained: no number here depends on
their values.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from labkd.archives import CIFAR10_CLASSES
from labkd.arms import SIZES, find
from labkd.building import build
from labkd.outcomes import circumstances
from labkd.pixels import native_bfloat16
from labkd.records import RESULTS, write_whole
from labkd.sources import ImageSet

MODELS = {
    "teacher": "teacher-resnet18-cifar10",
    "student": "scratch-vit-cifar10",
}
BATCHES = (1, 128)


def path_of(size: str, results: Path = RESULTS) -> Path:
    r"""Where the costs at a size are, or would be."""
    return Path(results) / "costs" / f"{size}.json"


def read(size: str, results: Path = RESULTS) -> dict:
    r"""
    The costs at a size, as `measure` returned them, with their circumstances.

    Raises `FileNotFoundError` with the command that makes them when they are
    not there.
    """
    path = path_of(size, results)
    if not path.is_file():
        raise FileNotFoundError(
            f"no costs {path}; python -m labkd.costs --size {size} makes them"
        )
    return json.loads(path.read_text("utf-8"))


def weight(model: nn.Module) -> dict[str, int]:
    r"""
    What there is to keep of a model.

    Returns `{"parameters", "float32_bytes", "float16_bytes"}`: how many
    numbers are learned, and the bytes of all that is saved, buffers included.
    """
    saved = model.state_dict().values()
    floats = sum(t.numel() for t in saved if t.is_floating_point())
    rest = sum(t.nbytes for t in saved if not t.is_floating_point())
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "float32_bytes": 4 * floats + rest,
        "float16_bytes": 2 * floats + rest,
    }


def multiply_adds(model: nn.Module, images: Tensor) -> int:
    r"""
    Multiply-adds of matrix products and convolutions in a forward pass.

    * `images`: floating point, (batch, channels, height, width)
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images)
    return counter.get_total_flops() // 2


def peak_memory(forward: Callable[[], object], device: torch.device) -> int:
    r"""
    The most bytes that a forward pass has at one time, beyond those before.

    * `forward`: without gradients; it has run before, so that nothing is set
      up for the first time
    * `device`: on a CPU every allocation of a tensor is read from PyTorch's
      profiler, on a GPU its allocator keeps count
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        forward()
        return torch.cuda.max_memory_allocated(device) - before
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu, profile_memory=True) as profiler:
        forward()
    # The trace is the one place where allocations stand in their order.
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    events = [event for event in events if event.get("name") == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event["ts"]):
        now += event["args"]["Bytes"]
        most = max(most, now)
    return most


def in_turn(
    sides: dict[str, Callable[[], object]], seconds: float
) -> dict[str, list[float]]:
    r"""
    How long each side takes, measured in turn, again and again.

    * `sides`: by name; a call is over when its work is
    * `seconds`: after them no round starts; the first two always do

    Returns the seconds of every call by side. What a first call has to set
    up is not measured.
    """
    taken = {name: [] for name in sides}
    for work in sides.values():
        work()
    deadline, rounds = time.monotonic() + seconds, 0
    while rounds < 2 or time.monotonic() < deadline:
        rounds += 1
        for name, work in sides.items():
            started = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - started)
    return taken


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
        | weight(model)
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
        for name, taken in in_turn(sides, seconds).items():
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
        self.exit(2, f"labkd.costs: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(
        prog="python -m labkd.costs",
        description="What teacher and student cost.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    size = "full" if torch.cuda.is_available() else "laptop"
    parser.add_argument("--size", choices=SIZES, default=size)
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
        "command": f"python -m labkd.costs --size {size} --seconds {seconds}",
    }
    return write_whole(record, path_of(size, options.results))


def main(arguments: list[str] | None = None) -> int:
    r"""Measure and write; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(_record(options))
    except (ValueError, OSError) as error:
        print(f"labkd.costs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
