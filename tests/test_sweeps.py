"""The sweeps move one thing at a time, and both arms alike."""

from dataclasses import asdict, replace

import pytest
import torch
from accelerate import Accelerator

from labkd import records
from labkd.lab import launching, store, sweeps
from labkd.lab.building import some_of, split_of
from labkd.lab.recipes import RECIPES, digest, find
from labkd.pixels import Normalise
from labkd.views import Bank

AXES = ("training_images", "epochs", "temperature", "teacher_weight")
SIZES = tuple(sweeps.TURNED)
every = pytest.mark.parametrize(
    ("axis", "size"), [(axis, size) for axis in AXES for size in SIZES]
)
# How few images are shown as often as many.
SHOWN = {"training_images", "repeats", "epochs"}
NAMES = {"baseline", "seeds", "learning_rates", "tuned_as"}


def soft_recipes(axis, size):
    points = sweeps.points(axis, size, RECIPES)
    return [find(point.soft, size) for point in points]


@every
def test_an_axis_rises_and_meets_the_others(axis, size):
    values = [p.value for p in sweeps.points(axis, size, RECIPES)]
    assert values == sorted(set(values)) and len(values) >= 3
    others = [{digest(r) for r in soft_recipes(o, size)} for o in AXES]
    here = {digest(r) for r in soft_recipes(axis, size)}
    assert all(here & other for other in others)


@every
def test_along_an_axis_nothing_else_changes(axis, size):
    first, *rest = map(asdict, soft_recipes(axis, size))
    moved = SHOWN if axis == "training_images" else {axis}
    for recipe in rest:
        assert {k for k in first if recipe[k] != first[k]} <= moved | NAMES


@pytest.mark.parametrize("size", SIZES)
def test_few_images_are_shown_as_often_as_many(size):
    def shown(recipe):
        images = recipe.training_images or sweeps.TRAINING_IMAGES
        return images * recipe.repeats * recipe.epochs

    arms = [
        find(name, size)
        for point in sweeps.points("training_images", size, RECIPES)
        for name in (point.soft, point.scratch)
    ]
    assert len(set(map(shown, arms))) == 1


@every
def test_both_arms_have_the_rate_of_the_grid_where_the_axes_meet(axis, size):
    for point in sweeps.points(axis, size, RECIPES):
        for name, met in (
            (point.soft, sweeps.SOFT),
            (point.scratch, sweeps.SCRATCH),
        ):
            ours, theirs = find(name, size), find(met, size)
            assert ours.tuned_as == met or name == met
            grid = store.grid_path(met, size)
            assert store.grids_of(name, size) == (grid,)
            rate = store.tuned(name, size).learning_rate
            assert rate == store.tuned(met, size).learning_rate
            assert set(theirs.learning_rates) >= {ours.learning_rate}


def test_all_images_are_counted(cifar10):
    recipe = find(sweeps.SCRATCH, "full")
    assert recipe.training_images == 0
    assert len(split_of(recipe, "train")) == sweeps.TRAINING_IMAGES


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axis", sweeps.TURNS)
def test_softness_is_turned_with_one_teacher(axis, size):
    names = {point.soft for point in sweeps.points(axis, size, RECIPES)}
    teachers = {
        record["teacher"]["sha256"]
        for record in records.read_all()
        if record["size"] == size and record["recipe"] in names
    }
    assert len(teachers) <= 1


def test_an_axis_that_does_not_exist():
    with pytest.raises(KeyError, match="width"):
        sweeps.points("width", "laptop", RECIPES)
    with pytest.raises(KeyError, match="colab"):
        sweeps.points("epochs", "colab", RECIPES)


@pytest.mark.parametrize("repeats", [1, 3])
def test_an_epoch_has_every_image_so_often(repeats, tmp_path):
    recipe = replace(
        find("scratch-vit-digits", "laptop"),
        training_images=20,
        batch_size=16,
        epochs=2,
        repeats=repeats,
    )
    run = launching.Run(
        name="a sweep",
        size="laptop",
        recipe=recipe,
        seed=0,
        command="",
        results=tmp_path,
        folder=tmp_path,
    )
    images = some_of(split_of(recipe, "train"), 20)
    asked = []

    def teacher(pixels, indices, columns):
        asked.append((indices, columns, pixels))
        return None

    normalise = Normalise.of(images.images)
    launching.train(run, Accelerator(cpu=True), images, normalise, teacher)
    each = -(-20 * repeats // 16)
    assert len(asked) == 2 * each
    for epoch in (asked[:each], asked[each:]):
        indices = torch.cat([indices for indices, _, _ in epoch])
        assert indices.bincount().tolist() == [repeats] * 20
    # The teacher is asked about the image that the student sees.
    bank = Bank.every(20, padding=1, mirror=False)
    for indices, columns, pixels in asked:
        crops = bank.show(images.images, indices, columns)
        assert pixels.equal(normalise(crops))


def test_images_of_a_class_each(cifar10):
    recipe = find("scratch-vit_1000-cifar10", "laptop")
    some = some_of(split_of(recipe, "train"), recipe.training_images)
    assert some.labels.bincount().tolist() == [100] * 10
