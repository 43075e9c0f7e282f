r"""
# The command line

`python -m labkd list` names the recipes, `run NAME` trains one and records
it, `table` shows the records. A mistake in the command costs one line and
exit status 2; an interrupted run leaves every record as it was.
"""

import argparse
import sys
from pathlib import Path

from labkd import records
from labkd.recipes import RECIPES, SIZES, change, find


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"labkd: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog="python -m labkd", description="Recorded runs.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="name the recipes and their sizes")
    run = verbs.add_parser("run", help="train a recipe and record it")
    run.add_argument("name", metavar="NAME")
    run.add_argument("--size", default="laptop", choices=SIZES)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a field of the recipe",
    )
    for verb in (run, verbs.add_parser("table", help="show the records")):
        verb.add_argument(
            "--results",
            type=Path,
            default=Path("runs"),
            metavar="FOLDER",
            help="where the records are (default: runs)",
        )
    verb.set_defaults(results=records.RESULTS)
    return parser


def _run(options: argparse.Namespace) -> None:
    recipe = find(options.name, options.size)
    changed = change(recipe, options.set)
    if options.seed < 0:
        raise ValueError(f"--seed must be at least 0, got {options.seed}")
    if changed != recipe and options.results.resolve() == records.RESULTS:
        raise ValueError(
            "--set makes another experiment: its record cannot stand among "
            "the recipe's own; leave out --results"
        )
    settings = "".join(f" --set {setting}" for setting in options.set)
    # Torch takes seconds to import; the other verbs do without it.
    from labkd.experiments import run

    record = run(
        options.name,
        changed,
        size=options.size,
        seed=options.seed,
        command=f"python -m labkd run {options.name} --size {options.size} "
        f"--seed {options.seed}{settings}",
        results=options.results,
    )
    print(records.table([record]))


def main(arguments: list[str] | None = None) -> int:
    r"""Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb == "list":
            for name, sizes in sorted(RECIPES.items()):
                print(f"{name}  ({', '.join(sizes)})")
        elif options.verb == "table":
            print(records.table(records.read_all(options.results)))
        else:
            _run(options)
    except (ValueError, OSError) as error:
        print(f"labkd: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nlabkd: interrupted, nothing was recorded", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
