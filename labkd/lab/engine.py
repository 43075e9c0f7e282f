r"""
# The engine

How a step is computed, which should not matter to what it computes: in which
precision, compiled or not, by how many processes. All of it is torch's and
accelerate's; here it is chosen. How far the choices agree is measured by
scale.

Several processes are started by `torchrun --nproc_per_node 2 -m labkd run
NAME`, or by accelerate, whose option for several GPUs is the one for several
CPU processes too: `accelerate launch --multi_gpu --num_processes 2
--num_machines 1 --mixed_precision no --dynamo_backend no -m labkd run NAME`.
(Its `--cpu --num_processes 2` starts a single process and says nothing.)
"""

import ctypes
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn

from labkd.pixels import native_bfloat16

PRECISIONS = ("auto", "float32", "bfloat16")
COMPILE = ("auto", "yes", "no")
# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
# From so many steps on, a GPU earns back the minute that compiling takes.
COMPILE_FROM = 5_000


def settle(*, alone: bool, deterministic: bool = False) -> None:
    r"""
    What a long training needs of the machine that it runs on.

    * `alone`: the model is large enough for all cores; a small one is no
      quicker on two of them than two are on one each
    * `deterministic`: the same bits again on a GPU too, at some cost

    Threads that the environment counts are left as they are.
    """
    if "OMP_NUM_THREADS" not in os.environ and not alone:
        torch.set_num_threads(1)
    if deterministic:
        # Read by cuBLAS when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    # glibc would hand large blocks back after every batch, and have their
    # pages cleared anew for the next. Other systems have no such switch.
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def bfloat16(precision: str, device: torch.device) -> bool:
    r"""
    Whether matrices are multiplied in bfloat16, by autocast.

    * `precision`: of `PRECISIONS`; `auto` on a GPU that is made for it
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, got "
            f"{precision!r}"
        )
    if precision == "auto":
        return native_bfloat16(device)
    return precision == "bfloat16"


def compiles(choice: str, device: torch.device, steps: int) -> bool:
    r"""
    Whether the model is compiled.

    * `choice`: of `COMPILE`; `auto` on a GPU, for many steps
    * `steps`: of the whole training

    Raises `ValueError` when it cannot be.
    """
    if choice not in COMPILE:
        raise ValueError(
            f"compile must be one of {', '.join(COMPILE)}, got {choice!r}"
        )
    if choice == "auto":
        return device.type == "cuda" and steps >= COMPILE_FROM
    if choice == "yes" and not compiler():
        raise ValueError(
            "torch.compile needs a C++ compiler, and there is none: install "
            "g++ or clang, or name one with CXX"
        )
    return choice == "yes"


def compiler() -> str | None:
    r"""Where the C++ compiler is that torch.compile would use, if any."""
    named = os.environ.get("CXX", "")
    names = [named] if named else ["g++", "clang++", "c++", "cl"]
    return next(filter(None, map(shutil.which, names)), None)


def accelerator(*, cpu: bool, **settings) -> Accelerator:
    r"""
    The engine itself.

    * `cpu`: leave a GPU alone; `settings`: others that accelerate takes
    """
    # Gradients lie where they are sent from: a copy less in every step.
    in_place = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
    # `fit` chooses the precision, whatever accelerate is configured for.
    return Accelerator(
        cpu=cpu,
        mixed_precision="no",
        kwargs_handlers=[in_place],
        **settings,
    )


def launched(
    model: nn.Module, accelerator: Accelerator, *, compiled: bool
) -> nn.Module:
    r"""
    The model as it is called in training: compiled, and one of several.

    * `accelerator`: knows the device and the other processes

    Returns a model with the same parameters, whose gradients are averaged
    over the processes.
    """
    if accelerator.device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    if compiled:
        model = torch.compile(model)
    return accelerator.prepare_model(model)


def together[T](processes: int, function: Callable[..., T], *given) -> T:
    r"""
    Call a function in so many processes at once, as torchrun would.

    * `function`: of a module; `given`: its arguments

    Returns what it returns in the first process.
    """
    # It takes a moment to import, and every run imports this module.
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # What torchrun sets too; accelerate complains where it is missing.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Threads that wait for one another would spin, and take the core from
    # what they wait for, on a machine that has anything else to do.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="labkd",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
    )
    # The launcher handles signals, and leaves its handlers behind.
    ours = {kind: signal.getsignal(kind) for kind in signal.valid_signals()}
    try:
        return elastic_launch(config, function)(*given)[0]
    finally:
        for kind, handler in ours.items():
            if signal.getsignal(kind) is not handler:
                signal.signal(kind, handler)
