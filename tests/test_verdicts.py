r"""A verdict needs a teacher that is better than its student."""

import copy
import math
import statistics

import pytest

from labkd import records, verdicts
from labkd.inference import PairedDifference

SHIPPED = records.read_all()
OURS, THEIRS = "soft-vit_from_resnet18-cifar10", "scratch-vit-cifar10"
TEACHER = "teacher-resnet18-cifar10"


def validation(run):
    return run["epochs"][-1]["validation"]


def with_teacher(points, name=OURS, size="laptop"):
    r"""The shipped records with another teacher: one accuracy is changed."""
    found = copy.deepcopy(SHIPPED)
    runs = verdicts.runs_of(found, name, size)
    (teacher,) = verdicts.teachers_of(found, runs)
    validation(teacher)["accuracy"] = points / 100
    return found


def students(name=THEIRS, size="laptop"):
    return [
        100 * validation(run)["accuracy"]
        for run in SHIPPED
        if (run["recipe"], run["size"]) == (name, size)
    ]


def test_a_weak_teacher_gets_no_verdict():
    found = with_teacher(statistics.mean(students()) - 10)
    judged = verdicts.judge(found, OURS, THEIRS, "laptop")
    assert judged.words == verdicts.NOT_TESTED and judged.reason
    # What was measured stays.
    plain = verdicts.judge(with_teacher(99), OURS, THEIRS, "laptop")
    assert judged.difference == plain.difference
    for word in ("higher", "lower", "no difference"):
        assert word not in str(judged)


def test_a_strong_teacher_gets_one():
    # The weakest of the shipped teachers, made strong.
    name = "soft-small_cnn_from_large_cnn-cifar10"
    pair = name, "scratch-small_cnn-cifar10", "laptop"
    weak = verdicts.judge(SHIPPED, *pair)
    assert weak.words == verdicts.NOT_TESTED
    strong = verdicts.judge(with_teacher(99, name), *pair)
    assert strong.words == "here: lower" and not strong.reason
    assert strong.difference == weak.difference
    assert "(95 % interval)" in str(strong)


@pytest.mark.parametrize(("points", "tested"), [(99, True), (20, False)])
def test_ones_own_teacher_has_no_record_and_is_judged_all_the_same(
    points, tested
):
    found = copy.deepcopy(SHIPPED)
    for run in verdicts.runs_of(found, OURS, "laptop"):
        run["config"]["teacher"] = "mine:my_teacher"
        run["teacher"] = {
            "own": "mine:my_teacher",
            "validation": {"images": 50, "accuracy": points / 100},
        }
    judged = verdicts.judge(found, OURS, THEIRS, "laptop")
    assert (judged.words != verdicts.NOT_TESTED) is tested
    assert f"the teacher has {points}.0 %" in str(judged) or tested


def test_a_teacher_must_be_above_every_seed():
    # A point above the mean in either case, but once below the best.
    best, mean = max(students()), statistics.mean(students())
    points = max(best, mean + 1)
    above = with_teacher(points + 0.1)
    assert verdicts.weakness(above, (OURS,), "laptop") == ""
    lucky = with_teacher(points + 0.1)
    run = verdicts.runs_of(lucky, THEIRS, "laptop")[0]
    validation(run)["accuracy"] = (points + 0.1) / 100
    assert verdicts.weakness(lucky, (OURS,), "laptop")


def test_a_teacher_must_lead_by_a_point():
    def found(points):
        changed = with_teacher(points)
        for run in verdicts.runs_of(changed, THEIRS, "laptop"):
            validation(run)["accuracy"] = 0.5
        return changed

    assert verdicts.weakness(found(50.9), (OURS,), "laptop")
    assert verdicts.weakness(found(51.0), (OURS,), "laptop") == ""


def test_both_sides_of_a_comparison_need_their_teachers():
    pair = OURS, "soft-vit_from_resnet18_10k-cifar10"
    assert verdicts.weakness(SHIPPED, pair, "laptop") == ""
    for side in pair:
        weak = with_teacher(30, side)
        assert verdicts.weakness(weak, pair, "laptop")
        assert verdicts.weakness(weak, pair[::-1], "laptop")


@pytest.mark.parametrize("missing", [TEACHER, THEIRS])
def test_what_is_not_recorded_is_no_test(missing):
    found = [run for run in SHIPPED if run["recipe"] != missing]
    assert missing in verdicts.weakness(found, (OURS,), "laptop")


def test_methods_without_a_stronger_teacher_are_exempt():
    names = {
        run["recipe"]
        for run in SHIPPED
        if run["config"].get("objective")
        in verdicts.WITHOUT_A_STRONGER_TEACHER
    }
    assert {name.split("-")[0] for name in names} >= {"mutual", "virtual"}
    assert all(not verdicts.weakness(SHIPPED, (n,), "laptop") for n in names)
    # Born again: the teacher is the student on labels.
    found = with_teacher(30)
    for run in verdicts.runs_of(found, OURS, "laptop"):
        run["config"]["teacher"] = run["config"]["baseline"]
    assert verdicts.weakness(found, (OURS,), "laptop") == ""


@pytest.mark.parametrize(
    ("mean", "half_width", "words"),
    [
        (1.0, 0.5, "here: higher"),
        (-1.0, 0.5, "here: lower"),
        (0.4, 0.5, "here: no difference found"),
    ],
)
def test_the_interval_gives_the_words(mean, half_width, words):
    difference = PairedDifference(mean, half_width)
    assert verdicts.verdict(difference).words == words
    weak = verdicts.verdict(difference, "a reason")
    assert (weak.words, weak.reason) == (verdicts.NOT_TESTED, "a reason")


def test_seeds_are_paired():
    found = copy.deepcopy(SHIPPED)
    lost = verdicts.runs_of(found, OURS, "laptop")[0]
    found.remove(lost)
    judged = verdicts.judge(found, OURS, THEIRS, "laptop")
    scores = {
        name: {
            run["seed"]: 100 * run["test"]["accuracy"]
            for run in verdicts.runs_of(found, name, "laptop")
        }
        for name in (OURS, THEIRS)
    }
    gaps = [scores[OURS][s] - scores[THEIRS][s] for s in scores[OURS]]
    assert judged.difference.mean == pytest.approx(statistics.mean(gaps))
    # Student's t for three degrees of freedom.
    half = 3.1824 * statistics.stdev(gaps) / math.sqrt(4)
    assert judged.difference.half_width == pytest.approx(half, rel=1e-4)
    with pytest.raises(ValueError):
        verdicts.judge(found, OURS, "no-such-recipe", "laptop")


def test_gains_are_differences_by_seed_of_what_was_tested():
    weak = "soft-small_cnn_from_large_cnn-cifar10"
    names = {"soft": OURS, "none": "fitnets-none-cifar10", "weak": weak}
    found = verdicts.gains(SHIPPED, names, THEIRS, "laptop")
    # No record, or no better teacher: left out.
    assert list(found) == ["soft"]
    pairs = verdicts.pairs_of(SHIPPED, OURS, THEIRS, "laptop")
    assert len(found["soft"]) == len(pairs) >= 2
    judged = verdicts.judge(SHIPPED, OURS, THEIRS, "laptop")
    mean = statistics.mean(found["soft"])
    assert mean == pytest.approx(judged.difference.mean)
    one = [r for r in SHIPPED if r["recipe"] != OURS or r["seed"] == 0]
    assert verdicts.gains(one, {"soft": OURS}, THEIRS, "laptop") == {}
