"""The central comparison: one budget, one bank, one teacher, equal tuning."""

from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator

from labkd.controls import mean_entropy
from labkd.data import ImageSet
from labkd.lab import experiments, launching
from labkd.lab.building import bank_of, objective_of
from labkd.lab.launching import Run
from labkd.lab.recipes import RECIPES, find
from labkd.lab.teachers import recorded
from labkd.pixels import Normalise
from labkd.soft_targets import distillation_loss

TEACHER = "teacher-resnet18-cifar10"
SCRATCH = "scratch-vit-cifar10"
SOFT = "soft-vit_from_resnet18-cifar10"
ARMS = (
    *(SCRATCH, SOFT, "argmax-vit_from_resnet18-cifar10"),
    *("token-vit_from_resnet18-cifar10", "control-vit-cifar10"),
    *("permuted-vit_from_resnet18-cifar10", "smoothing-vit-cifar10"),
    "doubled-vit-cifar10",
)
# What the arms may differ in: what the student learns from, and its tuning.
LESSON = {
    *("objective", "teacher", "temperature", "teacher_weight"),
    *("distillation_token", "learning_rate", "temperatures"),
    *("loss_weights", "tuned_as", "seeds", "baseline"),
}


@pytest.mark.parametrize("name", ARMS)
def test_the_arms_differ_in_the_lesson_only(name):
    ours, labels = (asdict(find(n, "overnight")) for n in (name, SCRATCH))
    # With labels' rates, or at the rate that labels chose.
    rates = ours.pop("learning_rates")
    assert rates == (() if ours["tuned_as"] else labels["learning_rates"])
    assert {k for k in ours if ours[k] != labels[k]} <= LESSON
    assert ours["training_images"] == 0 and ours["views"] == ours["epochs"]
    assert ours["trial_epochs"] * 4 == ours["epochs"]
    assert ours["teacher"] in ("", TEACHER)


def test_every_overnight_recipe_has_a_grid_and_the_central_pair_five_seeds():
    for sizes in RECIPES.values():
        if "overnight" in sizes:
            found = sizes["overnight"]
            assert len(found.learning_rates) >= 3 or found.tuned_as
            if found.tuned_as:
                assert "overnight" in RECIPES[found.tuned_as]
    assert find(SCRATCH, "overnight").seeds == 5
    assert find(SOFT, "overnight").seeds == 5


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    shape = (30, 3, 8, 8)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return ImageSet(pixels, torch.arange(30) % 3, tuple("abc"), "original")


SMALL = replace(
    find(SCRATCH, "overnight"),
    dataset="digits",
    padding=1,
    views=3,
    epochs=4,
    batch_size=8,
    width=8,
    depth=1,
    heads=2,
)


def small(**changes):
    return replace(SMALL, **changes)


def table(images):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(images), 3, 3, generator=generator).half()


@pytest.mark.parametrize("objective", ["soft", "permuted", "smoothing"])
def test_the_controls_go_into_the_loss_of_the_soft_labels(objective, images):
    given = {"objective": objective, "temperature": 2.0, "teacher": TEACHER}
    recipe = small(teacher_weight=0.5, **given)
    said = experiments._controlled(table(images), images.labels, recipe)
    assert said.shape == (30, 3, 3)
    every, columns = torch.arange(30), torch.full((30,), 1)
    logits = recorded(said)(None, every, columns)
    student = torch.randn(30, 3, generator=torch.Generator().manual_seed(2))
    loss = objective_of(recipe)(student, logits, images.labels)
    expected = distillation_loss(
        *(student, logits, images.labels), temperature=2.0, soft_weight=0.5
    )
    assert torch.equal(loss, expected)
    # As soft as the teacher, by rows or on average.
    ours, theirs = (
        mean_entropy(t.float().view(-1, 3), temperature=2.0)
        for t in (said, table(images))
    )
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert torch.equal(said, table(images)) == (objective == "soft")


def test_doubled_is_twice_the_cross_entropy(images):
    student = torch.randn(30, 3, generator=torch.Generator().manual_seed(2))
    loss = objective_of(small(objective="doubled"))(
        student, None, images.labels
    )
    torch.testing.assert_close(
        loss, 2 * F.cross_entropy(student, images.labels)
    )


def trained(tmp_path, monkeypatch, images, *, pauses):
    recipe = small(objective="soft", teacher=TEACHER, teacher_weight=0.5)
    run = Run(
        name=SOFT,
        size="overnight",
        recipe=recipe,
        seed=0,
        command="",
        results=tmp_path,
        folder=tmp_path,
    )
    monkeypatch.setattr(launching, "split_of", lambda *_: images)
    shown = []

    def teacher(pixels, indices, columns):
        shown.append((indices, columns))
        if len(shown) in pauses:
            raise KeyboardInterrupt
        return recorded(table(images))(pixels, indices, columns)

    normalise = Normalise.of(images.images)
    for _ in range(len(pauses)):
        with pytest.raises(KeyboardInterrupt):
            launching.train(
                run, Accelerator(cpu=True), images, normalise, teacher
            )
    model, kept = launching.train(
        run, Accelerator(cpu=True), images, normalise, teacher
    )
    return model.state_dict(), kept, shown


def test_an_interrupted_run_shows_the_same_views_and_ends_the_same(
    tmp_path, monkeypatch, images
):
    whole = trained(tmp_path / "a", monkeypatch, images, pauses=())
    # In the first epoch, in the third, and in its first batch.
    parts = trained(tmp_path / "b", monkeypatch, images, pauses=(2, 13, 14))
    for key, value in whole[0].items():
        assert torch.equal(value, parts[0][key])
    scores = [
        [(e["loss"], e["validation"]) for e in kept["epochs"]]
        for kept in (whole[1], parts[1])
    ]
    assert scores[0] == scores[1]
    # Epoch e shows view e, from the first again after the third.
    columns = [set(c.tolist()) for _, c in whole[2]]
    assert columns == [{e} for e in (0, 1, 2, 0) for _ in range(4)]


def test_a_bank_is_that_of_the_images(images):
    bank = bank_of(small(), images)
    assert bank.in_turn and bank.views.shape == (30, 3, 3)
    every = bank_of(small(views=0), images)
    assert not every.in_turn and every.views.shape == (30, 18, 3)
    # Labels alone draw from the same bank as everyone.
    other = bank_of(small(objective="soft", teacher=TEACHER), images)
    assert torch.equal(other.views, bank.views)
