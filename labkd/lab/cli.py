r"""
# The command line

`python -m labkd list` names the recipes, `run NAME` trains one and records
it, its teacher first if need be, `targets NAME` asks that teacher about every
view beforehand, `record` makes all records that are missing, `table` shows
them. A mistake in the command costs one line and exit status 2; what was
interrupted goes on when the same command is given again.
"""

import argparse
import os
import shlex
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from labkd import records
from labkd.files import one_line, out_of_memory
from labkd.lab import store, voices
from labkd.lab.recipes import RECIPES, SIZES, change

# EX_TEMPFAIL of sysexits.h: try again later.
PAUSED = 75
# Loggers, and the packages of which each needs one.
LOGS = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}
# How a run computes, if nothing is said.
ENGINE = {"accumulate": 1, "precision": "auto", "compile": "auto"}


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        voices.wait_for_the_first()
        self.exit(2, f"labkd: {' '.join(message.splitlines())}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog="python -m labkd", description="Recorded runs.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="name the recipes and their sizes")
    run = verbs.add_parser("run", help="train a recipe and record it")
    targets = verbs.add_parser(
        "targets", help="ask a recipe's teacher about every view beforehand"
    )
    record = verbs.add_parser("record", help="make the records that miss")
    table = verbs.add_parser("table", help="show the records")
    for verb in (run, targets):
        _add_recipe(verb)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--trial",
        action="store_true",
        help="leave the test images shut and make no record",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="check all, take a few steps, tell the cost; write nothing",
    )
    run.add_argument(
        "--deterministic",
        action="store_true",
        help="the same bits again on a GPU too, at some cost",
    )
    _add(run, "--accumulate", int, "1", "N", "see a batch in so many parts")
    for verb in (run, record):
        verb.add_argument(
            "--precision",
            default="auto",
            choices=("auto", "float32", "bfloat16"),
            help="of products of matrices (default: float32 on a CPU)",
        )
        verb.add_argument(
            "--compile",
            default="auto",
            choices=("auto", "yes", "no"),
            help="the model (default: for long runs on a GPU)",
        )
    run.add_argument(
        "--log",
        default="",
        choices=list(LOGS),
        help="draw the epochs as they come",
    )
    _add_where(run, targets, record, table)
    record.add_argument("--size", choices=SIZES, help="default: the device's")
    record.add_argument("--only", default="*", metavar="PATTERN")
    record.add_argument("--workers", type=int, help="how many runs at once")
    return parser


def _add_where(run, targets, record, table) -> None:
    for verb in (run, targets, record):
        _add(
            verb, "--minutes", float, "inf", "M", "stop before, to go on later"
        )
        _add(verb, "--folder", Path, "runs", "FOLDER", "of weights and tables")
    _add(run, "--results", Path, "runs", "FOLDER", "of the record")
    for verb in (record, table):
        shipped = str(records.RESULTS)
        _add(verb, "--results", Path, shipped, "FOLDER", "of the records")


def _add_recipe(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--size", default="laptop", choices=SIZES)
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a field of the recipe",
    )


def _add(verb, name, kind, default, shown, meaning) -> None:
    verb.add_argument(
        name,
        type=kind,
        default=kind(default),
        metavar=shown,
        help=f"{meaning} (default: {default})",
    )


def _run(options: argparse.Namespace) -> None:
    shipped = records.RESULTS
    grids = store.grids_of(options.name, options.size, options.results)
    own = any(path.is_file() for path in grids)
    results = options.results if own else shipped
    recipe = store.tuned(options.name, options.size, results)
    changed = change(recipe, options.set)
    if changed != recipe and options.results.resolve() == shipped:
        raise ValueError(
            "--set makes another experiment: its record cannot stand among "
            "the recipe's own; leave out --results"
        )
    settings = "".join(f" --set {shlex.quote(s)}" for s in options.set)
    if options.deterministic:
        # Read by cuBLAS when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        settings += " --deterministic"
    for key, usual in ENGINE.items():
        if getattr(options, key) != usual:
            settings += f" --{key} {getattr(options, key)}"
    # Torch takes seconds to import; the other verbs do without it.
    import torch

    from labkd.lab import engine
    from labkd.lab.experiments import run
    from labkd.lab.launching import Run
    from labkd.lab.plans import is_wide

    engine.settle(alone=is_wide(changed))
    torch.use_deterministic_algorithms(options.deterministic)
    asked = Run(
        name=options.name,
        size=options.size,
        recipe=changed,
        seed=options.seed,
        command=f"python -m labkd run {options.name} "
        f"--size {options.size} --seed {options.seed}{settings}",
        results=options.results,
        folder=options.folder,
        deadline=_deadline(options),
        log=options.log,
        accumulation=options.accumulate,
        precision=options.precision,
        compiled=options.compile,
    )
    if options.dry_run:
        from labkd.lab.dry_run import rehearse, report

        told = report(asked, rehearse(asked))
    else:
        record = run(asked, trial=options.trial)
    if not voices.first():
        return
    if options.dry_run:
        print(told)
    elif options.trial:
        last = record["epochs"][-1]["validation"]
        print(f"validation accuracy {last['accuracy']:.4f}")
    else:
        print(records.table([record]))


def _targets(options: argparse.Namespace) -> None:
    from labkd.lab import engine
    from labkd.lab.experiments import build_table
    from labkd.lab.launching import Run

    recipe = store.tuned(options.name, options.size)
    engine.settle(alone=True)
    path = build_table(
        Run(
            name=options.name,
            size=options.size,
            recipe=change(recipe, options.set),
            seed=0,
            command="",
            results=options.folder,
            folder=options.folder,
            deadline=_deadline(options),
        )
    )
    print(f"{path} is there")


def _record(options: argparse.Namespace) -> None:
    import torch

    from labkd.lab.recorder import record

    # Whoever ends the recorder ends its pieces too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    cuda = torch.cuda.is_available()
    workers = options.workers or (4 if cuda else torch.get_num_threads())
    done = record(
        options.size or ("full" if cuda else "laptop"),
        minutes=options.minutes,
        only=options.only,
        results=options.results,
        folder=options.folder,
        workers=workers,
        computed=tuple(
            word
            for key in ("precision", "compile")
            if getattr(options, key) != ENGINE[key]
            for word in (f"--{key}", getattr(options, key))
        ),
    )
    print("every record is there" if done else "to go on: the same command")


def _table(options: argparse.Namespace) -> None:
    from labkd.comparisons import arms
    from labkd.verdicts import judge

    found = records.read_all(options.results)
    print(records.table(found))
    for arm in arms(found):
        if arm.difference:
            baseline = arm.records[0]["config"]["baseline"]
            print(
                f"{arm.recipe}, {arm.size}: accuracy minus that of "
                f"{baseline}, in points over paired seeds: "
                f"{judge(found, arm.recipe, baseline, arm.size)}"
            )


def _check(options: argparse.Namespace) -> None:
    least = {"seed": 0, "workers": 1, "minutes": 0, "accumulate": 1}
    for name, value in least.items():
        given = getattr(options, name, None)
        if given is not None and not given >= value:
            raise ValueError(f"--{name} must be at least {value}, got {given}")
    if getattr(options, "seed", 0) >= 2**63:
        raise ValueError(f"--seed must be below 2**63, got {options.seed}")
    log = getattr(options, "log", "")
    if log and not any(map(find_spec, LOGS[log])):
        raise ValueError(f"--log {log} needs a package: pip install {log}")


def _deadline(options: argparse.Namespace) -> float:
    return time.monotonic() + 60 * options.minutes


def main(arguments: list[str] | None = None) -> int:
    r"""Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        if options.verb == "list":
            for name, sizes in sorted(RECIPES.items()):
                print(f"{name}  ({', '.join(sizes)})")
        elif options.verb == "table":
            _table(options)
        else:
            {"run": _run, "targets": _targets, "record": _record}[
                options.verb
            ](options)
    except TimeoutError as pause:
        voices.wait_for_the_first()
        print(f"labkd: time is up, {pause}; the same command goes on")
        return PAUSED
    except (ValueError, OSError) as error:
        voices.wait_for_the_first()
        line = " ".join(str(error).splitlines())
        print(f"labkd: {line}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        # Such as a lost connection, when another process has ended.
        voices.wait_for_the_first()
        if not out_of_memory(error):
            raise
        print(
            "labkd: out of memory, a smaller width or batch_size takes less "
            f"({one_line(error)})",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        voices.wait_for_the_first()
        print(
            "\nlabkd: interrupted; the same command goes on from the last "
            "whole epoch",
            file=sys.stderr,
        )
        return 130
    finally:
        voices.leave()
    return 0


if __name__ == "__main__":
    sys.exit(main())
