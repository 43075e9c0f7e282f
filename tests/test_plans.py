"""What is missing is read off the files, in the order it can be made in."""

import json
from dataclasses import asdict, replace

import pytest

from labkd import records
from labkd.lab import plans, store
from labkd.lab.launching import Run
from labkd.lab.plans import TRIAL_SEED, choose_rates, plan
from labkd.lab.recipes import find

TEACHER = "teacher-resnet18-digits"
SCRATCH = "scratch-vit-digits"
SOFT = "soft-vit_from_resnet18-digits"


class Files:
    r"""A folder of results and one of weights, and who fills them."""

    def __init__(self, path):
        self.results, self.folder = path / "results", path / "runs"

    def where(self, only="*digits"):
        return {
            "only": only,
            "results": self.results,
            "folder": self.folder,
        }

    def plan(self, only="*digits", size="laptop"):
        return plan(size, **self.where(only))

    def run(self, name, seed=0, **changes):
        return Run(
            name=name,
            size="laptop",
            recipe=replace(find(name, "laptop"), **changes),
            seed=seed,
            command="",
            results=self.results,
            folder=self.folder,
        )

    def trial(self, name, rate, accuracy):
        run = self.run(name, TRIAL_SEED, learning_rate=rate)
        content = {
            "recipe": name,
            "size": "laptop",
            "config": asdict(run.recipe),
            "epochs": [{"validation": {"accuracy": accuracy}}],
        }
        touch(run.file("trial.json"), json.dumps(content))

    def records(self, *names):
        for name in names:
            for seed in range(find(name, "laptop").seeds):
                touch(records.path_of(name, "laptop", seed, self.results))

    def grids(self, *names, rate=4e-3):
        for name in names:
            path = store.grid_path(name, "laptop", self.results)
            touch(path, json.dumps({"learning_rate": rate}))


def touch(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def kind(job):
    verb, name = job.words[:2]
    if verb == "targets":
        return "table", name
    seed = int(job.words[job.words.index("--seed") + 1])
    return ("trial" if "--trial" in job.words else seed), name


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_the_whole_plan_in_its_order(files):
    # The trials of all arms come before their seeds, and the seeds in
    # pairs, so that the first differences are there early.
    assert [kind(job) for job in files.plan()] == [
        (0, TEACHER),
        ("table", SOFT),
        *[("trial", SCRATCH)] * 3,
        *[("trial", SOFT)] * 3,
        *[(seed, arm) for seed in range(3) for arm in (SCRATCH, SOFT)],
    ]


def test_every_need_is_met_by_an_earlier_piece_or_by_a_grid(files):
    for only in ("*", "*cifar10", SOFT):
        made = set()
        for job in files.plan(only):
            grids = {n for n in job.needs if n.name.endswith("-grid.json")}
            needs = set(job.needs) - grids
            weights = {n for n in needs if n.suffix == ".safetensors"}
            # A teacher's weights come with its record.
            for file in weights:
                assert any(file.parent.name == m.parent.name for m in made)
            assert needs - weights <= made
            made.add(job.makes)


def test_a_student_alone_brings_its_teacher(files):
    names = [kind(job) for job in files.plan(SOFT)]
    assert names[:2] == [(0, TEACHER), ("table", SOFT)]
    assert {name for _, name in names} == {TEACHER, SOFT}


def test_trials_have_every_rate_and_seeds_wait_for_the_choice(files):
    jobs = {}
    for job in files.plan():
        jobs.setdefault(kind(job), []).append(job)
    rates = [f"learning_rate={r}" for r in find(SOFT, "laptop").learning_rates]
    assert [job.words[-1] for job in jobs["trial", SOFT]] == rates
    grid = store.grid_path(SOFT, "laptop", files.results)
    table = jobs["table", SOFT][0].makes
    assert all(job.needs == (table,) for job in jobs["trial", SOFT])
    assert jobs[1, SOFT][0].needs == (table, grid)
    assert jobs[1, SCRATCH][0].needs == (
        store.grid_path(SCRATCH, "laptop", files.results),
    )


def test_a_wide_teacher_has_the_machine_for_itself(files, monkeypatch):
    assert not any(job.alone for job in files.plan())
    monkeypatch.setattr(plans, "WIDE", find(TEACHER, "laptop").width)
    alone = {kind(job) for job in files.plan() if job.alone}
    # The student is as wide, and no teacher.
    assert find(SOFT, "laptop").width >= plans.WIDE
    assert alone == {(0, TEACHER), ("table", SOFT)}


def test_of_the_course_the_large_teachers_have(tmp_path):
    jobs = plan("laptop", only="*", results=tmp_path, folder=tmp_path)
    alone = {job.words[1] for job in jobs if job.alone and "run" in job.words}
    assert alone == {
        "teacher-large_cnn-cifar10",
        "teacher-resnet18-cifar10",
        "teacher-resnet18_10k-cifar10",
    }


def test_seeds_are_recorded_where_the_results_are(files):
    for job in files.plan():
        if isinstance(kind(job)[0], int):
            at = job.words.index("--results") + 1
            assert job.words[at] == str(files.results)
            assert job.makes.is_relative_to(files.results)
        else:
            assert "--results" not in job.words
            assert job.makes.is_relative_to(files.folder)


def test_nothing_is_planned_when_all_is_recorded(files):
    files.records(TEACHER, SCRATCH, SOFT)
    files.grids(SCRATCH, SOFT)
    # Weights and tables are gone, and nobody needs them.
    assert not files.folder.exists()
    assert files.plan() == []


def test_one_missing_seed_brings_back_what_it_needs(files):
    files.records(TEACHER, SCRATCH, SOFT)
    files.grids(SCRATCH, SOFT)
    records.path_of(SOFT, "laptop", 1, files.results).unlink()
    teacher, table, seed = files.plan()
    assert kind(table) == ("table", SOFT) and kind(seed) == (1, SOFT)
    # The teacher's record stays as it is; what is made again goes beside
    # its weights.
    assert teacher.words[-2:] == ("--results", str(files.folder))
    assert teacher.makes == files.run(TEACHER).file("weights.safetensors")
    touch(teacher.makes)
    assert files.plan() == [table, seed]
    touch(table.makes)
    assert files.plan() == [seed]


def test_a_chosen_rate_moves_no_table(files):
    # A table depends on the teacher and the images, not on a student's rate.
    for rate in (4e-3, 8e-3):
        files.grids(SOFT, rate=rate)
        tuned = store.tuned(SOFT, "laptop", files.results)
        assert tuned.learning_rate == rate
        (table,) = [j for j in files.plan() if kind(j) == ("table", SOFT)]
        assert table.makes == files.run(SOFT).teacher().table(tuned)


def test_the_best_trial_is_chosen_when_all_are_there(files, capsys):
    files.trial(SCRATCH, 4e-3, 0.9)
    files.trial(SCRATCH, 16e-3, 0.7)
    choose_rates("laptop", **files.where())
    grid = store.grid_path(SCRATCH, "laptop", files.results)
    assert not grid.exists()
    files.trial(SCRATCH, 8e-3, 0.8)
    choose_rates("laptop", **files.where())
    assert json.loads(grid.read_text("utf-8"))["learning_rate"] == 4e-3
    assert (
        f"{SCRATCH}: {{'learning_rate': 0.004}} chosen"
        in capsys.readouterr().out
    )
    # Chosen is chosen.
    files.trial(SCRATCH, 8e-3, 1.0)
    choose_rates("laptop", **files.where())
    assert json.loads(grid.read_text("utf-8"))["learning_rate"] == 4e-3
    assert not any(kind(j) == ("trial", SCRATCH) for j in files.plan(SCRATCH))


def test_rates_of_other_recipes_are_not_chosen(files):
    for rate in find(SCRATCH, "laptop").learning_rates:
        files.trial(SCRATCH, rate, 0.5)
    choose_rates("laptop", **files.where(only=SOFT))
    assert not files.results.exists()


def test_the_seed_of_trials_is_not_a_recorded_one():
    for sizes in plans.RECIPES.values():
        assert all(recipe.seeds <= TRIAL_SEED for recipe in sizes.values())


def test_a_teacher_that_blends_has_no_table(files):
    teacher, student = files.plan("long*", size="full")
    assert kind(teacher)[1] == "teacher-resnet18-cifar10"
    (needed,) = student.needs
    assert needed.name.endswith(".weights.safetensors")


def test_an_unknown_pattern_has_no_plan(files):
    assert files.plan("nothing*") == []
