"""The recorder: one piece after another, or two, and stopped at any time."""

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import warm

from labkd import records
from labkd.lab import plans, recorder, store
from labkd.lab.cli import main
from labkd.lab.launching import Run
from labkd.lab.plans import TRIAL_SEED, Job
from labkd.lab.recipes import change, find
from labkd.lab.recorder import record
from labkd.lab.voices import PAUSED

TEACHER = "teacher-resnet18-digits"
SCRATCH = "scratch-vit-digits"
SOFT = "soft-vit_from_resnet18-digits"
# What the trials of a learning rate reach on the validation images.
REACHED = {
    SCRATCH: {4e-3: 0.9, 8e-3: 0.8, 16e-3: 0.7},
    SOFT: {4e-3: 0.7, 8e-3: 0.95, 16e-3: 0.9},
}


class Piece:
    r"""A process that works for a minute, or as long as it may."""

    def __init__(self, machine, job, minutes):
        self.machine, self.job, self.returncode = machine, job, None
        self.left = 60 - machine.done.get(job.makes, 0)
        self.started, self.limit = machine.now, 60 * minutes
        self.terminated = False

    def poll(self):
        worked = self.machine.now - self.started
        if self.returncode is None and worked >= min(self.left, self.limit):
            self.returncode = 0 if self.left <= self.limit else PAUSED
            self.machine.end(self, min(worked, self.left, self.limit))
        return self.returncode

    def terminate(self):
        self.terminated = True

    def wait(self):
        # Killed, it has lost what it did since it was started.
        if self.returncode is None:
            self.machine.end(self, 0)
            self.returncode = -signal.SIGTERM


class Machine:
    r"""A clock, and processes that leave files and do no work."""

    def __init__(self, path):
        self.results, self.folder = path / "results", path / "runs"
        self.now, self.done, self.running, self.history = 0.0, {}, [], []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def strftime(self, form):
        return f"{self.now:.0f}"

    def start(self, job, minutes, workers, folder, computed):
        assert all(file.is_file() for file in job.needs)
        assert not any(job == piece.job for piece in self.running)
        assert not any(piece.job.alone for piece in self.running)
        assert not (job.alone and self.running)
        assert len(self.running) < workers
        assert minutes >= 0
        piece = Piece(self, job, minutes)
        self.running.append(piece)
        self.history.append(job)
        log = recorder._log(job, folder)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("some\nlines\n")
        return piece

    def end(self, piece, worked):
        self.running.remove(piece)
        self.done[piece.job.makes] = 60 - piece.left + worked
        if piece.returncode == 0:
            self.make(piece.job)

    def make(self, job):
        verb, name = job.words[:2]
        recipe, seed = find(name, "laptop"), TRIAL_SEED
        content = {}
        if "--trial" in job.words:
            recipe = change(recipe, [job.words[-1]])
            accuracy = REACHED[name][recipe.learning_rate]
            last = {"validation": {"accuracy": accuracy}}
            content = {"epochs": [last], "config": asdict(recipe)}
            content |= {"recipe": name, "size": "laptop"}
        elif verb == "run":
            seed = int(job.words[job.words.index("--seed") + 1])
            weights = self.run(name, recipe, seed).file("weights.safetensors")
            weights.parent.mkdir(parents=True, exist_ok=True)
            weights.touch()
        job.makes.parent.mkdir(parents=True, exist_ok=True)
        job.makes.write_text(json.dumps(content))

    def run(self, name, recipe, seed):
        return Run(
            name=name,
            size="laptop",
            recipe=recipe,
            seed=seed,
            command="",
            results=self.results,
            folder=self.folder,
        )

    def record(self, minutes, only="*digits", workers=2):
        return record(
            "laptop",
            minutes=minutes,
            only=only,
            results=self.results,
            folder=self.folder,
            workers=workers,
        )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    # The teacher of digits stands for one that takes the whole machine.
    monkeypatch.setattr(plans, "WIDE", 8)
    monkeypatch.setattr(recorder, "time", machine)
    monkeypatch.setattr(recorder, "_start", machine.start)
    return machine


def chosen(results, name):
    path = store.grid_path(name, "laptop", results)
    return json.loads(path.read_text("utf-8"))["learning_rate"]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_that_is_missing_is_made_once(machine, workers):
    assert machine.record(float("inf"), workers=workers)
    assert len(machine.history) == len(set(machine.history)) == 14
    for name in (TEACHER, SCRATCH, SOFT):
        for seed in range(find(name, "laptop").seeds):
            path = records.path_of(name, "laptop", seed, machine.results)
            assert path.is_file()
    # Two pieces alone, then twelve that share the machine.
    assert 60 * (2 + 12 / workers) <= machine.now
    assert machine.now <= 60 * (2 + 12 / workers) + 10
    # A second call has nothing to do, and needs no time to say so.
    assert machine.record(0, workers=workers)
    assert len(machine.history) == 14


def test_the_rate_of_the_best_trial_is_chosen(machine, capsys):
    assert machine.record(float("inf"))
    assert chosen(machine.results, SCRATCH) == 4e-3
    assert chosen(machine.results, SOFT) == 8e-3
    assert (
        f"{SOFT}: {{'learning_rate': 0.008}} chosen" in capsys.readouterr().out
    )


@pytest.mark.parametrize("minutes", [0.55, 1.2, 3.4])
def test_it_stops_in_time_and_goes_on(machine, minutes):
    calls = 0
    while True:
        started, calls = machine.now, calls + 1
        done = machine.record(minutes)
        assert machine.now - started <= 60 * minutes + 0.5
        assert not machine.running
        if done:
            break
        assert calls < 40
    # Nothing was done twice but what a call had not brought to an end.
    assert machine.now < 60 * 8 + calls * 20


def test_after_a_pause_nothing_new_is_started(machine):
    # The teacher ends in time, its table does not.
    assert not machine.record(1.5)
    verbs = [job.words[0] for job in machine.history]
    assert verbs == ["run", "targets"]
    # Time is up six seconds early, so that it can be kept.
    assert machine.now == pytest.approx(60 * 1.5 - 6, abs=1)


def test_no_piece_is_started_in_the_last_seconds(machine):
    # Four seconds are left when the teacher is done.
    assert not machine.record(64 / 60)
    assert len(machine.history) == 1


def test_an_interrupt_ends_the_pieces(machine, monkeypatch):
    pieces = []

    def interrupt(seconds):
        pieces.extend(machine.running)
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        machine.record(float("inf"))
    assert len(pieces) == 1 and pieces[0].terminated
    assert not machine.running


@pytest.fixture
def handlers():
    r"""Puts the handlers of signals back that the command line sets."""
    endings = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(ending) for ending in endings]
    yield
    for ending, handler in zip(endings, before, strict=True):
        signal.signal(ending, handler)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_the_recorder_ends_its_pieces(
    ending, machine, monkeypatch, capsys, handlers
):
    pieces = []

    def end(seconds):
        pieces.extend(machine.running)
        os.kill(os.getpid(), ending)

    monkeypatch.setattr(machine, "sleep", end)
    where = ["--results", machine.results, "--folder", machine.folder]
    words = ["record", "--size", "laptop", "--only", "*digits", *where]
    assert main([str(word) for word in words]) == 130
    assert pieces and all(piece.terminated for piece in pieces)
    assert "labkd: interrupted" in capsys.readouterr().err


class TestNext:
    """Which piece is next, if any."""

    small, other = Job(("run", "a"), "a"), Job(("run", "b"), "b")
    large = Job(("run", "c"), "c", alone=True)

    def test_the_first_that_can_be_made(self, tmp_path):
        needed = tmp_path / "n"
        waiting = Job(("run", "d"), "d", (needed,))
        assert recorder._next([waiting, self.small], [], 1) is self.small
        needed.touch()
        assert recorder._next([waiting, self.small], [], 1) is waiting
        assert recorder._next([], [], 1) is None

    def test_one_that_runs_is_not_started_again(self):
        both = [self.small, self.other]
        assert recorder._next(both, [self.small], 2) is self.other
        assert recorder._next(both, both, 3) is None

    def test_no_more_than_there_are_workers(self):
        assert recorder._next([self.other], [self.small], 1) is None

    def test_what_is_alone_waits_and_is_waited_for(self):
        # It is not overtaken, or it would never be its turn.
        both = [self.large, self.other]
        assert recorder._next(both, [self.small], 2) is None
        assert recorder._next(both, [], 2) is self.large
        assert recorder._next(both, [self.large], 2) is None


def started(monkeypatch, tmp_path, job, *, cores, workers):
    calls = []
    monkeypatch.setattr(recorder.torch, "get_num_threads", lambda: cores)
    monkeypatch.setattr(
        recorder.subprocess, "Popen", lambda *a, **k: calls.append((a[0], k))
    )
    recorder._start(job, 12.5, workers, tmp_path, ())
    ((words, options),) = calls
    return words, options["env"]


@pytest.mark.parametrize(
    ("alone", "workers", "threads"), [(True, 2, 8), (False, 2, 4), (0, 20, 1)]
)
def test_pieces_share_the_cores(
    alone, workers, threads, monkeypatch, tmp_path
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    job = Job(("run", "a"), tmp_path / "a", alone=bool(alone))
    options = {"cores": 8, "workers": workers}
    words, environment = started(monkeypatch, tmp_path, job, **options)
    assert environment["OMP_NUM_THREADS"] == str(threads)
    assert words[:5] == [sys.executable, "-m", "labkd", "run", "a"]
    assert words[5:] == ["--folder", str(tmp_path), "--minutes", "12.50"]
    # Whoever has set it knows better.
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    _, environment = started(monkeypatch, tmp_path, job, **options)
    assert environment["OMP_NUM_THREADS"] == "3"


@pytest.fixture
def one_piece(tmp_path, monkeypatch):
    r"""Records one given piece, in a process of its own."""
    package = str(records.RESULTS.parents[1])
    monkeypatch.setenv("PYTHONPATH", package)

    def attempt(*words):
        job = Job(words, tmp_path / "made")
        monkeypatch.setattr(recorder, "plan", lambda *a, **k: [job])
        return record(
            "laptop",
            minutes=1,
            only="nothing*",
            results=tmp_path / "results",
            folder=tmp_path,
            workers=1,
        )

    return attempt


def test_a_piece_that_fails_is_quoted(one_piece, tmp_path):
    with pytest.raises(ChildProcessError) as raised:
        one_piece("run", "gone")
    message = str(raised.value)
    assert message.startswith("run gone ended with status 2: labkd: no recipe")
    log = tmp_path / "gone" / "made.log"
    assert str(log) in message and "no recipe 'gone'" in log.read_text()


def test_a_piece_that_makes_nothing_has_failed(tmp_path):
    job = Job(("run", "well"), tmp_path / "made")
    log = recorder._log(job, tmp_path)
    log.parent.mkdir()
    log.write_text("all is well\n")
    ended = SimpleNamespace(returncode=0)
    with pytest.raises(ChildProcessError, match="status 0: all is well"):
        recorder._end(ended, job, tmp_path)
    job.makes.touch()
    assert recorder._end(ended, job, tmp_path) is False
    # A pause is no failure, and the file may be missing.
    job.makes.unlink()
    paused = SimpleNamespace(returncode=PAUSED)
    assert recorder._end(paused, job, tmp_path) is True


def test_the_recorder_from_beginning_to_end(tmp_path, handlers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(recorder.subprocess, "Popen", warm.popen)
    words = ["record", "--size", "laptop", "--only", SOFT]
    words += ["--results", "results", "--workers", "2"]
    # The server of processes imports torch once, which is not timed here.
    assert warm.Command(["list"], tmp_path, tmp_path / "log").wait(120) == 0
    before = time.monotonic()
    assert main([*words, "--minutes", "0.12"]) == 0
    assert time.monotonic() - before < 10
    results = tmp_path / "results"
    assert len(records.read_all(results)) < 4
    assert main(words) == 0
    found = records.read_all(results)
    keys = [(record["recipe"], record["seed"]) for record in found]
    assert keys == [(SOFT, 0), (SOFT, 1), (SOFT, 2), (TEACHER, 0)]
    path = store.grid_path(SOFT, "laptop", results)
    grid = json.loads(path.read_text("utf-8"))
    trials = grid["trials"]
    assert grid["learning_rate"] == best_rate(trials)
    rates = {record["config"]["learning_rate"] for record in found[:3]}
    assert rates == {grid["learning_rate"]}
    # Each epoch was done, whenever it was.
    for made in (*found, *trials):
        epochs = [epoch["epoch"] for epoch in made["epochs"]]
        assert epochs == list(range(1, made["config"]["epochs"] + 1))
    assert not any("test" in trial for trial in trials)
    # The table was there before the first who learned from it.
    told = [r["teacher"]["asked"] for r in found + trials if r["teacher"]]
    assert told == ["table"] * 6
    assert not list(tmp_path.rglob("*.checkpoint"))
    assert not list(tmp_path.rglob("unfinished-*"))


def best_rate(trials):
    best = max(
        trials,
        key=lambda trial: trial["epochs"][-1]["validation"]["accuracy"],
    )
    return best["config"]["learning_rate"]
