r"""The chart on the home page says what the records say."""

import re

import headline
import pytest
import records_table

from labkd.inference import paired_difference
from labkd.lab.recipes import RECIPES, find
from labkd.records import parts_of

SCRATCH = "scratch-vit-cifar10"
TEACHER = "teacher-resnet18-cifar10"
CNN = "soft-small_cnn_from_resnet18-cifar10"


def runs(recipe, accuracies, size="laptop", **config):
    whole = {
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
            "epochs": [{"validation": {"accuracy": accuracy}}],
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def teacher(accuracy=0.9, size="laptop"):
    return runs(TEACHER, [accuracy], size, baseline="")


def soft(accuracies, size="laptop", recipe=headline.CENTRAL, **config):
    return runs(recipe, accuracies, size, teacher=TEACHER, **config)


def scratch(accuracies, size="laptop"):
    return runs(SCRATCH, accuracies, size, baseline="")


def rows_of(found):
    text = headline.headline(found).replace("\N{NO-BREAK SPACE}", " ")
    rows = re.findall("<li>.*?</li>", text)
    return [re.sub(r"<span.*</span>|<[^>]+>", " ", row) for row in rows]


def test_a_row_has_the_paired_difference_and_every_network():
    ours, theirs = [0.56, 0.59, 0.60], [0.54, 0.56, 0.55]
    (row,) = rows_of(scratch(theirs) + soft(ours) + teacher())
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    assert paired_difference(*points).short in row
    assert "ViT" in row and "ResNet-18" in row
    budget = "CIFAR-10 (JPEG copy, quality 75), 300 images, 3 epochs"
    assert f"Student: {budget}; 3 pairs of runs." in row
    assert "alone 55.0 %, taught 58.3 %, teacher 90.0 %" in row


def test_a_network_that_was_not_counted_is_as_large_as_one_of_its_shape():
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75]) + teacher()
    for run in found:
        run["parameters"] = 1_234_000
    found[-1]["parameters"] = None
    found += runs("other", [0.5], architecture="resnet18")
    found[-1]["parameters"] = 5_600_000
    (row,) = rows_of(found)
    assert row.count("(1.2 M)") == 2
    found[-2]["config"]["architecture"] = "resnet18"
    (row,) = rows_of(found)
    assert "ViT  (1.2 M)" in row and "ResNet-18  (5.6 M)" in row


def test_a_narrow_resnet_is_said_to_be_narrow():
    narrow = {"architecture": "resnet18", "width": 16}
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75], **narrow) + teacher()
    for run in found:
        run["parameters"] = 1_234_000
    found[-1]["config"] |= {"architecture": "resnet18", "width": 64}
    (row,) = rows_of(found)
    assert "(a quarter as wide, 1.2 M)" in row
    assert "ResNet-18  (1.2 M)" in row  # the usual width
    found[-1]["config"]["width"] = 24
    assert "(width 24, 1.2 M)" in rows_of(found)[0]
    # A transformer's width is another thing.
    found[-1]["config"]["architecture"] = "vit"
    assert rows_of(found)[0].count(" wide") == 1
    found[-1]["config"]["patch_size"] = 4
    assert "(patches of 4 by 4, 1.2 M)" in rows_of(found)[0]


def test_every_narrow_resnet_that_could_be_shown_has_words():
    for sizes in RECIPES.values():
        for recipe in sizes.values():
            if "resnet" in recipe.architecture:
                ratio = headline.USUAL_WIDTH / recipe.width
                assert ratio == 1 or ratio in headline.NARROWER


def test_losses_are_shown_too_below_the_gains():
    found = scratch([0.5, 0.51]) + teacher() + soft([0.6, 0.62])
    found += soft([0.4, 0.41], recipe=CNN)
    first, second = rows_of(found)
    assert "+10.5 ± " in first and "-10.0 ± 0.0" in second


def test_a_weak_teacher_leaves_no_row():
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75])
    assert len(rows_of(found + teacher())) == 1
    assert rows_of(found + teacher(0.6)) == []
    more = soft([0.6, 0.62], recipe=CNN)
    text = headline.headline(found + more + teacher())
    assert "Left out" not in text
    more[0]["teacher"]["recipe"] = more[1]["teacher"]["recipe"] = "nobody"
    text = headline.headline(found + more + teacher())
    assert "Left out too: 1 " in text


@pytest.mark.parametrize(
    "found", [[], scratch([0.5, 0.6]), soft([0.5]) + scratch([0.5])]
)
def test_without_two_pairs_it_says_nothing_of_them(found):
    text = headline.headline(found + teacher())
    assert "No comparison has been recorded" in text


def test_the_largest_recorded_size_is_shown_alone():
    small = scratch([0.5, 0.6]) + soft([0.7, 0.75]) + teacher()
    large = scratch([0.8, 0.82], "full") + soft([0.9, 0.91], "full")
    large += teacher(0.95, "full")
    (row,) = rows_of(sorted(small + large, key=lambda r: r["recipe"]))
    assert "alone 81.0 %" in row and "55.0" not in row
    (row,) = rows_of(small + scratch([0.8, 0.82], "full"))
    assert "alone 55.0 %" in row
    # Two pairs do not take the place of three.
    more = scratch([0.5, 0.6, 0.7]) + soft([0.7, 0.75, 0.8]) + teacher()
    (row,) = rows_of(sorted(more + large, key=lambda r: r["recipe"]))
    assert "alone 60.0 %" in row


def test_points_of_a_sweep_and_other_methods_have_their_own_pages():
    found = scratch([0.5, 0.6]) + soft([0.7, 0.75]) + teacher()
    few_images = "soft-vit_1000_from_resnet18-cifar10"
    assert (few_images, "laptop") in records_table.charted()
    swept = soft([0.8, 0.9], recipe=few_images)
    other = soft([0.8, 0.9], recipe="argmax-vit_from_resnet18-cifar10")
    assert len(rows_of(found + swept + other)) == 1
    rehearsed = soft([0.8, 0.9], recipe=CNN, dataset="digits")
    assert len(rows_of(found + rehearsed)) == 1
    shorter = soft([0.8, 0.9], recipe=CNN, epochs=2)
    assert len(rows_of(found + shorter)) == 1
    # An arm that another one's grid has tuned is one all the same.
    larger = soft([0.8, 0.9], recipe=CNN, tuned_as=headline.CENTRAL)
    assert len(rows_of(found + larger + other)) == 2


def test_every_network_that_could_be_shown_has_a_name():
    for name, sizes in RECIPES.items():
        method, student, its_teacher = parts_of(name)
        shown = [
            size
            for size, recipe in sizes.items()
            if recipe.baseline
            and (name, size) not in records_table.charted()
            and recipe.epochs == find(recipe.baseline, size).epochs
        ]
        if method == "soft" and shown:
            assert {student, its_teacher} <= set(headline.NETWORKS)


def test_the_drawing_is_to_scale():
    found = scratch([0.5, 0.6]) + soft([0.52, 0.63]) + teacher()
    text = headline.headline(found)
    (drawn,) = re.findall('<span class="interval".*?</li>', text)
    zero, start, mean = map(float, re.findall(r"left:([\d.]+)%", drawn))
    (width,) = map(float, re.findall(r"width:([\d.]+)%", drawn))
    difference = paired_difference([52.0, 63.0], [50.0, 60.0])
    assert mean == pytest.approx(start + width / 2, abs=0.1)
    # Percents of the width for a point, from the reach and from the mean.
    a_point = width / (2 * difference.half_width)
    assert mean - zero == pytest.approx(a_point * difference.mean, abs=0.2)
    assert 0 < start < zero < 100 and start + width < 100
    # The axis below is on the same scale.
    (axis,) = re.findall('<li class="axis".*?</li>', text)
    ticks = re.findall(r"left:([\d.]+)%\">([+-]?\d+)<", axis)
    for place, tick in ticks:
        there = zero + a_point * int(tick)
        assert float(place) == pytest.approx(there, abs=0.3)


def test_one_sentence_tells_the_central_comparison():
    found = scratch([0.54, 0.56]) + soft([0.56, 0.59]) + teacher()
    text = headline.sentence(found)
    difference = paired_difference([56.0, 59.0], [54.0, 56.0])
    assert difference.labelled("points") in text
    for told in ("90.0 %", "1,234 parameters", "57.5 %", "55.0 %"):
        assert told in text
    assert "2 paired seeds on CIFAR-10 (JPEG copy, quality 75)" in text
