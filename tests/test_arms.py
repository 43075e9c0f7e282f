"""The course's recipes: complete, sound, and fair to each other."""

from dataclasses import asdict

import pytest
import torch

from labkd.data import ImageSet
from labkd.lab.building import PLAIN, build
from labkd.lab.recipes import GRIDS, RECIPES, SIZES, WANTED, Recipe, find
from labkd.resnet import LAYOUTS

EVERY = [(name, size) for name, sizes in RECIPES.items() for size in sizes]
# In what the arms of one comparison may differ: what the student learns from.
FREE = {
    "objective",
    "teacher",
    "temperature",
    "teacher_weight",
    "distillation_token",
    "cohort",
    *("smooth_teacher", "correct_probability"),
    "baseline",
    # Of the methods of features and logits.
    *("added_weight", "beta", "hint_share"),
    *("student_layers", "teacher_layers"),
}


def test_every_recipe_can_be_run():
    for name, size in EVERY:
        assert size in SIZES
        recipe = find(name, size)
        assert isinstance(recipe, Recipe)
        assert recipe.architecture in (*LAYOUTS, *PLAIN, "vit"), name


def test_teachers_and_baselines_exist_at_the_same_size():
    for name, size in EVERY:
        recipe = find(name, size)
        for other in filter(None, (recipe.teacher, recipe.baseline)):
            assert find(other, size).dataset == recipe.dataset, name
        if recipe.baseline:
            assert find(recipe.baseline, size).seeds >= recipe.seeds, name


def test_an_arm_differs_from_its_baseline_only_in_what_it_learns_from():
    for name, size in EVERY:
        ours = asdict(find(name, size))
        # The long one is not the baseline with another loss, and says so.
        if not ours["baseline"] or name.startswith("long-"):
            continue
        theirs = asdict(find(ours["baseline"], size))
        differing = {key for key in ours if ours[key] != theirs[key]}
        # A sweep turns one number of the loss, with fewer runs of each.
        swept = {"tuned_as", "learning_rates"} if ours["tuned_as"] else set()
        # A teacher's loss has more to tune; a control may have fewer runs.
        planned = {"seeds", *GRIDS} - {"learning_rates"}
        # How many epochs does a taught student need, for what labels reach?
        shorter = set()
        if size == "overnight" and "_epochs_from_" in name:
            shorter = {"epochs"}
        assert differing <= FREE | swept | planned | shorter, name


@pytest.mark.parametrize("size", ["laptop", "overnight"])
def test_the_control_is_the_token_without_its_teacher(size):
    token = asdict(find("token-vit_from_resnet18-cifar10", size))
    control = asdict(find("control-vit-cifar10", size))
    differing = {key for key in token if token[key] != control[key]}
    # There both have labels' rate, and the weight is tuned.
    tuned = {"loss_weights"} if size == "overnight" else set()
    assert differing == {"objective", "teacher", "teacher_weight"} | tuned


def test_the_second_teacher_has_seen_the_students_labels_and_no_others():
    student = find("soft-vit_from_resnet18_10k-cifar10", "laptop")
    teacher = find(student.teacher, "laptop")
    assert teacher.training_images == student.training_images == 10_000


def test_full_is_for_the_teacher_and_the_central_arms():
    full = {name for name, size in EVERY if size == "full"}
    assert full == {
        "teacher-resnet18-cifar10",
        "scratch-vit-cifar10",
        "soft-vit_from_resnet18-cifar10",
        # Of blends, which has no smaller size.
        "long-vit_from_resnet18-cifar10",
        # Chapter 9 names the first and its student.
        "teacher-vit-cifar10",
        "soft-resnet18_from_vit-cifar10",
        "scratch-resnet18-cifar10",
    }


def test_a_full_student_has_at_most_3_2_million_parameters():
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    names = tuple("abcdefghij")
    data = ImageSet(images, torch.zeros(1).long(), names, "original")
    full = [name for name, size in EVERY if "-vit" in name and size == "full"]
    assert len(full) > 3
    for name in full:
        model = build(find(name, "full"), data)
        count = sum(parameter.numel() for parameter in model.parameters())
        assert 3_000_000 < count <= 3_200_000, name


def test_every_recipe_is_wanted_once():
    names = [name for group in WANTED for name in group]
    assert sorted(names) == sorted(RECIPES)


def test_five_seeds_and_a_grid_for_what_is_compared():
    for name in RECIPES:
        if "teacher-" in name or "laptop" not in RECIPES[name]:
            continue
        recipe = find(name, "laptop")
        # Points of the sweeps have no grid: see test_sweeps.
        if recipe.dataset != "digits" and not recipe.tuned_as:
            assert recipe.seeds == 5
            scratch = find(recipe.baseline or name, "laptop")
            assert recipe.learning_rates == scratch.learning_rates
            assert len(recipe.learning_rates) >= 3


def test_unknown_names():
    near = "'teacher-resnet81-cifar10'; the nearest are: teacher-resnet18-"
    with pytest.raises(ValueError, match=f"no recipe {near}cifar10, .*list"):
        find("teacher-resnet81-cifar10", "laptop")
    with pytest.raises(ValueError, match="'huge'.*laptop"):
        find("teacher-resnet18-cifar10", "huge")
