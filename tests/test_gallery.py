r"""The gallery of mistakes: lessons, the classroom, the record and damage."""

import copy
import json
from dataclasses import asdict

import pytest
import torch

from labkd import mistakes
from labkd.lab import damage, gallery
from labkd.lab.classroom import Classroom, heard, judged, train
from labkd.lab.lessons import LESSONS
from labkd.lab.perceptrons import Perceptrons, say
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_targets

WRONG = [name for name, lesson in LESSONS.items() if lesson.right != name]
# What a mistake is in, where it is not in the loss alone.
ELSEWHERE = {
    "teacher trained too": {"loss", "teacher"},
    "teacher in training mode": {"teacher"},
    "out of step": {"answers"},
    "other normalisation": {"answers"},
    "teacher sees fewer": {"answers"},
    "student frozen": {"frozen"},
    "batch statistics, sorted": {"batch_statistics"},
    "batch statistics, shuffled": {"batch_statistics"},
    "mean of logits": {"answers"},
}


@pytest.fixture(scope="module")
def room():
    torch.set_num_threads(1)
    return Classroom()


@pytest.fixture
def batch():
    torch.manual_seed(0)
    z, v = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
    return z.requires_grad_(), v, torch.randint(10, (64,))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_lesson_differs_in_its_mistake_alone(name):
    right = LESSONS[LESSONS[name].right]
    assert LESSONS[right.right] is right
    ours, theirs = asdict(LESSONS[name]), asdict(right)
    different = {key for key in ours if ours[key] != theirs[key]} - {"right"}
    assert different == ELSEWHERE.get(name, {"loss"})


def soft(form, z, v, y, T=4.0):
    r"""A form's soft term, from its loss with all weight on it."""
    return form(z, v, y, T, 1.0)


def test_each_form_is_what_its_line_says(batch):
    z, v, y = batch
    T, C = 4.0, 10
    p, q = (v / T).softmax(1), (z / T).softmax(1)
    kl = (p * (p / q).log()).sum(1).mean()
    twice = (v.softmax(1) / T).softmax(1)
    at_one = z.softmax(1)
    expected = {
        mistakes.mean_over_classes: T**2 * kl / C,
        mistakes.no_square: kl,
        mistakes.probabilities: T**2 * (p * (p.log() - q)).sum(1).mean(),
        mistakes.swapped: T**2 * (q * (q / p).log()).sum(1).mean(),
        mistakes.logarithm_promised: T**2
        * (p.exp() * (p - q.log())).sum(1).mean(),
        mistakes.squared_error: T**2 * ((p - q) ** 2).mean(),
        mistakes.second_softmax: T**2
        * (twice * (twice / q).log()).sum(1).mean(),
        mistakes.two_temperatures: T**2
        * (p * (p / at_one).log()).sum(1).mean(),
        mistakes.softmax_before_labels: T**2 * kl,
        mistakes.own_teacher: 0 * kl,
        mistakes.teacher_attached: T**2 * kl,
    }
    for form, value in expected.items():
        torch.testing.assert_close(soft(form, z, v, y), value)
    unannounced = soft(mistakes.logarithm_unannounced, z, v, y)
    assert unannounced.isnan()
    assert torch.autograd.grad(unannounced, z)[0].isfinite().all()
    hard = torch.nn.functional.cross_entropy(z, y)
    wholes = {
        mistakes.mean_times_hundred: 100 * kl / C + 0.5 * hard,
        mistakes.weight_reversed: 0.9 * hard + 0.1 * T**2 * kl,
        # 32.7 in place of 22.4, before the mean over classes.
        mistakes.sum_for_product: 32.7 * kl / C + 0.3 * hard,
    }
    for form, value in wholes.items():
        weight = 0.7 if form is mistakes.sum_for_product else 0.9
        torch.testing.assert_close(form(z, v, y, T, weight), value)


def test_softmax_before_labels_is_in_the_hard_term(batch):
    z, v, y = batch
    expected = torch.nn.functional.cross_entropy(z.softmax(1), y)
    ours = mistakes.softmax_before_labels(z, v, y, 4.0, 0.0)
    torch.testing.assert_close(ours, expected)


def test_peers_attached_pull_each_other(batch):
    z, v, y = batch
    peer = v.requires_grad_()
    losses = mistakes.peers_attached([z, peer], y)
    detached = distillation_loss(z, peer, y, temperature=1.0, soft_weight=0.5)
    torch.testing.assert_close(losses[0], detached)
    assert torch.autograd.grad(losses[0], peer)[0].abs().max() > 0


def test_networks_side_by_side_do_not_meet():
    torch.manual_seed(0)
    several = Perceptrons([3, 5], 64, 8, dropout=0.0)
    alone = Perceptrons([5], 64, 8, dropout=0.0)
    x = torch.randn(2, 16, 64)
    # In training mode: BatchNorm sees each one's own batch.
    torch.testing.assert_close(several(x)[1], alone(x[1:])[0])
    before = several(x)[1]
    x[0] += 1
    assert several(x)[1].equal(before)
    copies = alone.repeated(3).eval()
    torch.testing.assert_close(
        say(copies, x[0]), say(alone.eval(), x[0]).expand(3, -1, -1)
    )


def test_doubtful_labels_are_wrong_where_they_should_be(room):
    which, labels = room.given("doubtful", 0)
    assert sorted(which.tolist()) == list(range(1200))
    kept = (labels == room.labels["train"]).double().mean()
    # Three in five, and one in ten of the rest by chance.
    assert abs(kept - 0.64) < 0.04
    few, right = room.given("few", 0)
    assert len(set(few.tolist())) == 200
    assert right.equal(room.labels["train"])


def test_answers_are_to_the_question_that_their_name_says(room):
    teacher, answers = room.teachers[0], room.answers
    asked = say(teacher, room.images["train"])[0]
    torch.testing.assert_close(answers["teacher"], asked)
    step = answers["out of step"]
    assert not step.equal(asked)
    assert step.sort(0).values.equal(answers["teacher"].sort(0).values)
    members = [say(one, room.images["train"])[0] for one in room.teachers]
    belief = sum((v / 4).softmax(1) for v in members) / 3
    torch.testing.assert_close((answers["ensemble"] / 4).softmax(1), belief)
    geometric = torch.stack([(v / 4).log_softmax(1) for v in members]).mean(0)
    torch.testing.assert_close(
        (answers["mean of logits"] / 4).softmax(1), geometric.softmax(1)
    )


def test_who_is_trained_and_who_is_not(room):
    before = copy.deepcopy(room.teachers[0].state_dict())
    for name in ("hinton", "teacher trained too", "teacher in training mode"):
        train(LESSONS[name], room, "few", 2, 0.01, steps=3)
    after = room.teachers[0].state_dict()
    assert all(before[key].equal(after[key]) for key in before)
    teacher, batch = room.teachers[0].repeated(2), torch.arange(8).expand(2, 8)
    asked = room.answers["teacher"][batch]
    learning = heard(LESSONS["teacher trained too"], room, teacher, batch)
    torch.testing.assert_close(learning, asked)
    assert learning.requires_grad
    training = heard(LESSONS["teacher in training mode"], room, teacher, batch)
    assert not training.requires_grad
    assert (training - asked).abs().max() > 0.1


def test_a_frozen_student_keeps_its_statistics(room):
    norms = [
        train(LESSONS[name], room, "few", 1, 0.01, steps)[0].norm
        for name in ("hinton", "student frozen")
        for steps in (4, 12)
    ]
    means = [norm.running_mean for norm in norms]
    # 200 images are four batches of 64: the same until then.
    assert means[0].equal(means[2])
    assert means[2].equal(means[3]) and not means[0].equal(means[1])


def test_batch_statistics_judge_an_image_by_its_neighbours(room):
    students = train(LESSONS["hinton"], room, "few", 1, 0.01)[0]
    logits = {
        name: judged(LESSONS[name], room, students, "test")
        for name in ("hinton", "batch statistics, sorted")
        + ("batch statistics, shuffled",)
    }
    right = {
        name: (z.argmax(2) == room.labels["test"]).double().mean()
        for name, z in logits.items()
    }
    alone, by_class, mixed = right.values()
    assert alone > mixed > by_class
    assert not students.training


@pytest.fixture(scope="module")
def record():
    return damage.read()


def test_the_record_is_whole(record):
    assert set(record["lessons"]) == set(record["pulls"]) == set(LESSONS)
    assert len(WRONG) >= 15 and record["seeds"] >= 5
    assert (
        record["command"] == damage.COMMAND and "with" not in record["commit"]
    )
    for lesson in record["lessons"].values():
        for trials in lesson.values():
            assert [trial["rate"] for trial in trials] == list(gallery.RATES)
            for trial in trials:
                assert {len(trial[key]) for key in trial if key != "rate"} == {
                    record["seeds"]
                }


@pytest.mark.parametrize("name", ["labels alone", "no square"])
def test_a_recorded_score_comes_out_again(record, room, name):
    (kept,) = (
        trial
        for trial in record["lessons"][name]["few"]
        if trial["rate"] == gallery.RATES[1]
    )
    seeds = record["seeds"]
    students = train(LESSONS[name], room, "few", seeds, kept["rate"])[0]
    logits = judged(LESSONS[name], room, students, "test")
    right = 100 * (logits.argmax(2) == room.labels["test"]).double().mean(1)
    # Other processors add in another order: an image or two of 497.
    for ours, theirs in zip(right.tolist(), kept["test"], strict=True):
        assert abs(ours - theirs) < 1.5


def test_recorded_pulls_follow_from_the_formulas(record):
    pulls = record["pulls"]
    assert pulls["labels alone"]["angle"] == pytest.approx(
        pulls["own teacher"]["angle"], abs=1e-3
    )
    # What remains of the loss is a tenth of the cross-entropy.
    ratio = pulls["own teacher"]["loss"] / pulls["labels alone"]["loss"]
    assert ratio == pytest.approx(0.1, rel=1e-3)
    assert pulls["logarithm unannounced"]["loss"] is None
    assert pulls["teacher trained too"]["gradient"] == pytest.approx(1)
    assert pulls["probabilities"]["loss"] < 0


def fake(ours, theirs, best):
    rates = zip((0.1, 0.2), ours, strict=True)
    lesson = [
        {"rate": rate, "validation": [held], "test": test, "nll": [None] * 3}
        for rate, (held, test) in rates
    ]
    return {
        "lessons": {
            "no square": {"few": lesson},
            "hinton": {
                "few": [
                    {"rate": r, "validation": [v], "test": theirs}
                    for r, v in zip((0.1, 0.2), best, strict=True)
                ]
            },
        }
    }


def test_damage_is_at_the_rate_that_it_says():
    ours = (9.0, [70.0, 71.0, 72.0]), (8.0, [60.0, 61.0, 62.0])
    record = fake(ours, [80.0, 81.0, 82.0], best=(1.0, 2.0))
    assert damage.damage(record, "no square", "few").mean == -20
    tuned = damage.damage(record, "no square", "few", tuned=True)
    assert tuned.mean == -10 and tuned.half_width == 0
    assert damage.points(tuned) == "-10.0 ± 0.0 *"
    with pytest.raises(ValueError, match="no square"):
        damage.damage(record, "no square", "few", score="nll")


def test_a_missing_record_names_its_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"labkd\.lab\.gallery"):
        damage.read(tmp_path)


def test_the_command_writes_a_record(tmp_path, monkeypatch, room):
    some = {k: LESSONS[k] for k in ("hinton", "logarithm unannounced")}
    monkeypatch.setattr(gallery, "LESSONS", some)
    monkeypatch.setattr(gallery, "RATES", (0.01,))
    monkeypatch.setattr(gallery, "SEEDS", 2)
    monkeypatch.setattr(gallery, "Classroom", lambda: room)
    assert gallery.main(["--results", str(tmp_path)]) == 0
    written = json.loads(damage.path_of(tmp_path).read_text())
    (trial,) = written["lessons"]["logarithm unannounced"]["few"]
    # The loss is no number, its gradient is: away from teacher and labels.
    assert max(trial["test"]) < 30 and len(trial["nll"]) == 2
    assert written["pulls"]["logarithm unannounced"]["loss"] is None
    assert 90 < written["teacher"] < 100


def test_the_table_has_a_row_for_each(record):
    text = damage.table(record)
    assert text.count("<tr>") == len(WRONG) + 1
    order = damage.by_damage(record)
    costs = [damage.damage(record, name, "doubtful").mean for name in order]
    assert costs == sorted(costs)


def test_the_softened_virtual_teacher_is_the_published_one(batch):
    z, v, y = batch
    loss = LESSONS["virtual, softened"].loss(z, v, y, 4.0, 0.9)
    targets = (virtual_targets(y, 10).double() / 20).softmax(1)
    log_q = (z / 20).log_softmax(1)
    soft = (targets * (targets.log() - log_q)).sum(1).mean()
    hard = torch.nn.functional.cross_entropy(z, y)
    torch.testing.assert_close(loss, 0.5 * hard + 0.5 * 400 * soft)
