r"""
# What a model costs

A student is worth having if it is cheaper than its teacher, and there are
several ways to be that: numbers to keep, multiply-adds to compute, memory to
hold, time to wait. `read` gives what was measured of the course's own pair.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from labkd.records import RESULTS


def size_of(model: nn.Module) -> dict[str, int]:
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

    * `forward`: without gradients; it has run before
    * `device`: of a CPU, PyTorch's profiler tells every allocation; of a
      GPU, the allocator keeps count
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


def time_in_turn(
    sides: dict[str, Callable[[], object]], seconds: float
) -> dict[str, list[float]]:
    r"""
    How long each side takes, measured in turn, again and again.

    * `sides`: by name; a call is over when its work is
    * `seconds`: after them no round starts; the first two always do

    Returns the seconds of every call but the first by side.
    """
    taken = {name: [] for name in sides}
    # What a first call has to set up is not measured.
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


def path_of(size: str, results: Path = RESULTS) -> Path:
    r"""Where the costs at a size are, or would be."""
    return Path(results) / "costs" / f"{size}.json"


def read(size: str, results: Path = RESULTS) -> dict:
    r"""
    The costs at a size, by `measure`, with their circumstances.

    Raises `FileNotFoundError` with the command that makes them.
    """
    path = path_of(size, results)
    if not path.is_file():
        raise FileNotFoundError(
            f"no costs {path}; "
            f"python -m labkd.lab.cost_record --size {size} makes them"
        )
    return json.loads(path.read_text("utf-8"))
