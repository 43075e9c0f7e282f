r"""
# What is missing

What remains to be recorded can be read off the files that are there, so the
plan is made anew whenever a piece of work ends, and whatever stopped the
recorder, its next call goes on. A teacher comes before
its table, the table before the trials of the learning rate, the trials before
the seeds.
"""

from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import chain, product
from pathlib import Path

from labkd import records
from labkd.files import read_json
from labkd.lab import store
from labkd.lab.launching import Run
from labkd.lab.recipes import GRIDS, RECIPES, WANTED, Recipe, asks_live

# Not one of the seeds that are recorded.
TRIAL_SEED = 100
# From so many channels on, a network has work for more than one core.
WIDE = 32


@dataclass(frozen=True)
class Job:
    r"""
    A piece of work.

    * `words`: the command, after `python -m labkd`
    * `makes`: the file that is there when it is done
    * `needs`: files that other pieces make
    * `alone`: it uses the whole machine
    """

    words: tuple[str, ...]
    makes: Path
    needs: tuple[Path, ...] = ()
    alone: bool = False


def plan(size: str, *, only: str, results: Path, folder: Path) -> list[Job]:
    r"""
    What is missing, most wanted first.

    * `size`: of the recipes
    * `only`: a pattern of recipe names, such as `*soft*`
    * `results`, `folder`: of the records, and of weights and tables
    """
    jobs = {}
    for group in WANTED:
        staged = [
            stage
            for name in group
            if size in RECIPES[name] and fnmatch(name, only)
            for stage in enumerate(_stages(name, size, results, folder))
        ]
        # Seed by seed through the arms, so that pairs are complete early.
        for _, stage in sorted(staged, key=lambda numbered: numbered[0]):
            jobs |= {job.makes: job for job in stage if job.makes not in jobs}
    return [job for job in jobs.values() if not job.makes.is_file()]


def _stages(
    name: str, size: str, results: Path, folder: Path
) -> list[list[Job]]:
    recipe = store.tuned(name, size, results)
    line = ("run", name, "--size", size)
    run = Run(
        name=name,
        size=size,
        recipe=recipe,
        seed=0,
        command="",
        results=results,
        folder=folder,
    )
    own = store.grid_path(name, size, results)
    grids = store.grids_of(name, size, results)
    finished = [
        records.path_of(name, size, seed, results)
        for seed in range(recipe.seeds)
    ] + list(grids)
    if all(file.is_file() for file in finished):
        return []
    teacher, table = _teacher(run) if recipe.teacher else ([], ())
    ready = table + grids
    # Of a recipe that another tuned before, trials start from what it chose.
    before = table + grids[:-1]
    return [
        teacher,
        [
            Job(
                (*line, "--seed", str(trial.seed), "--trial")
                + _settings(recipe, trial.recipe),
                trial.file("trial.json"),
                before,
                alone=is_wide(recipe),
            )
            for trial in _trials(run)
            if not own.is_file()
        ],
        *(
            [
                Job(
                    (*line, "--seed", str(seed), "--results", str(results)),
                    records.path_of(name, size, seed, results),
                    ready,
                    alone=is_wide(recipe) and name in _teachers(),
                )
            ]
            for seed in range(recipe.seeds)
        ),
    ]


def _trials(run: Run) -> list[Run]:
    # First the learning rate; when that is known, what is wanted of a teacher.
    recipe = run.recipe
    epochs = recipe.trial_epochs or recipe.epochs
    short = replace(recipe, epochs=epochs)
    first = [replace(short, learning_rate=r) for r in recipe.learning_rates]
    trials = _seeds(run, first)
    grids = {
        key: getattr(recipe, grid)
        for grid, key in GRIDS.items()
        if grid != "learning_rates" and getattr(recipe, grid)
    }
    files = [trial.file("trial.json") for trial in trials]
    if not grids or not all(file.is_file() for file in files):
        return trials
    if files:
        short = replace(short, **store.best([read_json(f) for f in files]))
    second = [
        replace(short, **dict(zip(grids, values, strict=True)))
        for values in product(*grids.values())
    ]
    return trials + [t for t in _seeds(run, second) if t not in trials]


def _seeds(run: Run, recipes: list[Recipe]) -> list[Run]:
    return [
        replace(run, seed=TRIAL_SEED + number, recipe=recipe)
        for recipe in recipes
        for number in range(recipe.trial_seeds)
    ]


def _settings(recipe: Recipe, trial: Recipe) -> tuple[str, ...]:
    # What makes the one of the other, as the command line takes it. The rate
    # is always said: it is what most trials are about.
    changed = {
        key: getattr(trial, key)
        for key in (*store.TUNED, "epochs")
        if getattr(trial, key) != getattr(recipe, key)
        or key == "learning_rate"
    }
    words = [("--set", f"{key}={value}") for key, value in changed.items()]
    return tuple(chain(*words))


def _teacher(run: Run) -> tuple[list[Job], tuple[Path, ...]]:
    theirs = run.teacher()
    weights, _ = theirs.learned()
    line = ("run", theirs.name, "--size", run.size, "--seed", "0")
    tuned = store.grids_of(theirs.name, run.size, run.results)
    record = records.path_of(theirs.name, run.size, 0, run.results)
    # A record without its weights is made again, beside the weights.
    if record.is_file():
        made = weights
        line = (*line, "--results", str(run.folder))
    else:
        made = record
        line = (*line, "--results", str(run.results))
    first = Job(line, made, tuned, alone=is_wide(theirs.recipe))
    if asks_live(run.recipe):
        return [first], (weights,)
    table = theirs.table(run.recipe)
    asking = ("targets", run.name, "--size", run.size)
    asked = Job(asking, table, (weights,), alone=is_wide(theirs.recipe))
    return [first, asked], (table,)


def _teachers() -> set[str]:
    # Others wait for them.
    every = chain(*(sizes.values() for sizes in RECIPES.values()))
    return {recipe.teacher for recipe in every}


def is_wide(recipe: Recipe) -> bool:
    r"""Whether a model has work for all cores, and not for one only."""
    # Two small transformers, a core each, are quicker than one after another.
    # The large CNN has a width of its own.
    wide = recipe.width >= WIDE and recipe.architecture != "vit"
    return wide or recipe.architecture == "large_cnn"


def choose_rates(size: str, *, only: str, results: Path, folder: Path) -> None:
    r"""Writes each grid whose last trial is there: the best rate is chosen."""
    for name in RECIPES:
        if size not in RECIPES[name] or not fnmatch(name, only):
            continue
        if store.grid_path(name, size, results).is_file():
            continue
        stages = _stages(name, size, results, folder)
        files = [job.makes for stage in stages[1:2] for job in stage]
        # When the first grid is whole, these are the second's too.
        if files and all(file.is_file() for file in files):
            trials = [read_json(file) for file in files]
            path = store.write_grid(trials, results)
            grid = read_json(path)
            chosen = {key: grid[key] for key in store.TUNED if key in grid}
            print(f"{name}: {chosen} chosen", flush=True)
