r"""The comparison on the home page says what the records say."""

import re

import headline
import pytest

from labkd.inference import area_under_curve, crossing, paired_difference
from labkd.lab.recipes import RECIPES

SCRATCH = "scratch-vit-cifar10"
ARGMAX = "argmax-vit_from_resnet18-cifar10"
CONTROL = "control-vit-cifar10"
TEACHER = "teacher-resnet18-cifar10"


CURVE = (0.2, 0.4, 0.5)


def runs(recipe, accuracies, size="laptop", curves=(), **config):
    whole = {
        "objective": "cross-entropy",
        "distillation_token": False,
        "teacher": "",
        "training_images": 300,
        "epochs": 3,
        "baseline": SCRATCH,
    } | config
    return [
        {
            "recipe": recipe,
            "size": size,
            "seed": seed,
            "dataset": "cifar10",
            "source": "jpeg-q75",
            "config": whole,
            "teacher": {"recipe": whole["teacher"], "size": size, "seed": 0},
            "parameters": 1234,
            "test": {"accuracy": accuracy},
            "epochs": [
                {"validation": {"accuracy": a}}
                for a in (curves[seed] if curves else CURVE)
            ],
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def teacher(accuracy=0.9, size="laptop", **config):
    curves = [(0.3, 0.5, accuracy)]
    config = {"baseline": "", "training_images": 0} | config
    return runs(TEACHER, [accuracy], size, curves, **config)


def soft(accuracies, size="laptop", curves=()):
    lesson = {"objective": "soft", "teacher": TEACHER}
    ours = runs(headline.CENTRAL, accuracies, size, curves, **lesson)
    return ours + teacher(size=size)


def scratch(accuracies, size="laptop", curves=()):
    return runs(SCRATCH, accuracies, size, curves, baseline="")


def text_of(found):
    return headline.headline(found).replace("\N{NO-BREAK SPACE}", " ")


def test_it_gives_both_means_and_the_paired_difference():
    ours, theirs = [0.56, 0.59, 0.60], [0.54, 0.56, 0.55]
    text = text_of(scratch(theirs) + soft(ours))
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    difference = paired_difference(*points)
    assert difference.labelled("points") in text
    assert "1,234 parameters" in text and "300 images, 3 epochs" in text
    assert "CIFAR-10 (JPEG copy, quality 75)" in text
    assert "gets 55.0 % of the test images" in text
    assert "and 58.3 % when" in text and "Over 3 paired seeds" in text
    assert "ResNet-18 (itself 90.0 % right)" in text
    assert difference.mean > 0 and not difference.found
    assert "**Here: no difference found**" in text
    text = text_of(scratch([0.5, 0.51]) + soft([0.6, 0.62]))
    assert "**Here: higher**" in text and "| here: higher |" in text


def test_a_loss_is_told_as_one():
    text = text_of(scratch([0.6, 0.61]) + soft([0.5, 0.51]))
    assert "-10.0 ± 0.0 points" in text and "**Here: lower**" in text


def test_a_weak_teacher_leaves_no_verdict():
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75])
    assert "here:" in text_of(found).lower()
    found[-1]["epochs"][-1]["validation"]["accuracy"] = 0.505
    text = text_of(found)
    assert "**Not tested**: " in text and "| not tested |" in text
    assert "here:" not in text.lower()


def test_what_happened_on_the_way():
    slow = [(0.1, 0.3, 0.5), (0.2, 0.3, 0.5)]
    quick = [(0.1, 0.5, 0.6), (0.1, 0.4, 0.6)]
    found = scratch([0.5, 0.6], curves=slow) + soft([0.7, 0.75], curves=quick)
    text = text_of(found)
    epochs, areas = (
        paired_difference(*([of(c) for c in side] for side in (quick, slow)))
        for of in (
            lambda curve: crossing(curve, 0.45),
            lambda curve: 100 * area_under_curve(curve),
        )
    )
    assert epochs.labelled("epochs") in text
    assert areas.labelled("points") in text
    never = [(0.1, 0.2, 0.3)] * 2
    found = scratch([0.5, 0.6], curves=slow) + soft([0.7, 0.75], curves=never)
    assert "some runs never reach" in text_of(found)


@pytest.mark.parametrize(
    "found", [[], scratch([0.5, 0.6]), soft([0.5]) + scratch([0.5])]
)
def test_without_two_pairs_it_says_nothing_of_them(found):
    assert "has not been recorded yet" in headline.headline(found)


def test_the_largest_recorded_size_is_shown_alone():
    small = scratch([0.5, 0.6]) + soft([0.7, 0.75])
    large = scratch([0.8, 0.82], "full") + soft([0.9, 0.91], "full")
    text = headline.headline(small + large)
    assert "81.0 ± 1.4" in text and "55.0" not in text
    lonely = small + scratch([0.8, 0.82], "full")
    assert "55.0 ± 7.1" in headline.headline(lonely)


def test_every_arm_of_the_baseline_has_a_row():
    others = runs(
        ARGMAX, [0.55, 0.57], objective="argmax", teacher=TEACHER
    ) + runs(CONTROL, [0.5, 0.6], distillation_token=True)
    strangers = runs("soft-cnn-digits", [0.9, 0.8], baseline="another")
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75]) + others + strangers
    found.append(found.pop(4))
    rows = headline.headline(found).splitlines()[4:]
    words = [row.split(" | ")[0].removeprefix("| ") for row in rows if row]
    assert words == [
        "the labels alone",
        "the labels, with a token (the control)",
        "the teacher's soft labels",
        "the teacher's first choices",
    ]


def test_every_recipe_of_the_baseline_has_words():
    of_the_table = [
        recipe
        for sizes in RECIPES.values()
        for recipe in sizes.values()
        if recipe.baseline == SCRATCH
    ]
    lessons = {(r.objective, r.distillation_token) for r in of_the_table}
    assert {("soft", False), ("doubled", False)} <= lessons
    assert lessons <= set(headline.LEARNED)


def test_a_teacher_of_the_same_images_is_told_from_one_of_more():
    arms = scratch([0.5, 0.6]) + soft([0.7, 0.75])
    assert "these images only" not in headline.headline(arms)
    of_these = arms[:-1] + teacher(training_images=300)
    assert "these images only" in headline.headline(of_these)


def test_the_drawing_is_to_scale():
    found = scratch([0.5, 0.6]) + soft([0.52, 0.63])
    (drawn,) = re.findall('<span class="interval".*', headline.headline(found))
    zero, start, mean = map(float, re.findall(r"left:([\d.]+)%", drawn))
    (width,) = map(float, re.findall(r"width:([\d.]+)%", drawn))
    difference = paired_difference([52.0, 63.0], [50.0, 60.0])
    assert mean == pytest.approx(start + width / 2, abs=0.1)
    # Percents of the width for a point, from the reach and from the mean.
    a_point = width / (2 * difference.half_width)
    assert mean - zero == pytest.approx(a_point * difference.mean, abs=0.2)
    assert 0 < start < zero < 100 and start + width < 100
