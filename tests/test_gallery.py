r"""The gallery of mistakes: lessons, classroom, record, damage and cards."""

import copy
import json
import re
from dataclasses import asdict

import jupytext
import pytest
import torch
from conftest import ROOT

from labkd import mistakes
from labkd.inference import PairedDifference, paired_difference
from labkd.lab import damage, gallery
from labkd.lab.classroom import Classroom, heard, judged, train
from labkd.lab.lessons import LESSONS
from labkd.lab.perceptrons import Perceptrons, say
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_targets

# PyTorch warns of a mistake that is on the cards.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
WRONG = [name for name, lesson in LESSONS.items() if lesson.right != name]
# What a mistake is in, where it is not in the loss alone.
ELSEWHERE = {
    "teacher trained too": {"loss", "teacher"},
    "teacher in training mode": {"teacher"},
    "new head": {"answers"},
    "out of step": {"answers"},
    "other normalisation": {"answers"},
    "teacher sees fewer": {"answers"},
    "student frozen": {"frozen"},
    "student unwrapped": {"processes"},
    "batch statistics, sorted": {"batch_statistics"},
    "batch statistics, shuffled": {"batch_statistics"},
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


def test_each_form_is_what_its_line_says(batch):
    z, v, y = batch
    T, C = 4.0, 10
    p, q = (v / T).softmax(1), (z / T).softmax(1)
    kl = (p * (p / q).log()).sum(1).mean()
    twice = (v.softmax(1) / T).softmax(1)
    clipped = [(x / T).clamp(1e-7, 1) for x in (z, v)]
    names = clipped[1] * (clipped[1] / clipped[0]).log()
    expected = {
        mistakes.divergence: kl,
        mistakes.mean_over_classes: kl / C,
        mistakes.no_square: kl / T**2,
        mistakes.probabilities: (p * (p.log() - q)).sum(1).mean(),
        mistakes.swapped: (q * (q / p).log()).sum(1).mean(),
        mistakes.logarithm_promised: (p.exp() * (p - q.log())).sum(1).mean(),
        mistakes.squared_error: ((p - q) ** 2).mean(),
        mistakes.second_softmax: (twice * (twice / q).log()).sum(1).mean(),
        mistakes.two_temperatures: (p * (p / z.softmax(1)).log())
        .sum(1)
        .mean(),
        mistakes.raw_logits: names.sum(1).mean() / T**2,
        mistakes.own_teacher: 0 * kl,
    }
    for form, value in expected.items():
        torch.testing.assert_close(form(z, v, T), value)
    unannounced = mistakes.logarithm_unannounced(z, v, T)
    assert unannounced.isnan()
    assert torch.autograd.grad(unannounced, z)[0].isfinite().all()


def test_each_whole_loss_is_what_its_line_says(batch):
    z, v, y = batch
    hard = torch.nn.functional.cross_entropy(z, y)
    kl = mistakes.divergence(z, v, 4.0)
    ours = 0.1 * hard + 0.9 * 16 * kl
    expected = {
        mistakes.loss_with(): ours,
        mistakes.mean_times_hundred: 100 * kl / 10 + 0.5 * hard,
        mistakes.weight_reversed: 0.9 * hard + 0.1 * 16 * kl,
        mistakes.sum_for_product: (32 + 0.9) * kl / 10 + 0.1 * hard,
        mistakes.loss_doubled: 2 * ours,
    }
    for form, value in expected.items():
        torch.testing.assert_close(form(z, v, y, 4.0, 0.9), value)
        torch.testing.assert_close(
            mistakes.loss_with()(z, v, y, 4.0, 0.9),
            distillation_loss(z, v, y, temperature=4.0, soft_weight=0.9),
        )


def test_four_of_64_images_weigh_as_much_as_sixty(batch):
    z, v, y = (torch.cat([x, x]) for x in batch)
    each = torch.stack(
        [
            distillation_loss(z[i : i + 1], v[i : i + 1], y[i : i + 1])
            for i in range(64)
        ]
    )
    expected = (each[:60].mean() + each[60:].mean()) / 2
    ours = mistakes.mean_of_means(z, v, y, 4.0, 0.9)
    torch.testing.assert_close(ours, expected)


def test_softmax_before_labels_is_in_the_hard_term(batch):
    z, v, y = batch
    expected = torch.nn.functional.cross_entropy(z.softmax(1), y)
    loss = mistakes.loss_with(hard=mistakes.softmax_before_labels)
    torch.testing.assert_close(loss(z, v, y, 4.0, 0.0), expected)


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
    answers, labels = room.answers, room.labels["train"]
    asked = say(room.teacher, room.images["train"])[0]
    torch.testing.assert_close(answers["teacher"], asked)
    step = answers["out of step"]
    assert not step.equal(asked)
    assert step.sort(0).values.equal(answers["teacher"].sort(0).values)
    right = {
        name: (v.argmax(1) == labels).double().mean()
        for name, v in answers.items()
    }
    # A head that was never trained guesses.
    assert right["new head"] < 0.3 < 0.9 < right["teacher"]


def test_of_two_processes_the_first_hears_half(room):
    students = [
        train(LESSONS[name], room, "few", 1, 0.01, steps=3)[0]
        for name in ("hinton", "student unwrapped")
    ]
    assert not students[0].first.equal(students[1].first)
    which = room.given("few", 0)[0]
    kept = room.images["train"].clone()
    room.images["train"][which[1::2]] = 0  # those of the other process
    again = train(LESSONS["student unwrapped"], room, "few", 1, 0.01, steps=3)
    room.images["train"] = kept
    assert again[0].first.equal(students[1].first)


def test_who_is_trained_and_who_is_not(room):
    before = copy.deepcopy(room.teacher.state_dict())
    for name in ("hinton", "teacher trained too", "teacher in training mode"):
        train(LESSONS[name], room, "few", 2, 0.01, steps=3)
    after = room.teacher.state_dict()
    assert all(before[key].equal(after[key]) for key in before)
    teacher, batch = room.teacher.repeated(2), torch.arange(8).expand(2, 8)
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


def test_the_order_is_by_damage(record):
    order = damage.by_damage(record)
    costs = [damage.damage(record, name, "doubtful").mean for name in order]
    assert sorted(order) == sorted(WRONG) and costs == sorted(costs)


def test_a_picture_says_and_draws_its_numbers():
    pull = {"loss": 0.5, "gradient": 0.25, "angle": 30.0}
    gaps = {
        "few": PairedDifference(-3.0, 1.0),
        "doubtful": PairedDifference(-80.0, 2.0),
    }
    drawn = damage.picture(pull, gaps)
    (label,) = re.findall('aria-label="([^"]+)"', drawn)
    assert label == (
        "Loss 0.5 ×, gradient 0.25 ×, 30°, accuracy few -3.0 ± 1.0, "
        "doubtful -80.0 ± 2.0"
    )
    # Half of 36, a quarter of 36, eight a point from -15 on, an arrow.
    assert "M0 34h18" in drawn and "M0 0h9l" in drawn
    assert "rotate(-30)" in drawn and "M282 30H298M290 27v6" in drawn
    assert "M200 55l-5 3l5 3" in drawn
    nothing = damage.picture(pull | {"loss": None}, {})
    assert "Loss not a number" in nothing and "unchanged" in nothing


def test_the_softened_virtual_teacher_is_the_published_one(batch):
    z, v, y = batch
    loss = LESSONS["virtual, softened"].loss(z, v, y, 4.0, 0.9)
    targets = (virtual_targets(y, 10).double() / 20).softmax(1)
    log_q = (z / 20).log_softmax(1)
    soft = (targets * (targets.log() - log_q)).sum(1).mean()
    hard = torch.nn.functional.cross_entropy(z, y)
    torch.testing.assert_close(loss, 0.5 * hard + 0.5 * 400 * soft)


CHAPTER = ROOT / "notebooks" / "16_the_gallery_of_mistakes.py"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.S | re.M)


def cards():
    r"""Of each card its title, symptoms, code, test, and what it shows."""
    cells, found = jupytext.read(CHAPTER).cells, []
    for cell, after in zip(cells, cells[1:], strict=False):
        if "card" in cell.metadata.get("tags", []):
            title, symptoms = cell.source.split("\n\n")[:2]
            code, test = FENCE.findall(cell.source)
            listed = " ".join(symptoms.strip("*").split())
            found.append(
                (
                    title.removeprefix("### "),
                    listed.partition(": ")[2].split(", "),
                    code,
                    test,
                    re.findall('"([^"]+)"', after.source),
                )
            )
    return found


CARDS = cards()
each_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: card[0])


def version(code, other):
    r"""The code without the lines that are marked as the other kind."""
    lines = [x for x in code.splitlines() if not x.endswith(f"# {other}")]
    return "\n".join(lines)


def run(*texts):
    r"""What texts define, one after the other, after `import torch`."""
    names = {}
    for text in ("import torch", *texts):
        exec(text, names)
    return names


@each_card
def test_its_test_passes_on_the_right_lines_and_fails_on_the_wrong(card):
    _, _, code, test, _ = card
    (name,) = re.findall(r"^def (test_\w+)\(\):", test, re.M)
    run(version(code, "wrong"), test)[name]()
    wrong = run(version(code, "right"), test)[name]
    with pytest.raises(AssertionError):
        wrong()


@each_card
def test_both_kinds_of_lines_are_marked_and_no_lambda_is_among_them(card):
    _, _, code, _, _ = card
    assert "# wrong" in code and "# right" in code and "lambda" not in code
    assert max(map(len, code.splitlines())) <= 72


def test_every_mistake_has_its_card():
    shown = [name for *_, names in CARDS for name in names]
    # A student without a teacher is a yardstick.
    assert sorted(shown) == sorted(set(WRONG) - {"labels alone"})
    assert len({title for title, *_ in CARDS}) == len(CARDS) == 29


def form_on(card):
    r"""The function of a card's wrong lines."""
    (name,) = re.findall(r"^def (\w+)\(", card[2], re.M)
    return run(version(card[2], "right"))[name]


def test_two_tests_find_every_wrong_soft_term():
    tests = {}
    for *_, test, _ in CARDS:
        tests[re.findall(r"def (test_\w+)", test)[0]] = test
    names = "test_equals_have_nothing_to_teach", "test_by_hand"
    assert len(SOFT_TERMS) >= 8
    for _, _, code, _, _ in SOFT_TERMS:
        for other, passes in (("wrong", True), ("right", False)):
            found = []
            for name in names:
                check = run(version(code, other), tests[name])[name]
                try:
                    check()
                    found.append(True)
                except AssertionError:
                    found.append(False)
            assert all(found) == passes


SOFT_TERMS = [
    card for card in CARDS if "def soft_term(student_logits" in card[2]
]
WHOLE = [
    card
    for card in CARDS
    if "def loss(student_logits" in card[2] and card[4] != ["loss doubled"]
]


@pytest.mark.parametrize("card", SOFT_TERMS, ids=lambda card: card[0])
def test_a_soft_term_on_a_card_is_the_one_that_was_trained(card, batch):
    z, v, y = batch
    term = form_on(card)(z, v, 4.0)
    whole = 0.1 * torch.nn.functional.cross_entropy(z, y) + 14.4 * term
    trained = LESSONS[card[4][0]].loss(z, v, y, 4.0, 0.9)
    torch.testing.assert_close(whole, trained, equal_nan=True)


@pytest.mark.parametrize("card", WHOLE, ids=lambda card: card[0])
def test_a_loss_on_a_card_is_the_one_that_was_trained(card, batch):
    z, v, y = batch
    trained = LESSONS[card[4][0]].loss(z, v, y, 4.0, 0.9)
    torch.testing.assert_close(form_on(card)(z, v, y, 4.0, 0.9), trained)


def test_two_whole_terms_are_twice_the_loss_at_one_half(batch):
    z, v, y = batch
    (card,) = (card for card in CARDS if card[4] == ["loss doubled"])
    trained = LESSONS["loss doubled"].loss(z, v, y, 4.0, 0.5)
    torch.testing.assert_close(form_on(card)(z, v, y), trained)


def symptom_of_the_loss(loss):
    if loss is None:
        return "loss is not a number"
    if loss < 0:
        return "loss is negative"
    if loss < 0.7:
        return "loss is too small"
    return "loss looks right" if loss <= 1.3 else "loss is too large"


def gains_nothing(record, name):
    r"""In a classroom, not found to be better than labels alone."""
    for setting in damage.SETTINGS:
        alone = damage.chosen(record["lessons"]["labels alone"][setting])
        right = damage.chosen(record["lessons"]["hinton"][setting])
        (ours,) = (
            trial["test"]
            for trial in record["lessons"][name][setting]
            if trial["rate"] == right["rate"]
        )
        if paired_difference(ours, alone["test"]).low <= 0:
            return True
    return False


@each_card
def test_its_symptoms_are_those_of_the_record(card, record):
    _, symptoms, _, _, names = card
    if not names:
        return
    name = names[0]
    loss = symptom_of_the_loss(record["pulls"][name]["loss"])
    assert [s for s in symptoms if s.startswith("loss")] == [loss]
    gaps = [damage.damage(record, name, s) for s in damage.SETTINGS]
    low = any(gap.mean < -7 for gap in gaps)
    assert ("accuracy is low" in symptoms) == low
    if LESSONS[name].right == "hinton":
        assert ("no gain" in symptoms) == gains_nothing(record, name)
    if "too unsure" in symptoms:
        for setting in damage.SETTINGS:
            nll = damage.damage(record, name, setting, score="nll")
            assert nll.found and nll.mean > 0


def test_cards_are_sorted_by_damage_within_three_groups(record):
    headings = re.split(r"^# ## ", CHAPTER.read_text("utf-8"), flags=re.M)
    titles = [
        re.findall(r"^# ### (.*)$", text, re.M)
        for text in headings
        if "# ### " in text
    ]
    names = {title: shown[0] for title, *_, shown in CARDS if shown}
    wreck, cost, none = (
        [names[title] for title in group if title in names] for group in titles
    )
    for group in (wreck, cost, none):
        means = [damage.damage(record, n, "doubtful").mean for n in group]
        assert means == sorted(means)
    assert all(
        damage.damage(record, n, "doubtful").mean < -7 for n in wreck
    ) and all(damage.damage(record, n, "doubtful").mean > -7 for n in cost)
    assert all(damage.harmless(record, name) for name in none)
    assert not any(damage.harmless(record, name) for name in wreck + cost)
