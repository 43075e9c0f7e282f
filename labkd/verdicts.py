r"""
# Verdicts

What may be said of a comparison, here, with these networks, these images and
this budget: *higher*, *lower* or *no difference found*.

And before that, whether it was a test at all. A teacher that is not clearly
better than its student may have nothing to teach it. What its soft labels then
do to the student says something of this teacher and nothing of the method, so
such a comparison is *not tested*.
"""

import statistics
from dataclasses import dataclass

from labkd.inference import PairedDifference, paired_difference

NOT_TESTED = "not tested"
# In points of accuracy, over the mean of the students on labels.
LEAST_LEAD = 1.0
# Learning from peers, and from a teacher that is written down by hand: by
# design there is nobody who knows more.
WITHOUT_A_STRONGER_TEACHER = ("mutual", "mutual-ensemble", "virtual")
_KEY = ("recipe", "size", "seed")


@dataclass(frozen=True)
class Verdict:
    r"""
    What a comparison says.

    * `words`: `here: higher`, `here: lower`, `here: no difference found` or
      `not tested`
    * `difference`: what was measured, also where it is no test
    * `reason`: why it was not tested, or nothing
    """

    words: str
    difference: PairedDifference
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.words}: {self.reason}"
        return f"{self.difference.labelled()}, {self.words}"


def judge(
    found: list[dict],
    ours: str,
    theirs: str,
    size: str,
    score: str = "accuracy",
) -> Verdict:
    r"""
    The verdict on two recipes, over the seeds that both have.

    * `found`: records, as `records.read_all` gives them, those of the
      teachers among them
    * `ours`, `theirs`: the names of the recipes
    * `size`: of both
    * `score`: on the test images; counted in hundredths, which for accuracy
      are points

    Raises `ValueError` when fewer than two seeds are shared.
    """
    pairs = pairs_of(found, ours, theirs, size)
    difference = paired_difference(
        [100 * mine["test"][score] for mine, _ in pairs],
        [100 * yours["test"][score] for _, yours in pairs],
    )
    return verdict(difference, weakness(found, (ours, theirs), size))


def verdict(difference: PairedDifference, weakness: str = "") -> Verdict:
    r"""
    Puts a difference into words, unless the teacher was too weak.

    * `weakness`: as the function of this name says it
    """
    if weakness:
        return Verdict(NOT_TESTED, difference, weakness)
    words = "no difference found"
    if difference.found:
        words = "higher" if difference.mean > 0 else "lower"
    return Verdict(f"here: {words}", difference)


def weakness(found: list[dict], names: tuple[str, ...], size: str) -> str:
    r"""
    Why the teachers of a comparison cannot test anything.

    On the validation images after the last epoch a teacher must be above
    *every* seed of the student that learns from labels alone, which is the
    recipe's baseline, and by a point above their mean. Three kinds of recipe
    have no stronger teacher by design, and need none: those that learn from
    peers, those with a virtual teacher, and those whose teacher is their own
    baseline (born-again networks).

    * `found`: records
    * `names`: of the recipes that are compared
    * `size`: of all of them

    Returns a reason, or nothing where the teachers are strong enough. A
    teacher or a baseline without a record is a reason.
    """
    reasons = {_weakness(found, name, size): None for name in names}
    return "; ".join(filter(None, reasons))


def _weakness(found: list[dict], name: str, size: str) -> str:
    runs = runs_of(found, name, size)
    if not runs:
        return f"no record of {name}"
    config = runs[0]["config"]
    teacher, baseline = config.get("teacher"), config.get("baseline")
    if (
        not teacher
        or teacher == baseline
        or config.get("objective") in WITHOUT_A_STRONGER_TEACHER
    ):
        return ""
    teachers = _of_teachers(found, runs)
    students = _validation(runs_of(found, baseline, size))
    if not teachers:
        return f"no record of {teacher}"
    if not students:
        return f"no record of {baseline or 'a student on labels'}"
    lead = min(teachers) - statistics.mean(students)
    # Half a millionth of a point is how fractions are rounded, and no lead.
    if min(teachers) > max(students) and lead > LEAST_LEAD - 1e-6:
        return ""
    return (
        f"on validation the teacher has {min(teachers):.1f} %, its student "
        f"with labels alone {statistics.mean(students):.1f} % in the mean "
        f"and up to {max(students):.1f} %"
    )


def runs_of(found: list[dict], name: str, size: str) -> list[dict]:
    r"""The records of a recipe at a size."""
    return [r for r in found if (r["recipe"], r["size"]) == (name, size)]


def pairs_of(
    found: list[dict], ours: str, theirs: str, size: str
) -> list[tuple[dict, dict]]:
    r"""Records of two recipes with the same seed, by seed."""
    mine, yours = (
        {run["seed"]: run for run in runs_of(found, name, size)}
        for name in (ours, theirs)
    )
    return [(mine[seed], yours[seed]) for seed in sorted(mine.keys() & yours)]


def gains(
    found: list[dict], names: dict[str, str], theirs: str, size: str
) -> dict[str, list[float]]:
    r"""
    How far several recipes are ahead of one, as `draw_differences` takes it.

    * `found`: records
    * `names`: recipes by the names that a reader sees
    * `theirs`: the recipe that all are compared with
    * `size`: of all of them

    Returns, by those names, a number for each seed that both have: points of
    test accuracy, ours minus theirs. A recipe without two such seeds, or
    whose comparison is not tested, is left out.
    """
    ahead = {}
    for name, ours in names.items():
        pairs = pairs_of(found, ours, theirs, size)
        if len(pairs) < 2 or weakness(found, (ours, theirs), size):
            continue
        ahead[name] = [
            100 * (mine["test"]["accuracy"] - yours["test"]["accuracy"])
            for mine, yours in pairs
        ]
    return ahead


def asked_by(runs: list[dict]) -> set[tuple]:
    r"""Recipe, size and seed of every teacher that some runs asked."""
    asked = [run["teacher"] for run in runs if run.get("teacher")]
    return {tuple(teacher.get(key) for key in _KEY) for teacher in asked}


def teachers_of(found: list[dict], runs: list[dict]) -> list[dict]:
    r"""The records of the teachers that some runs asked."""
    asked = asked_by(runs)
    return [run for run in found if tuple(run[key] for key in _KEY) in asked]


def _of_teachers(found: list[dict], runs: list[dict]) -> list[float]:
    # One's own has no record: its students' say how good it was beforehand.
    asked = [run.get("teacher") or {} for run in runs]
    if asked and all("own" in teacher for teacher in asked):
        return [100 * each["validation"]["accuracy"] for each in asked]
    known = teachers_of(found, runs)
    return [] if len(known) < len(asked_by(runs)) else _validation(known)


def _validation(runs: list[dict]) -> list[float]:
    return [100 * r["epochs"][-1]["validation"]["accuracy"] for r in runs]
