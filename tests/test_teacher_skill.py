"""Each fault of a teacher is seen in its answers, and no right one refused."""

import math

import pytest
import torch

from labkd.lab.teacher_skill import (
    check_chance,
    check_order,
    check_pixels,
    lowest,
    wins,
)

NAMES = tuple("abcdefghij")
LABELS = torch.arange(1000) // 100


def answers(accuracy, seed=0, labels=LABELS, classes=10):
    r"""Logits that are right about a share of the images, drawn at random."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(labels), classes, generator=draw)
    right = torch.rand(len(labels), generator=draw) < accuracy
    wrong = torch.randint(1, classes, labels.shape, generator=draw)
    said = torch.where(right, labels, (labels + wrong) % classes)
    logits[torch.arange(len(labels)), said] += 9
    return logits


def test_a_normalisation_that_is_clearly_better_is_named():
    found = {"student": answers(0.6), "unit": answers(0.8, 1)}
    with pytest.raises(ValueError) as told:
        check_pixels(found, "student", LABELS)
    hits = {k: (z.argmax(1) == LABELS) for k, z in found.items()}
    gained = (hits["unit"] & ~hits["student"]).sum()
    for share in hits.values():
        assert f"{100 * share.double().mean():.1f} %" in str(told.value)
    assert f"({gained} gained" in str(told.value)
    assert str(told.value).endswith("give --set teacher_pixels=unit")
    # The same answers, the other way round.
    check_pixels(found, "unit", LABELS)


def test_a_normalisation_that_is_hardly_better_is_let_pass():
    ours = answers(0.8)
    theirs = ours.clone()
    # Fifteen more and none less: certain, and of no matter.
    wrong = (ours.argmax(1) != LABELS).nonzero().flatten()[:15]
    theirs[wrong, LABELS[wrong]] += 50
    check_pixels({"student": ours, "half": theirs}, "student", LABELS)
    # Three points more among thirty images: nothing is certain.
    few = torch.arange(30) % 3
    check_pixels(
        {"student": answers(0.6, 2, few), "half": answers(0.7, 3, few)},
        "student",
        few,
    )


def test_one_answer_to_all_is_no_better_normalisation():
    # Every class is called by the next, and never by its name; a teacher that
    # is blind under another normalisation is right about a tenth.
    rolled = answers(0.9).roll(1, dims=1)
    blind = torch.zeros(1000, 10)
    assert (rolled.argmax(1) == LABELS).sum() < (LABELS == 0).sum()
    check_pixels({"student": rolled, "unit": blind}, "student", LABELS)


ORDERS = {
    "two swapped": [1, 0, *range(2, 10)],
    "three in turn": [0, 1, 2, 4, 5, 3, 6, 7, 8, 9],
    "rolled": [*range(1, 10), 0],
    "reversed": [*range(9, -1, -1)],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("accuracy", [0.55, 0.99])
def test_another_order_of_the_classes_is_named(order, accuracy):
    # Its output k stands for the class `order[k]`.
    theirs = answers(accuracy)[:, ORDERS[order]]
    with pytest.raises(ValueError) as told:
        check_order(theirs, LABELS, NAMES)
    moved = [k for k in range(10) if ORDERS[order][k] != k]
    assert f"{len(moved)} of 10 classes in all" in str(told.value)
    first, called = moved[0], ORDERS[order].index(moved[0])
    hits = ((theirs.argmax(1) == called) & (first == LABELS)).sum()
    named = f"{NAMES[first]!r} it calls {NAMES[called]!r} ({hits} of 100)"
    assert named in str(told.value)
    right = (answers(accuracy).argmax(1) == LABELS).double().mean()
    assert f"right about {100 * right:.1f} % of 1000" in str(told.value)
    assert "if its weights are trained ones" not in str(told.value)


def test_an_order_that_helps_little_may_be_chance_features():
    theirs = answers(0.3)[:, ORDERS["reversed"]]
    with pytest.raises(ValueError, match="order, if its weights are trained"):
        check_order(theirs, LABELS, NAMES)


def test_no_right_teacher_is_refused():
    # Poor and good ones, of many classes and of few images too.
    for seed in range(100):
        check_order(answers(0.55, seed), LABELS, NAMES)
        many = torch.arange(1000) // 10
        names = tuple(map(str, range(100)))
        check_order(answers(0.3, seed, many, 100), many, names)
        few = torch.arange(30) % 3
        check_order(answers(0.5, seed, few, 3), few, tuple("abc"))
        pair = {"student": answers(0.55, seed), "unit": answers(0.55, ~seed)}
        check_pixels(pair, "student", LABELS)
        assert check_chance(answers(0.55, seed), LABELS) > 0.45


def test_two_classes_that_it_confuses_are_no_other_order():
    # It calls most cats dogs, and dogs dogs.
    logits = answers(0.9)
    logits[100:200] = logits[200:300]
    check_order(logits, LABELS, NAMES)


def test_no_better_than_the_most_frequent_class_is_refused():
    labels = torch.tensor([0] * 600 + [1] * 400)
    poor = answers(0.6, 0, labels, 2)
    hits = (poor.argmax(1) == labels).double().mean()
    said = rf"about {100 * hits:.1f} % of 1000 .* about 60\.0 %"
    with pytest.raises(ValueError, match=said):
        check_chance(poor, labels)
    # The same accuracy is far from chance among ten classes.
    assert check_chance(answers(0.62), LABELS) == pytest.approx(0.62, abs=0.05)
    assert check_chance(answers(0.7, 0, labels, 2), labels) > 0.6
    for blind in (torch.zeros(1000, 10), answers(0.1), answers(0.0)):
        with pytest.raises(ValueError, match="Are its weights the trained"):
            check_chance(blind, LABELS)


def tail(hits, images, share):
    r"""The chance of so many hits or more, summed one by one."""
    return sum(
        math.comb(images, k) * share**k * (1 - share) ** (images - k)
        for k in range(hits, images + 1)
    )


def test_the_tests_are_the_binomial_ones():
    for gained in range(13):
        assert wins(gained, 12 - gained) == (tail(gained, 12, 0.5) < 0.001)
    assert wins(12, 0) and not wins(9, 0) and not wins(0, 0)
    assert wins(11, 0, among=2) and not wins(11, 0, among=3)
    for hits, images in ((1, 10), (9, 10), (55, 100), (100, 100)):
        assert tail(hits, images, lowest(hits, images)) == pytest.approx(0.025)
    assert lowest(0, 10) == 0.0
