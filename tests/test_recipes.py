"""Recipes are found by name, changed by field, and refuse nonsense."""

import dataclasses

import pytest

from labkd.recipes import RECIPES, SIZES, Recipe, change, find


def test_every_recipe_is_complete():
    for name, sizes in RECIPES.items():
        assert set(sizes) <= set(SIZES)
        for size in sizes:
            assert isinstance(find(name, size), Recipe)


def test_a_recipe_is_frozen():
    recipe = find("teacher-resnet18-cifar10", "laptop")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 3


def test_change_sets_fields_of_their_own_type():
    recipe = find("teacher-resnet18-cifar10", "laptop")
    settings = ["epochs=3", "learning_rate=1e-2", "dataset=digits"]
    changed = change(recipe, settings)
    assert (changed.epochs, changed.learning_rate) == (3, 0.01)
    assert changed.dataset == "digits"
    assert changed.width == recipe.width
    assert change(recipe, []) == recipe


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "'epoch=3'"),
        ("epochs", "'epochs'"),
        ("epochs=three", "type int, got 'three'"),
        ("epochs=0", "at least 1, got 0"),
        ("learning_rate=-1", "at least 0, got -1"),
        ("learning_rate=nan", "got nan"),
    ],
)
def test_bad_settings(setting, message):
    recipe = find("teacher-resnet18-cifar10", "laptop")
    with pytest.raises(ValueError, match=message):
        change(recipe, [setting])


def test_unknown_names():
    with pytest.raises(ValueError, match="'nothing'.*teacher-resnet18"):
        find("nothing", "laptop")
    with pytest.raises(ValueError, match="'huge'.*laptop"):
        find("teacher-resnet18-cifar10", "huge")
