"""Recipes are changed by field, refuse nonsense, and have a short name."""

import dataclasses
from dataclasses import asdict, replace

import pytest
from pydantic.dataclasses import dataclass

from labkd.lab.recipes import Recipe, change, digest, find, read_recipes

TEACHER = find("teacher-resnet18-cifar10", "laptop")
SOFT = find("soft-vit_from_resnet18-cifar10", "laptop")
SCRATCH = find("scratch-vit-cifar10", "laptop")


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TEACHER.epochs = 3


def test_change_sets_fields_of_their_own_type():
    settings = ["epochs=3", "learning_rate=1e-2", "dataset=digits"]
    changed = change(SOFT, [*settings, "mixup=true", "teacher_weight=1"])
    assert (changed.epochs, changed.learning_rate) == (3, 0.01)
    assert changed.dataset == "digits"
    assert changed.mixup is True
    assert change(changed, ["mixup=False"]).mixup is False
    assert changed.width == SOFT.width
    assert change(SOFT, []) == SOFT


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("epoch=3", "'epoch'.*epochs"),
        ("epochs", "'epochs'"),
        ("epochs=three", "epochs.*'three'"),
        ("epochs=1.5", "epochs.*'1.5'"),
        ("epochs=0", "epochs.*'0'"),
        ("learning_rate=-1", "learning_rate.*'-1'"),
        ("learning_rate=nan", "learning_rate.*'nan'"),
        ("learning_rate=inf", "learning_rate.*'inf'"),
        ("shrink=0", "shrink.*'0'"),
        ("cohort=0", "cohort.*'0'"),
        ("views=-1", "views.*'-1'"),
        ("width=100000", "width.*'100000'"),
        ("correct_probability=1.5", "correct_probability.*'1.5'"),
        ("momentum=1.5", "momentum.*'1.5'"),
        ("mixup=perhaps", "mixup.*'perhaps'"),
        ("optimizer=adam", "'sgd' or 'adamw'.*'adam'"),
        ("annealing=step", "annealing.*'step'"),
        ("objective=hard", "objective.*'hard'"),
        ("architecture=resnet19", "architecture.*'resnet19'"),
        ("teacher=teacher-resnet18-cifar10", "teacher-resnet18-cifar10"),
        ("objective=soft", "'soft'.*teacher ''"),
        ("distillation_token=true", "resnet18"),
        # What was planned about the runs is not for the command line.
        ("seeds=1", "'seeds'"),
        ("baseline=x", "'baseline'"),
    ],
)
def test_bad_settings(setting, named):
    with pytest.raises(ValueError, match=named) as caught:
        change(TEACHER, [setting])
    # One line, and no word about the library that checks.
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        (SOFT, {"objective": "token"}),
        (SCRATCH, {"objective": "mutual"}),
        (SCRATCH, {"objective": "mutual-ensemble"}),
        (SCRATCH, {"cohort": 2}),
        (SOFT, {"objective": "mutual", "cohort": 2}),
        (SOFT, {"objective": "virtual"}),
        (SOFT, {"objective": "doubled"}),
        (SCRATCH, {"objective": "permuted"}),
        (SCRATCH, {"objective": "virtual", "temperature": 0.0}),
        (SOFT, {"distillation_token": True}),
        (SOFT, {"objective": "argmax", "distillation_token": True}),
        (SOFT, {"temperature": 0.0}),
        # Whoever learns from blends learns from the teacher alone.
        (SOFT, {"mixup": True}),
        (TEACHER, {"mixup": True}),
        (
            SOFT,
            {"mixup": True, "teacher_weight": 1.0, "objective": "permuted"},
        ),
        (TEACHER, {"teacher_weights": "mine.safetensors"}),
    ],
)
def test_fields_that_contradict_each_other(recipe, changes):
    with pytest.raises(ValueError):
        replace(recipe, **changes)


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        (SCRATCH, {"objective": "mutual", "cohort": 2}),
        (SCRATCH, {"objective": "mutual-ensemble", "cohort": 3}),
        (SCRATCH, {"objective": "virtual", "teacher_weight": 0.5}),
        (SCRATCH, {"objective": "doubled"}),
        (SOFT, {"objective": "permuted"}),
        (SOFT, {"objective": "smoothing"}),
        # Whoever does not use it does not mind.
        (SOFT, {"objective": "argmax", "temperature": 0.0}),
        (SOFT, {"mixup": True, "teacher_weight": 1.0}),
        (SOFT, {"teacher": "mine:model", "teacher_pixels": "half"}),
    ],
)
def test_fields_that_go_together(recipe, changes):
    assert digest(replace(recipe, **changes)) != digest(recipe)


def test_a_recipe_is_like_another_but_for_what_it_says(tmp_path):
    path = tmp_path / "recipes.toml"
    path.write_text(
        """
wanted = [["first"], ["second"]]
chapters = [[1, "*"]]

[first.laptop]
dataset = "digits"
architecture = "vit"
width = 8
epochs = 3
batch_size = 10
learning_rate = 0.1
learning_rates = [0.1, 0.2]

[second.laptop]
like = "first laptop"
epochs = 4
""",
        "utf-8",
    )
    recipes, wanted, chapters = read_recipes(path)
    first, second = recipes["first"]["laptop"], recipes["second"]["laptop"]
    assert replace(first, epochs=4) == second and first != second
    assert first.learning_rates == (0.1, 0.2)
    assert wanted == [("first",), ("second",)]
    assert chapters == [[1, "*"]]
    path.write_text(path.read_text("utf-8").replace("epochs = 4", "epoch = 4"))
    with pytest.raises((TypeError, ValueError)):
        read_recipes(path)


def test_the_digest_stands_for_what_is_scientific():
    assert digest(SOFT) == digest(replace(SOFT, seeds=2, baseline="x"))
    assert digest(SOFT) == digest(replace(SOFT, learning_rates=(1.0,)))
    others = [
        replace(SOFT, learning_rate=0.5),
        replace(SOFT, temperature=9.0),
        replace(SOFT, mixup=True, teacher_weight=1.0),
        TEACHER,
    ]
    assert len({digest(SOFT), *map(digest, others)}) == 1 + len(others)


@dataclass(frozen=True, kw_only=True)
class Younger(Recipe):
    r"""A recipe of the day when a field more was thought of."""

    label_smoothing: float = 0.0


def test_a_field_more_leaves_the_digests_of_older_recipes():
    younger = Younger(**asdict(SOFT))
    assert digest(younger) == digest(SOFT)
    assert digest(replace(younger, label_smoothing=0.1)) != digest(SOFT)
