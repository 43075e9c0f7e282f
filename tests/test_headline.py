r"""The comparison on the home page says what the records say."""

import re

import headline
import pytest

from labkd import comparisons

SCRATCH = "scratch-vit-cifar10"
ARGMAX = "argmax-vit_from_resnet18-cifar10"
CONTROL = "control-vit-cifar10"
TEACHER = "teacher-resnet18-cifar10"


def runs(recipe, accuracies, size="laptop", **config):
    whole = {
        "objective": "cross-entropy",
        "distillation_token": False,
        "teacher": "",
        "training_images": 300,
        "baseline": SCRATCH,
    }
    return [
        {
            "recipe": recipe,
            "size": size,
            "seed": seed,
            "config": whole | config,
            "parameters": 1234,
            "test": {"accuracy": accuracy},
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def soft(accuracies, size="laptop"):
    return runs(
        headline.CENTRAL, accuracies, size, objective="soft", teacher=TEACHER
    )


def scratch(accuracies, size="laptop"):
    return runs(SCRATCH, accuracies, size, baseline="")


def test_it_gives_both_means_and_the_paired_difference():
    ours, theirs = [0.56, 0.59, 0.60], [0.54, 0.56, 0.55]
    text = headline.headline(scratch(theirs) + soft(ours))
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    difference = comparisons.paired_difference(*points)
    assert f"**{difference} points**" in text
    assert "1,234 parameters" in text and "on 300 images" in text
    assert "55.0 ± 1.0 % of the test images" in text
    assert "58.3 ± 2.1 % when" in text and "over 3 paired seeds" in text


def test_a_loss_is_told_as_one():
    text = headline.headline(scratch([0.6, 0.61]) + soft([0.5, 0.51]))
    assert "**−10.0" in text or "**-10.0" in text


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
    rows = headline.headline(found).splitlines()[4:]
    words = [row.split(" | ")[0].removeprefix("| ") for row in rows if row]
    assert words == [
        "the labels alone",
        "the labels, with a token (the control)",
        "the teacher's soft labels",
        "the teacher's first choices",
    ]


def test_a_teacher_of_the_same_images_is_told_from_one_of_more():
    of_more = runs(TEACHER, [0.9], baseline="", training_images=0)
    of_these = runs(TEACHER, [0.9], baseline="", training_images=300)
    arms = scratch([0.5, 0.6]) + soft([0.7, 0.75])
    assert "these images only" not in headline.headline(of_more + arms)
    assert "these images only" in headline.headline(of_these + arms)


def test_the_drawing_is_to_scale():
    found = scratch([0.5, 0.6]) + soft([0.52, 0.63])
    (drawn,) = re.findall('<span class="interval".*', headline.headline(found))
    zero, start, mean = map(float, re.findall(r"left:([\d.]+)%", drawn))
    (width,) = map(float, re.findall(r"width:([\d.]+)%", drawn))
    difference = comparisons.paired_difference([52.0, 63.0], [50.0, 60.0])
    assert mean == pytest.approx(start + width / 2, abs=0.1)
    # Percents of the width for a point, from the reach and from the mean.
    a_point = width / (2 * difference.half_width)
    assert mean - zero == pytest.approx(a_point * difference.mean, abs=0.2)
    assert 0 < start < zero < 100 and start + width < 100
