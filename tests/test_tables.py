"""The charts and tables of planted records say what these say."""

import re

import pytest
import records_table
import sweeps_table

from labkd.inference import paired_difference
from labkd.lab import sweeps
from labkd.lab.recipes import RECIPES, find

EPOCHS = sweeps.points("epochs", "laptop", RECIPES)


def runs(recipe, accuracies, size="laptop", validation=0.5, **config):
    asked = find(recipe, size).teacher
    config |= {
        "baseline": find(recipe, size).baseline,
        "teacher": asked,
        "epochs": 5,
    }
    return [
        {
            "recipe": recipe,
            "size": size,
            "seed": seed,
            "dataset": "cifar10",
            "source": "original",
            "config": config,
            "teacher": {"recipe": asked, "size": size, "seed": 0},
            "test": {
                "accuracy": accuracy,
                "nll": 1.0,
                "ece": accuracy / 5,
                "brier": 0.5,
            },
            "seconds": 1.0,
            "date": "2026-01-01",
            "device": "a device",
            "command": "a command",
            "epochs": [{"validation": {"accuracy": validation}}],
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def point(number, soft, scratch):
    there = EPOCHS[number]
    teacher = find(there.soft, "laptop").teacher
    return [
        *runs(there.scratch, scratch),
        *runs(there.soft, soft),
        *runs(teacher, [0.9], validation=0.8),
    ]


def part(found, axis):
    """The figure of an axis, and the cells of its table."""
    html = sweeps_table.table(in_order(found))
    anchor = {"training_images": "images", "teacher_weight": "weight"}
    anchor = anchor.get(axis, axis)
    figures = re.findall(r"<figure.*?</figure>", html, re.S)
    (text,) = [part for part in figures if f'<h3 id="{anchor}">' in part]
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    return text, {row[0]: row[1:] for row in cells[1:]}


def in_order(found):
    key = ("recipe", "size", "seed")
    return sorted(found, key=lambda r: tuple(r[k] for k in key))


def gaining(gains):
    scratch = [0.5, 0.51]
    return [
        run
        for number, gain in enumerate(gains)
        for run in point(number, [v + gain for v in scratch], scratch)
    ]


def test_one_point_is_no_curve():
    found = in_order(point(1, [0.5, 0.53], [0.48, 0.5]))
    assert "<figure" not in sweeps_table.table(found)
    assert "Nothing has been recorded" in sweeps_table.table([])


def test_a_point_has_both_arms_and_their_paired_difference():
    ours, theirs = [0.50, 0.53, 0.55], [0.48, 0.50, 0.55]
    found = point(0, ours, theirs) + point(1, ours, theirs)
    text, rows = part(found, "epochs")
    cells = rows["10"]
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    difference = paired_difference(*points)
    assert cells[1:4] == ["51.0 ± 3.6", "52.7 ± 2.5", "50.0"]
    assert cells[4:6] == ["0.105 ± 0.005", "3"]
    assert cells[6:] == [difference.short, "here: no difference found"]
    assert "CIFAR-10 (original), the teacher 90.0 % right" in text


@pytest.mark.parametrize(("validation", "weak"), [(0.9, False), (0.505, True)])
def test_a_weak_teacher_leaves_no_verdict(validation, weak):
    found = gaining([0.02, 0.02])
    for run in found:
        if run["recipe"].startswith("teacher-"):
            run["epochs"][-1]["validation"]["accuracy"] = validation
    text, rows = part(found, "epochs")
    assert {row[-1] == "not tested" for row in rows.values()} == {weak}
    assert ("Not every point is a test" in text) == weak
    methods = runs("token-vit_from_resnet18-cifar10", [0.6, 0.61])
    methods += runs("scratch-vit-cifar10", [0.5, 0.51])
    table = records_table.by_method(in_order(methods + found))
    assert ("not tested<br><small>on validation" in table) == weak
    assert ('"strip untested"' in table) == weak


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ((0.02, 0.01, 0.01), "At every point soft labels are ahead."),
        ((-0.02, -0.01, -0.01), "At every point soft labels are behind."),
        (
            (0.02, 0.01, -0.01),
            "At 5 and 10 soft labels are ahead; at 20 soft labels are behind.",
        ),
    ],
)
def test_a_chart_says_where_a_difference_was_found(gains, told):
    text, _ = part(gaining(gains), "epochs")
    assert f"<figcaption>{told} At size" in text


def test_a_change_of_sign_between_intervals_with_zero_is_no_finding():
    found = point(0, [0.56, 0.57, 0.56], [0.5, 0.51, 0.5])
    found += point(1, [0.52, 0.50, 0.51], [0.50, 0.51, 0.50])
    found += point(2, [0.48, 0.52, 0.50], [0.50, 0.51, 0.50])
    text, rows = part(found, "epochs")
    assert rows["10"][6][0] == "+" and rows["20"][6][0] == "-"
    told = "At 5 soft labels are ahead; at 10 and 20 no difference was found."
    assert f"<figcaption>{told} At size" in text


def test_labels_alone_stand_with_the_seeds_that_the_difference_is_over():
    theirs = [0.48, 0.50, 0.55, 0.60, 0.61]
    found = point(0, [0.50, 0.53, 0.55], theirs)
    found += point(1, [0.50, 0.53, 0.55], theirs)
    _, rows = part(found, "epochs")
    assert rows["10"][1:3] == ["51.0 ± 3.6", "52.7 ± 2.5"]
    assert rows["10"][6].startswith("+1.7 ")


def test_a_chart_says_its_size_and_has_the_points_that_are_recorded():
    text, rows = part(gaining([0.02, 0.01]), "epochs")
    assert "At size laptop" in text and len(rows) == 2
    assert "full" not in text
