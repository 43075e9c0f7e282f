"""Methods of features and logits: one pair, one budget, six trials each."""

from dataclasses import asdict, replace
from math import prod

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator

from labkd.data import ImageSet, load
from labkd.decoupled import (
    correlation_loss,
    decoupled_loss,
    standardised_loss,
)
from labkd.features import (
    attention_transfer_loss,
    capture,
    hint_loss,
    relational_loss,
)
from labkd.lab import launching, plans
from labkd.lab.building import build, objective_of, stages_of
from labkd.lab.launching import Run
from labkd.lab.recipes import FEATURES, GRIDS, RECIPES, find
from labkd.lab.watched import (
    hint_objective,
    live_features,
    unwatched,
    watched,
)
from labkd.pixels import Normalise
from labkd.resnet import ResNet
from labkd.soft_targets import distillation_loss

LABELS = "scratch-small_cnn-cifar10"
METHODS = (
    "soft-small_cnn_from_resnet18-cifar10",
    "fitnets-small_cnn_from_resnet18-cifar10",
    "attention-small_cnn_from_resnet18-cifar10",
    "relations-small_cnn_from_resnet18-cifar10",
    "decoupled-small_cnn_from_resnet18-cifar10",
    "standardised-small_cnn_from_resnet18-cifar10",
    "correlations-small_cnn_from_resnet18-cifar10",
    "born_again-small_cnn-cifar10",
    "assistant-small_cnn_from_resnet18_narrow-cifar10",
)
# What the methods may differ in: what the student learns from, and its tuning.
LESSON = {
    *("objective", "teacher", "temperature", "teacher_weight"),
    *("added_weight", "beta", "hint_share", "student_layers"),
    *("teacher_layers", "tuned_as", "baseline", *GRIDS),
}


def recipe(method):
    (name,) = (name for name in METHODS if name.startswith(method))
    return find(name, "overnight")


@pytest.mark.parametrize("name", METHODS)
def test_one_pair_one_budget_as_many_trials_for_everyone(name):
    ours, labels = (asdict(find(n, "overnight")) for n in (name, LABELS))
    assert {k for k in ours if ours[k] != labels[k]} <= LESSON
    for config in ours, labels:
        rates, *own = (len(config[grid]) for grid in GRIDS)
        others = prod(n for n in own if n) if any(own) else 0
        assert rates + others == 6 and config["trial_seeds"] == 1
    assert ours["baseline"] == LABELS and ours["seeds"] == 3
    assert ours["views"] == ours["epochs"] == 10


def test_the_second_grid_is_tried_at_the_rate_that_labels_chose(tmp_path):
    found = recipe("born_again")
    run = Run(
        name="born_again-small_cnn-cifar10",
        size="overnight",
        recipe=found,
        seed=0,
        command="",
        results=tmp_path,
        folder=tmp_path,
    )
    tried = [trial.recipe for trial in plans._trials(run)]
    assert {r.learning_rate for r in tried} == {found.learning_rate}
    assert {(r.temperature, r.teacher_weight) for r in tried} == {
        (temperature, weight)
        for temperature in (1.0, 4.0, 8.0)
        for weight in (0.5, 0.9)
    }
    assert {r.epochs for r in tried} == {3}
    # A trial waits for the grid of the labels, and says all that it changes.
    jobs = plans.plan(
        "overnight", only="*small_cnn*", results=tmp_path, folder=tmp_path
    )
    trials = [job for job in jobs if "--trial" in job.words]
    ours = [job for job in trials if job.words[1].startswith("born_again")]
    assert len(ours) == 6
    for job in ours:
        assert tmp_path / LABELS / "overnight-grid.json" in job.needs
    assert any("teacher_weight=0.5" in job.words for job in ours)


@pytest.fixture(scope="module")
def answers():
    generator = torch.Generator().manual_seed(0)
    z, v = torch.randn(2, 12, 5, generator=generator)
    return 2 * z, 4 * v, torch.arange(12) % 5


def test_losses_of_logits_are_those_of_the_module(answers):
    z, v, y = answers
    hard = F.cross_entropy(z, y)
    settings = {"added_weight": 0.5, "temperature": 2.0}
    found = objective_of(replace(recipe("decoupled"), beta=3.0, **settings))
    expected = hard + 0.5 * decoupled_loss(z, v, y, temperature=2.0, beta=3.0)
    torch.testing.assert_close(found(z, v, y), expected)
    found = objective_of(replace(recipe("correlations"), **settings))
    expected = hard + 0.5 * correlation_loss(z, v, temperature=2.0)
    torch.testing.assert_close(found(z, v, y), expected)
    soft = {"temperature": 2.0, "teacher_weight": 0.75}
    found = objective_of(replace(recipe("standardised"), **soft))
    expected = standardised_loss(z, v, y, temperature=2.0, soft_weight=0.75)
    torch.testing.assert_close(found(z, v, y), expected)


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    shape = (24, 3, 32, 32)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return ImageSet(pixels, torch.arange(24) % 3, tuple("abc"), "original")


def a_teacher():
    torch.manual_seed(1)
    return ResNet("resnet18", width=4, num_classes=3)


@pytest.mark.parametrize("method", ["fitnets", "attention", "relations"])
def test_losses_of_features_are_those_of_the_module(method, images):
    found = replace(recipe(method), added_weight=0.5)
    pixels = Normalise.of(images.images)(images.images)
    model = a_teacher()
    teacher = live_features(model, found.teacher_layers)
    torch.manual_seed(2)
    student = build(found, images)
    torch.manual_seed(2)
    alone = build(find(LABELS, "overnight"), images)
    student = watched(found, student, teacher, pixels[:2])
    # Whoever is watched begins as the student that learns from labels.
    for ours, theirs in zip(
        unwatched(student).parameters(), alone.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
    student.train()
    outputs, said = student(pixels), teacher(pixels, None, None)
    assert torch.equal(said[0], model(pixels))
    with capture(alone.train(), *found.student_layers) as seen:
        logits = alone(pixels)
    torch.testing.assert_close(outputs[0], logits)
    with capture(model, *found.teacher_layers) as theirs:
        model(pixels)
    y = images.labels
    ours = [seen[layer] for layer in found.student_layers]
    theirs = [theirs[layer] for layer in found.teacher_layers]
    hard = F.cross_entropy(logits, y)
    if method == "attention":
        pairs = zip(ours, theirs, strict=True)
        expected = sum(attention_transfer_loss(*pair) for pair in pairs)
    elif method == "relations":
        expected = relational_loss(ours[0].flatten(1), theirs[0].flatten(1))
    else:
        expected = hint_loss(student.regressor(ours[0]), theirs[0])
        hinted = hint_objective(found)(outputs, said, y)
        torch.testing.assert_close(hinted, 0.5 * expected)
        settings = {
            "temperature": found.temperature,
            "soft_weight": found.teacher_weight,
        }
        expected = distillation_loss(logits, said[0], y, **settings)
        hard, found = 0.0, replace(found, added_weight=1.0)
    loss = objective_of(found)(outputs, said, y)
    torch.testing.assert_close(loss, hard + found.added_weight * expected)
    # In evaluation it is a network like any other.
    assert student.eval()(pixels).shape == (24, 3)


def test_the_hint_has_the_first_fifth_of_the_epochs():
    found = recipe("fitnets")
    for epochs, hinted in ((10, 2), (3, 1), (1, 1)):
        stages = stages_of(replace(found, epochs=epochs))
        assert [len(e) for _, e in stages] == [hinted, epochs - hinted]
        assert [e for _, of in stages for e in of] == [*range(1, epochs + 1)]
    assert len(stages_of(recipe("attention"))) == 1


def trained(folder, monkeypatch, images, *, epochs=3, pauses=()):
    small = replace(recipe("fitnets"), epochs=epochs, views=3, batch_size=8)
    run = Run(
        name="fitnets-small_cnn_from_resnet18-cifar10",
        size="overnight",
        recipe=small,
        seed=0,
        command="",
        results=folder,
        folder=folder,
    )
    monkeypatch.setattr(launching, "split_of", lambda *_: images)
    ask, asked = live_features(a_teacher(), small.teacher_layers), []

    def teacher(*given):
        asked.append(given)
        if len(asked) in pauses:
            raise KeyboardInterrupt
        return ask(*given)

    given = run, Accelerator(cpu=True), images, Normalise.of(images.images)
    for _ in pauses:
        with pytest.raises(KeyboardInterrupt):
            launching.train(*given, teacher)
    return launching.train(*given, teacher)


def test_fitnets_train_up_to_the_hint_first_and_then_all(
    tmp_path, monkeypatch, images
):
    torch.manual_seed(0)
    start = build(recipe("fitnets"), images).state_dict()
    one = replace(recipe("fitnets"), epochs=1)
    assert [len(e) for _, e in stages_of(one)] == [1, 0]
    model, _ = trained(tmp_path / "hint", monkeypatch, images, epochs=1)
    same = {
        key: torch.equal(value, start[key])
        for key, value in model.state_dict().items()
        if key.endswith(("weight", "bias"))
    }
    # Up to features.17, and not beyond.
    assert not same["features.1.weight"] and not same["features.14.weight"]
    assert same["features.19.weight"] and same["head.weight"]
    # The regressor is thrown away.
    assert set(model.state_dict()) == set(start)
    model, _ = trained(tmp_path / "both", monkeypatch, images)
    assert not torch.equal(model.head.weight, start["head.weight"])


def test_interrupted_in_either_stage_it_ends_the_same(
    tmp_path, monkeypatch, images
):
    model, kept = trained(tmp_path / "a", monkeypatch, images)
    # Each call looks at two images once, then asks three times an epoch.
    pauses = (3, 6, 10)
    again, too = trained(tmp_path / "b", monkeypatch, images, pauses=pauses)
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    losses = [[e["loss"] for e in k["epochs"]] for k in (kept, too)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"student_layers": ()},
        {"teacher_layers": ("layer2", "layer3")},
        {"objective": "soft"},
        {"mixup": True, "teacher_weight": 1.0},
        {"teacher": "mine:model"},
        {"teacher": ""},
        {
            "student_layers": ("features.8", "features.17"),
            "teacher_layers": ("layer2", "layer3"),
        },
    ],
)
def test_fields_that_contradict_each_other(changes):
    with pytest.raises(ValueError):
        replace(recipe("fitnets"), **changes)


def test_every_overnight_recipe_asks_a_teacher_at_that_size():
    for sizes in RECIPES.values():
        if "overnight" in sizes and sizes["overnight"].teacher:
            assert "overnight" in RECIPES[sizes["overnight"].teacher]


def test_layers_of_the_recipes_are_there_and_fit():
    images = load("digits", "train").images[:4]
    pixels = F.interpolate(images.float().expand(-1, 3, -1, -1), size=32)
    torch.manual_seed(0)
    shapes = []
    for method in ("fitnets", "attention", "relations"):
        found = recipe(method)
        assert found.objective in FEATURES
        student = build(found, ImageSet(pixels, None, tuple("abc"), ""))
        with capture(student, *found.student_layers) as ours:
            student(pixels)
        teacher = a_teacher()
        with capture(teacher, *found.teacher_layers) as theirs:
            teacher(pixels)
        for pair in zip(ours.values(), theirs.values(), strict=True):
            shapes.append({value.shape[2:] for value in pair})
    # The same grid on both sides.
    assert all(len(sides) == 1 for sides in shapes)
