r"""Kills the commands of labkd at random moments, and garbles what they read.

`make soak` gives the same command again and again, and kills it, until it has
finished in spite of that: what is there then is, to the bit, what an
undisturbed run leaves. Then files and arguments are garbled, and whatever
comes of it, it is one line. A seed repeats the choices; which instruction a
kill meets is up to the machine.
"""

import argparse
import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import worlds
from warm import Forked
from worlds import SCRATCH, SHADES, STUDENT

from labkd.data import CIFAR10_JPEG
from labkd.lab.recipes import Recipe

SETTINGS = "--set dataset=cifar10 --set patch_size=8 --set epochs=6".split()
# With a table, and with a teacher that is asked live.
PLANS = (
    (("targets", STUDENT, *SETTINGS), ("run", STUDENT, *SETTINGS)),
    (("run", STUDENT, *SETTINGS, "--seed", "1"),),
)
# For the tests, which have no time: a table of two views.
SHORT = "--set padding=0 --set epochs=3".split()
SHORT_PLANS = (
    (
        ("targets", STUDENT, *SETTINGS, *SHORT),
        ("run", STUDENT, *SETTINGS, *SHORT),
    ),
)
# What a command is at while it is in one of these functions.
PHASES = {
    "labkd.data.unpack_cifar10": "unpacking",
    "labkd.lab.experiments.train": "training",
    "labkd.lab.experiments.table_of": "table",
    "labkd.lab.checkpoints.save": "checkpoint",
    "labkd.lab.experiments._keep": "logits and weights",
    "labkd.lab.store.write": "record",
    "labkd.lab.checkpoints.remove": "tidying up",
}
LEFTOVERS = ("*.part", ".unpacking-*", "unfinished-*", "*.checkpoint*")
# Often enough for some progress, and seldom enough to come to an end.
KILLS_A_COMMAND = 15


class Victim:
    r"""A command in a process of its own, and what it is at."""

    def __init__(self, words, folder):
        self.notes = folder.with_name(f"{folder.name}.notes")
        self.notes.write_text("")
        arguments = list(words), str(folder), str(self.notes)
        self.process = Forked(_command, *arguments).process

    def phases(self):
        r"""Name and seconds of each phase so far; the last goes on still."""
        lines = self.notes.read_text("utf-8").splitlines()
        told = [line.rsplit(" ", 1) for line in lines]
        times = [float(at) for _, at in told]
        seconds = [end - start for start, end in pairwise(times)]
        seconds += [0.0] * bool(told)
        return [(name, s) for (name, _), s in zip(told, seconds, strict=True)]

    def wait(self, seconds=120.0):
        r"""Whether it has come to an end."""
        self.process.join(seconds)
        return self.process.exitcode is not None

    def kill(self):
        r"""What it was at, or nothing if it had finished before."""
        self.process.kill()
        self.process.join()
        if not self.process.exitcode:
            return None
        return self.phases()[-1][0] if self.phases() else "starting"


def _command(words, folder, notes):
    os.environ["LABKD_COMMIT"] = "soak"
    folder = Path(folder)
    opened = os.open(notes, os.O_WRONLY | os.O_APPEND)
    at = ["starting"]

    def note():
        os.write(opened, f"{at[-1]} {time.monotonic()}\n".encode())

    def noting(work, phase):
        def noted(*arguments, **options):
            student = phase == "training" and arguments[0].recipe.teacher
            at.append("student" if student else phase)
            at[-1] = "teacher" if at[-1] == "training" else at[-1]
            note()
            try:
                return work(*arguments, **options)
            finally:
                at.pop()
                note()

        return noted

    note()
    with ExitStack() as stack:
        for target, phase in PHASES.items():
            module, name = target.rsplit(".", 1)
            work = getattr(import_module(module), name)
            stack.enter_context(patch(target, noting(work, phase)))
        # A table is kept after every view, and not every half minute.
        stack.enter_context(patch("labkd.lab.teachers.KEEP_EVERY", 0.0))
        archive = folder / "data" / CIFAR10_JPEG
        stack.enter_context(worlds.trusting(archive))
        status, out, err = worlds.command(folder, *words)
    if status:
        print(out + err, file=sys.stderr)
    sys.exit(status)


def undisturbed(plan, folder):
    r"""Runs the commands of a plan: for each, its phases."""
    worlds.write_archive(folder / "data" / CIFAR10_JPEG, worlds.members())
    phases = {}
    for words in plan:
        victim = Victim(words, folder)
        assert victim.wait() and victim.process.exitcode == 0, words
        phases[words] = victim.phases()
    return phases


def strike(victim, usual, moments, fresh):
    r"""
    Kills a command: the phase that it was at, or nothing if it is done.

    * `usual`: the phases of an undisturbed one
    * `fresh`: the archive is packed still, which it is only once
    """
    if not fresh and moments.random() < 0.5:
        # At any moment of most of its time: a kill before the end costs less
        # than a command that has finished and begins anew.
        most = 0.6 * sum(seconds for _, seconds in usual)
        if victim.wait(moments.uniform(0, most)):
            return None
    else:
        # At any moment of a phase, however short.
        names = [name for name, _ in usual]
        phase = "unpacking" if fresh else moments.choice(sorted(set(names)))
        entry = moments.randint(1, min(3, names.count(phase)))
        while [name for name, _ in victim.phases()].count(phase) < entry:
            if victim.wait(0.0005):
                return None
        seconds = [seconds for name, seconds in usual if name == phase]
        victim.wait(moments.uniform(0, moments.choice(seconds)))
    return victim.kill()


def comparable(folder):
    r"""What must be the same: all that is kept, but for dates and seconds."""
    from labkd import tensors

    kept = {}
    for path in sorted((folder / "runs").rglob("*")):
        key = str(path.relative_to(folder))
        if path.suffix == ".json":
            kept[key] = _timeless(json.loads(path.read_text("utf-8")))
        elif path.suffix == ".table":
            # Its metadata come in any order.
            table, about = tensors.read_with_metadata(path)
            kept[key] = table["logits"].numpy().tobytes(), about
        elif path.is_file() and path.suffix != ".lock":
            kept[key] = path.read_bytes()
    return kept


def _timeless(value):
    if isinstance(value, dict):
        return {
            key: _timeless(part)
            for key, part in value.items()
            if key not in ("seconds", "date")
        }
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def kill(kills, folder, seed=0, plans=PLANS, told=lambda struck: None):
    r"""
    Kills commands so many times: phase -> how often.

    * `told`: called with what it has come to, whenever all has finished

    Raises `AssertionError` when one does not finish, when what it leaves
    differs from what an undisturbed one leaves, or when half a file remains.
    """
    moments, struck, cycle = random.Random(seed), Counter(), 0
    references = []
    for number, plan in enumerate(plans):
        place = folder / f"undisturbed-{number}"
        references.append((plan, undisturbed(plan, place), comparable(place)))
    while struck.total() < kills:
        plan, usual, expected = references[cycle % len(references)]
        place, cycle = folder / f"cycle-{cycle}", cycle + 1
        archive = place / "data" / CIFAR10_JPEG
        worlds.write_archive(archive, worlds.members())
        for words in plan:
            _finish_in_spite(
                words, place, usual[words], moments, struck, kills
            )
        found = comparable(place)
        assert found.keys() == expected.keys(), (found.keys(), place)
        differ = [key for key in expected if found[key] != expected[key]]
        assert not differ, f"{differ} in {place} differ"
        left = [path for name in LEFTOVERS for path in place.rglob(name)]
        assert not left, left
        shutil.rmtree(place)
        told(struck)
    return struck


def _finish_in_spite(words, place, usual, moments, struck, kills):
    for again in range(KILLS_A_COMMAND + 1):
        victim = Victim(words, place)
        if struck.total() < kills and again < KILLS_A_COMMAND:
            packed = not (place / "data" / "cifar10-jpeg-q75").exists()
            phase = strike(victim, usual, moments, packed and again < 3)
            if phase:
                struck[phase] += 1
                continue
        assert victim.wait(), f"{words} does not end"
        assert victim.process.exitcode == 0, f"{words} in {place}"
        return
    raise AssertionError(f"{words} does not finish")


# Which commands read a file: the first part of its path that fits.
READERS = (
    ("shades", ("run", STUDENT, *SHADES)),
    ("data/cifar10-jpeg", ("run", SCRATCH, *SETTINGS)),
    ("data/fashion", ("run", SCRATCH, "--set", "dataset=fashion-mnist")),
    (f"runs/{SCRATCH}", ("run", SCRATCH, *SHADES, "--seed", "7")),
    ("runs", ("run", STUDENT, *SHADES)),
    ("runs", ("targets", STUDENT, *SHADES)),
    ("runs", ("table", "--results", "runs")),
)
WORDS = (
    *(("run", SCRATCH, *SHADES), ("targets", STUDENT, *SHADES), ("list",)),
    ("run", STUDENT, *SHADES, "--seed", "3", "--size", "laptop", "--trial"),
    ("run", STUDENT, *SHADES, "--folder", "runs", "--results", "runs"),
    ("record", "--size", "laptop", "--only", SCRATCH, "--workers", "1"),
    ("table", "--results", "runs"),
)
KEYS = tuple(field.name for field in fields(Recipe))
NASTY = (
    *("", "0", "-1", "1", "2", "3", "7", "1e9", "1e-300", "1e400", "nan"),
    *("inf", "-inf", "9" * 30, "true", "none", "null", "[]", "{}", "'", '"'),
    *("\0", "\n", "\u202e", "\ud800", "é", "%s", "{0}", "a=b", "=", "--"),
    *("../..", "shades", "digits", "sgd", "vit", "resnet50", "soft"),
    *("small_cnn", "mutual", "token", "virtual", "argmax", STUDENT, SCRATCH),
)


def garbled(raw, others, choice):
    r"""Bytes with a mistake in them."""
    at = choice.randrange(len(raw) + 1)
    end = min(len(raw), at + choice.choice((1, 4, 16, 300)))
    span = choice.randbytes(end - at)
    kinds = {
        "cut": lambda: raw[:at],
        "flip": lambda: (
            raw[:at] + bytes(b ^ 1 for b in raw[at:end]) + raw[end:]
        ),
        "noise": lambda: raw[:at] + span + raw[end:],
        "zeros": lambda: raw[:at] + bytes(end - at) + raw[end:],
        "ones": lambda: raw[:at] + b"\xff" * (end - at) + raw[end:],
        "hole": lambda: raw[:at] + raw[end:],
        "twice": lambda: raw[:end] + raw[at:],
        "another": lambda: choice.choice(others),
        "word": lambda: _word_changed(raw, choice),
    }
    return kinds[choice.choice(sorted(kinds))]()


def _word_changed(raw, choice):
    # One of what stands between the marks of a text, such as JSON.
    words = raw.split(b" ")
    nasty = choice.choice(NASTY).encode("utf-8", "surrogatepass")
    words[choice.randrange(len(words))] = nasty
    return b" ".join(words)


def wrong_words(choice):
    r"""A command with a mistake in it, and no time to train."""
    words = list(choice.choice(WORDS))
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(words) + 1)
        kind = choice.randrange(5)
        if kind == 0 and words[at:]:
            del words[at]
        elif kind == 1:
            words.insert(at, choice.choice(choice.choice(WORDS)))
        elif kind == 2 and words[at:]:
            letters = list(words[at] or " ")
            letters[choice.randrange(len(letters))] = choice.choice(NASTY)
            words[at] = "".join(letters)
        elif words[:1] in (["run"], ["targets"]):
            words += ["--set", f"{choice.choice(KEYS)}={_value(choice)}"]
        else:
            words.insert(at, choice.choice(NASTY))
    return words


def _value(choice):
    if choice.random() < 0.5:
        return choice.choice(NASTY)
    return str(choice.choice((choice.randint(-3, 70), choice.random() * 3)))


def _one_garbled(world, pristine, choice):
    # A file, and who reads it; or a command.
    if choice.random() < 0.3:
        return wrong_words(choice)
    key = choice.choice(sorted(pristine))
    raw = garbled(pristine[key], list(pristine.values()), choice)
    (world / key).write_bytes(raw)
    return choice.choice([w for part, w in READERS if key.startswith(part)])


def _put_back(world, pristine):
    found = worlds.contents(world)
    for key in found.keys() - pristine.keys():
        (world / key).unlink()
    for key in pristine:
        if found.get(key) != pristine[key]:
            (world / key).parent.mkdir(parents=True, exist_ok=True)
            (world / key).write_bytes(pristine[key])


def _fault(world, words, status, told):
    # What is wrong with the way in which a command ended.
    left = [path for name in LEFTOVERS[:2] for path in world.rglob(name)]
    if left:
        return f"left {left}"
    if status not in (0, 2, 75):
        return f"status {status}"
    if status == 2:
        one = told.startswith("labkd: ") and told.count("\n") == 1
        return "" if one else f"told {told!r}"
    return f"told {told!r}" if told else ""


def _fuzz(seconds, seed, folder, report):
    # Killed by the system for its memory, it could not tell what it did.
    if os.path.exists("/proc/self/statm"):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + 4 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    world, choice = Path(folder), random.Random(seed)
    pristine, statuses, faults = worlds.contents(world), Counter(), []
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(faults) < 5:
        words = _one_garbled(world, pristine, choice)
        if words[:1] != ("table",):
            # A second or so, whatever it was told before.
            words = (*words, "--minutes", "0.02")
        Path(report).write_text(f"{statuses.total()}: {words!r} is not done")
        faulthandler.dump_traceback_later(120, exit=True)
        archive = world / "data" / CIFAR10_JPEG
        try:
            with worlds.trusting(archive), worlds.in_known_order():
                status, _, told = worlds.command(world, *words)
            fault = _fault(world, words, status, told)
        except BaseException:
            status, fault = "an exception", traceback.format_exc()
        faulthandler.cancel_dump_traceback_later()
        statuses[status] += 1
        if fault:
            shutil.copytree(world, f"{world}-{len(faults)}")
            faults.append(f"{statuses.total()}: {words!r}: {fault}")
        _put_back(world, pristine)
    told = {"statuses": dict(statuses), "faults": faults}
    Path(report).write_text(json.dumps(told), "utf-8")


def fuzz(seconds, folder, seed=0):
    r"""
    Garbles files and arguments for some seconds: status -> how often.

    Raises `AssertionError` for anything but one line and a known status.
    """
    world, report = folder / "world", folder / "report"
    world.mkdir(parents=True)
    worlds.make(world)
    process = Forked(_fuzz, seconds, seed, str(world), str(report)).process
    process.join()
    told = report.read_text("utf-8")
    assert process.exitcode == 0, (
        f"exit {process.exitcode}, seed {seed}: {told}"
    )
    told = json.loads(told)
    assert not told["faults"], "\n".join([f"seed {seed}", *told["faults"]])
    return Counter(told["statuses"])


def _tell(struck):
    print(f"{struck.total()} kills, all finished in spite of them")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    began = time.monotonic()
    struck = kill(options.kills, folder, options.seed, told=_tell)
    print(f"{struck.total()} kills in {time.monotonic() - began:.0f} s:")
    for phase, count in struck.most_common():
        print(f"{count:6} at {phase}")
    print("every command finished, to the bits of an undisturbed one")
    began = time.monotonic()
    statuses = fuzz(60 * options.minutes, folder, options.seed)
    print(
        f"{statuses.total()} garbled inputs in "
        f"{time.monotonic() - began:.0f} s, no traceback:"
    )
    for status, count in sorted(statuses.items()):
        print(f"{count:6} ended with status {status}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
