r"""
# The command line

`python -m labkd list` shows the recipes, `run NAME` trains one and records
it, its teacher first if need be, `targets NAME` asks that teacher about every
view beforehand, `record` makes all records that are missing, `table` shows
them. A mistake in the command costs one line and exit status 2; what was
interrupted goes on when the same command is given again.
"""

import shlex
import signal
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from labkd import records
from labkd.files import one_line, out_of_memory
from labkd.lab import store, voices
from labkd.lab.recipes import change

# What typer returns after Ctrl-C.
INTERRUPTED = 130
# Loggers, and the packages of which each needs one.
LOGS = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Recorded runs of knowledge distillation.",
)

Name = Annotated[str, typer.Argument(help="a recipe; `list` shows them")]
SizeName = Literal["laptop", "overnight", "full"]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="another value for a field"
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1)]
Trial = Annotated[
    bool, typer.Option("--trial", help="leave the test images shut, no record")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="check all, take a few steps")
]
Again = Annotated[
    bool, typer.Option("--again", help="though the record is there")
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="the same bits on a GPU too")
]
Accumulate = Annotated[
    int, typer.Option(min=1, help="see a batch in so many parts")
]
Log = Annotated[
    Literal["", "tensorboard", "wandb"],
    typer.Option(help="draw the epochs as they come"),
]
Minutes = Annotated[float, typer.Option(min=0, help="stop, to go on later")]
Folder = Annotated[Path, typer.Option(help="of weights and tables")]
Results = Annotated[Path, typer.Option(help="of the records")]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="of products of matrices"),
]
Compile = Annotated[
    Literal["auto", "yes", "no"], typer.Option(help="the model")
]


@app.command("list")
def list_recipes() -> None:
    """Show the recipes, chapter by chapter."""
    from labkd.lab import listing

    print(listing.recipes())


@app.command()
def run(
    name: Name,
    size: SizeName = "laptop",
    seed: Seed = 0,
    settings: Settings = None,
    trial: Trial = False,
    dry_run: DryRun = False,
    again: Again = False,
    deterministic: Deterministic = False,
    accumulate: Accumulate = 1,
    precision: Precision = "auto",
    compile: Compile = "auto",
    log: Log = "",
    minutes: Minutes = float("inf"),
    folder: Folder = Path("runs"),
    results: Results = Path("runs"),
) -> None:
    """Train a recipe and record it, its teacher first if need be."""
    if log and not any(map(find_spec, LOGS[log])):
        raise ValueError(f"--log {log} needs a package: pip install {log}")
    settings = settings or []
    settings = [*settings, *_for_the_data(name, size, settings)]
    recipe = _recipe(name, size, settings, results)
    said = _said(settings, deterministic, accumulate, precision, compile)
    # Torch takes seconds to import; the other verbs do without it.
    from labkd.lab import checkpoints, engine
    from labkd.lab.launching import Run
    from labkd.lab.plans import is_wide

    asked = Run(
        name=name,
        size=size,
        recipe=recipe,
        seed=seed,
        command=f"python -m labkd run {name} --size {size} --seed {seed}"
        f"{said}",
        results=results,
        folder=folder,
        deadline=_deadline(minutes),
        log=log,
        accumulation=accumulate,
        precision=precision,
        compiled=compile,
    )
    made = records.path_of(name, size, seed, results)
    weights = asked.file("weights.safetensors")
    # Killed after its record, a run has still to remove its checkpoint.
    unfinished = checkpoints.exist(asked.file("checkpoint"))
    anew = trial or dry_run or again or unfinished
    if not anew and made.is_file() and weights.exists():
        print(f"{made} is there; --again to repeat the run")
        return
    engine.settle(alone=is_wide(recipe), deterministic=deterministic)
    if dry_run:
        from labkd.lab.dry_run import rehearse, report

        _say(report(asked, rehearse(asked)))
    else:
        _train(asked, trial)


def _train(asked, trial: bool) -> None:
    from labkd.lab.experiments import run as train

    record = train(asked, trial=trial)
    if trial:
        last = record["epochs"][-1]["validation"]
        _say(f"validation accuracy {last['accuracy']:.4f}")
        return
    made = records.path_of(asked.name, asked.size, asked.seed, asked.results)
    weights = asked.file("weights.safetensors")
    _say(
        f"{records.table([record])}\n"
        f"weights: {weights}\n"
        "to use them: from labkd.lab.outcomes import load_student; "
        f'student = load_student("{made.as_posix()}", "{weights.as_posix()}")'
    )


def _say(text: str) -> None:
    # Several processes answer with one voice.
    if voices.first():
        print(text)


def _for_the_data(name: str, size: str, settings: list[str]) -> list[str]:
    # A folder of one's own images gets a budget that suits it.
    given = {setting.partition("=")[0] for setting in settings}
    # A teacher keeps its recipe, by which its students find it.
    if "dataset" not in given or name.startswith("teacher-"):
        return []
    from labkd.lab.building import fit_to_images

    return fit_to_images(change(store.tuned(name, size), settings), given)


def _recipe(name: str, size: str, settings: list[str], results: Path):
    grids = store.grids_of(name, size, results)
    own = any(path.is_file() for path in grids)
    recipe = store.tuned(name, size, results if own else records.RESULTS)
    changed = change(recipe, settings)
    if changed != recipe and results.resolve() == records.RESULTS:
        raise ValueError(
            "--set makes another experiment: its record cannot stand among "
            "the recipe's own; leave out --results"
        )
    return changed


def _said(
    settings: list[str],
    deterministic: bool,
    accumulate: int,
    precision: str,
    compile: str,
) -> str:
    # What a record's command says besides recipe, size and seed.
    words = [word for setting in settings for word in ("--set", setting)]
    words += ["--deterministic"] * deterministic
    words += ["--accumulate", str(accumulate)] * (accumulate > 1)
    words += ["--precision", precision] * (precision != "auto")
    words += ["--compile", compile] * (compile != "auto")
    return "".join(f" {shlex.quote(word)}" for word in words)


@app.command()
def targets(
    name: Name,
    size: SizeName = "laptop",
    settings: Settings = None,
    precision: Precision = "auto",
    minutes: Minutes = float("inf"),
    folder: Folder = Path("runs"),
) -> None:
    """Ask a recipe's teacher about every view beforehand."""
    recipe = change(store.tuned(name, size), settings or [])
    from labkd.lab import engine
    from labkd.lab.experiments import build_table
    from labkd.lab.launching import Run

    engine.settle(alone=True)
    path = build_table(
        Run(
            name=name,
            size=size,
            recipe=recipe,
            seed=0,
            command="",
            results=folder,
            folder=folder,
            deadline=_deadline(minutes),
            precision=precision,
        )
    )
    print(f"{path} is there")


@app.command()
def record(
    size: Annotated[
        SizeName | None, typer.Option(help="default: the device's")
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="PATTERN", help="of recipes' names")
    ] = "*",
    workers: Annotated[
        int | None, typer.Option(min=1, help="how many runs at once")
    ] = None,
    precision: Precision = "auto",
    compile: Compile = "auto",
    minutes: Minutes = float("inf"),
    folder: Folder = Path("runs"),
    results: Results = records.RESULTS,
) -> None:
    """Make the records that are missing."""
    import torch

    from labkd.lab.recorder import record as make_missing

    # Whoever ends the recorder ends its pieces too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    cuda = torch.cuda.is_available()
    usual = 4 if cuda else torch.get_num_threads()
    computed = ["--precision", precision] * (precision != "auto")
    computed += ["--compile", compile] * (compile != "auto")
    done = make_missing(
        size or ("full" if cuda else "laptop"),
        minutes=minutes,
        only=only,
        results=results,
        folder=folder,
        workers=workers or usual,
        computed=tuple(computed),
    )
    print("every record is there" if done else "to go on: the same command")


@app.command()
def table(
    every: Annotated[
        bool, typer.Option("--all", help="every run, not their means")
    ] = False,
    results: Results = records.RESULTS,
) -> None:
    """Show what was recorded: the mean of each comparison."""
    if not results.is_dir():
        raise FileNotFoundError(f"there is no folder {results}")
    from labkd.lab import listing

    found = records.read_all(results)
    if not found:
        print(f"there is no record in {results}")
    elif every:
        print(records.table(found))
    else:
        print(listing.comparisons(found))


def _deadline(minutes: float) -> float:
    return time.monotonic() + 60 * minutes


def main(arguments: list[str] | None = None) -> int:
    r"""Run one command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    with warnings.catch_warnings():
        warnings.showwarning = _tell
        return _run_words(words)


def _run_words(words: list[str]) -> int:
    try:
        program = "python -m labkd"
        status = app(words or ["--help"], program, standalone_mode=False)
    except TyperException as error:
        voices.wait_for_the_first()
        return _fail(error.format_message().replace("Value error, ", ""), 2)
    except TimeoutError as pause:
        voices.wait_for_the_first()
        print(f"labkd: time is up, {pause}; the same command goes on")
        return voices.PAUSED
    except (ValueError, OSError) as error:
        voices.wait_for_the_first()
        return _fail(str(error), 2)
    except (MemoryError, RuntimeError) as error:
        # Such as a lost connection, when another process has ended.
        voices.wait_for_the_first()
        if not out_of_memory(error):
            raise
        hint = "out of memory, a smaller width or batch_size takes less"
        return _fail(f"{hint} ({one_line(error)})", 2)
    else:
        if status == INTERRUPTED:
            voices.wait_for_the_first()
            kept = "the same command goes on from the last whole epoch"
            return _fail(f"interrupted; {kept}", INTERRUPTED)
    finally:
        voices.leave()
    return 0


def _tell(message, *_, **__) -> None:
    # A line without the place in the code, which is nobody's fault.
    print(f"labkd: {' '.join(str(message).splitlines())}", file=sys.stderr)


def _fail(text: str, status: int) -> int:
    _tell(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
