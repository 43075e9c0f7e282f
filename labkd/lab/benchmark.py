r"""
# How fast the loop is

`python -m labkd.lab.benchmark` measures what the design of the
[loop](../labkd/training.py) is worth on the machine that it runs on: four
ratios, each of images a second.

- **ours / customary**: our loop, and the customary
  one. Both train ResNet-20 from the same weights with the same optimizer, in
  batches of the same size.
- **labels / recorded**: our loop without a teacher, and with a table of a
  teacher's logits; both train the student of the course. The ratio is the
  time of a step that learns from the table, in units of a step that learns
  from labels.
- **labels / live**: the same with a teacher that is asked in every step, the
  ResNet-18 of the course.
- **ours / bare**: our loop, and nothing but forward, backward and optimizer
  step of ResNet-20, again and again on one batch. The ratio is the share of
  the time that goes into learning, not into bringing images.

Speeds differ between machines and, on a shared one, between minutes. Ratios
differ less when both sides are measured in turn: a
round of one, a round of the other, the next time the
other way about. What is printed is the median of the ratios of such pairs,
with the lowest and the highest. The images are those of CIFAR-10 where they
are at hand, else random bytes, which take as long. `--compile` compiles our
model and the student's, as long runs on a GPU do; `--json FILE` keeps all of
it, of the course in `labkd/results/benchmark/<size>.json`.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import torch

from labkd.lab.building import build
from labkd.lab.outcomes import circumstances
from labkd.lab.recipes import find
from labkd.lab.rounds import Bench, bare, customary, images_for, ours, resnet20
from labkd.lab.teachers import live, recorded
from labkd.pixels import Normalise, native_bfloat16
from labkd.views import every_view

PROGRAM = "labkd.lab.benchmark"


def compare(sides: dict[str, Callable[[], float]], seconds: float) -> dict:
    r"""
    Two rates, measured in turn, and their ratio.

    * `sides`: two, by name; a call does a round and returns its rate
    * `seconds`: after them no pair of rounds starts; the first always does

    Returns `{"ratio", "lowest", "highest", "rounds", "images_per_second"}`:
    the median of first / second over the pairs of rounds, the least and the
    largest, how many pairs there were, the median rate of each side by name.
    """
    order, rates = list(sides), {name: [] for name in sides}
    # What a first round has to compile or to choose is not measured.
    for name in order:
        sides[name]()
    deadline, rounds = time.monotonic() + seconds, 0
    while not rounds or time.monotonic() < deadline:
        for name in order:
            rates[name].append(sides[name]())
        order.reverse()
        rounds += 1
    ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "rounds": rounds,
        "images_per_second": {
            name: statistics.median(each) for name, each in rates.items()
        },
    }


def pairs_of(bench: Bench) -> Iterator[dict[str, Callable[[], float]]]:
    r"""The four pairs of sides, ready for `compare`."""
    torch.manual_seed(0)
    recipe = bench.recipe("teacher-resnet18-cifar10")
    plain = resnet20().to(bench.device)
    last = deepcopy(plain).to(memory_format=torch.channels_last)
    yield {
        "ours": ours(bench, deepcopy(last), recipe),
        "customary": customary(bench, plain, recipe),
    }
    alone = bench.recipe("scratch-vit-cifar10")
    taught = bench.recipe("soft-vit_from_resnet18-cifar10")
    student = build(taught, bench.data)
    # It costs the same to look up what nobody has said.
    views = len(every_view(taught.padding))
    table = torch.randn(bench.steps * bench.batch_size, views, 10).half()
    teacher = recorded(table.to(bench.device))
    yield {
        "labels": ours(bench, deepcopy(student), alone),
        "recorded": ours(bench, deepcopy(student), taught, teacher),
    }
    asked = live(build(find(taught.teacher, bench.size), bench.data))
    yield {
        "labels": ours(bench, deepcopy(student), alone),
        "live": ours(bench, student, taught, asked),
    }
    yield {
        "ours": ours(bench, deepcopy(last), recipe),
        "bare": bare(bench, last, recipe),
    }


def line_of(name: str, comparison: dict) -> str:
    r"""What is printed of a comparison: ratio, spread, rounds, rates."""
    rates = ", ".join(
        f"{side} {rate:,.0f}"
        for side, rate in comparison["images_per_second"].items()
    )
    return (
        f"{name:17}  {comparison['ratio']:.2f}  "
        f"({comparison['lowest']:.2f} .. {comparison['highest']:.2f}, "
        f"rounds: {comparison['rounds']})  images/s: {rates}"
    )


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"{PROGRAM}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    cuda = torch.cuda.is_available()
    parser = _OneLine(
        prog=f"python -m {PROGRAM}",
        description="How fast the loop is, in ratios.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, default, meaning in (
        ("--seconds", 60.0, "for each of the four comparisons"),
        ("--threads", torch.get_num_threads(), "of this process, on a CPU"),
        ("--workers", 2, "processes of the customary loop"),
        ("--batch-size", 512 if cuda else 128, "images in a batch"),
        ("--steps", 60 if cuda else 10, "batches in a round"),
    ):
        parser.add_argument(
            name, type=type(default), default=default, help=meaning
        )
    parser.add_argument(
        "--compile", action="store_true", help="our model, not the customary"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="to write")
    return parser


def _check(options: argparse.Namespace) -> None:
    least = {"threads": 1, "workers": 0, "batch_size": 2, "steps": 1}
    for name, value in least.items():
        if getattr(options, name) < value:
            raise ValueError(
                f"--{name.replace('_', '-')} must be at least {value}, got "
                f"{getattr(options, name)}"
            )
    if not 0 <= options.seconds < math.inf:
        raise ValueError(
            f"--seconds must be finite and at least 0, got {options.seconds}"
        )
    if options.json and not options.json.absolute().parent.is_dir():
        raise ValueError(f"--json: there is no folder {options.json.parent}")


def _bench(options: argparse.Namespace) -> Bench:
    torch.set_num_threads(options.threads)
    cuda = torch.cuda.is_available()
    # As launching has it, and here for both sides.
    torch.backends.cudnn.benchmark = cuda
    data = images_for(
        options.steps,
        options.batch_size,
        options.workers,
        torch.device("cuda" if cuda else "cpu"),
    )
    return Bench(
        data=data,
        normalise=Normalise.of(data.images),
        size="full" if cuda else "laptop",
        batch_size=options.batch_size,
        steps=options.steps,
        workers=options.workers,
        compiled=options.compile,
    )


def _circumstances(options: argparse.Namespace, bench: Bench) -> dict:
    names = ("seconds", "threads", "workers", "batch_size", "steps", "compile")
    source = bench.data.source
    return {
        "size": bench.size,
        "images": source if source == "random" else f"cifar10, {source}",
        **{name: getattr(options, name) for name in names},
        **circumstances(bench.device, native_bfloat16(bench.device)),
        "command": _command(options),
    }


def _command(options: argparse.Namespace) -> str:
    # What was measured, and not where it was written.
    words = [
        f"--{name.replace('_', '-')} {value:g}"
        for name, value in vars(options).items()
        if name not in ("compile", "json")
    ]
    compiled = ["--compile"] * options.compile
    return " ".join([f"python -m {PROGRAM}", *words, *compiled])


def _benchmark(options: argparse.Namespace) -> None:
    bench = _bench(options)
    report = _circumstances(options, bench)
    for key, value in report.items():
        print(f"{key}: {value}")
    report["comparisons"] = {}
    for sides in pairs_of(bench):
        name, comparison = " / ".join(sides), compare(sides, options.seconds)
        report["comparisons"][name] = comparison
        print(line_of(name, comparison), flush=True)
    if options.json:
        text = json.dumps(report, indent=1, allow_nan=False)
        options.json.write_text(text + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> int:
    r"""Measure and print; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        _benchmark(options)
    except (ValueError, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
