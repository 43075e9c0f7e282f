"""Recipes become the right images, models, optimizers and losses."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from labkd.cross_quality import FewerPixels
from labkd.data import load
from labkd.lab.building import build, objective_of, optimizer_of, some_of
from labkd.lab.recipes import find
from labkd.mutual_learning import Cohort
from labkd.soft_targets import distillation_loss
from labkd.vit import VisionTransformer

SCRATCH = find("scratch-vit-digits", "laptop")
SOFT = find("soft-vit_from_resnet18-cifar10", "laptop")
ARGMAX = find("argmax-vit_from_resnet18-cifar10", "laptop")
TOKEN = find("token-vit_from_resnet18-cifar10", "laptop")
CONTROL = find("control-vit-cifar10", "laptop")
MUTUAL = replace(SCRATCH, objective="mutual", cohort=3, teacher_weight=0.3)


@pytest.fixture(scope="module")
def digits():
    return load("digits", "train")


def test_some_images_are_evenly_many_of_each_class(digits):
    some = some_of(digits, 50)
    assert torch.equal(some.labels.bincount(), torch.full((10,), 5))
    assert torch.equal(some.images, some_of(digits, 50).images)
    for label in range(10):
        first = digits.images[digits.labels == label][:5]
        assert torch.equal(some.images[some.labels == label], first)
    assert some_of(digits, 0) is digits
    assert len(some_of(digits, 10**6)) == len(digits)
    assert len(some_of(digits, 10)) == 10
    with pytest.raises(ValueError, match="9 training images cannot"):
        some_of(digits, 9)


def test_a_model_fits_its_images(digits):
    model = build(SCRATCH, digits)
    assert isinstance(model, VisionTransformer)
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    teacher = build(find("teacher-resnet18-digits", "laptop"), digits)
    assert teacher(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_cohort_begins_with_the_model_that_is_alone(digits):
    torch.manual_seed(3)
    alone = build(SCRATCH, digits)
    torch.manual_seed(3)
    cohort = build(MUTUAL, digits)
    assert isinstance(cohort, Cohort) and len(cohort.students) == 3
    first, second, _ = cohort.students
    for name, value in alone.state_dict().items():
        assert torch.equal(first.state_dict()[name], value)
    assert not torch.equal(first.head.weight, second.head.weight)
    pixels = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(cohort.eval()(pixels), alone.eval()(pixels))
    assert [z.shape for z in cohort.train()(pixels)] == 3 * [(2, 10)]


def test_a_student_may_see_fewer_pixels(digits):
    model = build(replace(SCRATCH, shrink=2), digits)
    assert isinstance(model, FewerPixels)
    # Patches of 2 x 2 of what was 8 x 8, and the class token.
    assert model.student.positions.shape[1] == 4 + 1
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match="shrink=3 does not divide 8"):
        build(replace(SCRATCH, shrink=3), digits)


@pytest.mark.parametrize("architecture", ["large_cnn", "small_cnn"])
def test_plain_networks_are_for_larger_images(architecture, digits):
    recipe = replace(SCRATCH, architecture=architecture)
    with pytest.raises(ValueError, match="32 x 32 pixels, got 8 x 8"):
        build(recipe, digits)
    larger = replace(digits, images=digits.images.repeat(1, 1, 4, 4))
    logits = build(recipe, larger).eval()(torch.zeros(2, 1, 32, 32))
    assert logits.shape == (2, 10)


def test_weight_decay_is_for_the_matrices_alone(digits):
    model = build(replace(SCRATCH, distillation_token=True), digits)
    optimizer, _ = optimizer_of(SCRATCH, model, len(digits))
    decayed, rest = optimizer.param_groups
    assert decayed["weight_decay"] == SCRATCH.weight_decay
    assert rest["weight_decay"] == 0
    names = {id(p): name for name, p in model.named_parameters()}
    weights = {names[id(p)] for p in decayed["params"]}
    others = {names[id(p)] for p in rest["params"]}
    assert weights | others == set(names.values())
    assert not weights & others
    assert all(name.endswith("weight") for name in weights)
    assert not any("norm" in name or "token" in name for name in weights)
    for name in ("positions", "class_token", "head.bias", "norm.weight"):
        assert name in others


@pytest.mark.parametrize(
    "recipe", [SCRATCH, find("teacher-resnet18-digits", "laptop")]
)
def test_the_rate_rises_for_a_quarter_and_falls_to_nothing(recipe, digits):
    model = build(recipe, digits)
    optimizer, schedule = optimizer_of(recipe, model, len(digits))
    steps = recipe.epochs * -(-len(digits) // recipe.batch_size)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    peak = max(range(steps), key=rates.__getitem__)
    assert rates[peak] == pytest.approx(recipe.learning_rate, rel=1e-2)
    assert abs(peak - steps / 4) <= 1.5
    assert rates[-1] < 1e-3 * recipe.learning_rate
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :])[::-1]


@pytest.mark.parametrize("epochs", range(1, 10))
def test_the_shortest_run_has_a_schedule(epochs, digits):
    recipe = replace(SCRATCH, epochs=epochs, batch_size=2000)
    optimizer, schedule = optimizer_of(recipe, build(recipe, digits), 1200)
    for _ in range(epochs):
        assert 0 < optimizer.param_groups[0]["lr"] <= recipe.learning_rate
        optimizer.step()
        schedule.step()


class TestObjectives:
    """Each objective against its formula, written out here."""

    torch.manual_seed(0)
    student, token, teacher = torch.randn(3, 6, 10, dtype=torch.float64)
    labels = torch.arange(6)

    def test_cross_entropy(self):
        ours = objective_of(SCRATCH)(self.student, None, self.labels)
        torch.testing.assert_close(
            ours.double(),
            F.cross_entropy(self.student, self.labels),
            rtol=1e-5,
            atol=1e-6,
        )

    def test_soft(self):
        ours = objective_of(SOFT)(self.student, self.teacher, self.labels)
        t, w = SOFT.temperature, SOFT.teacher_weight
        p = (self.teacher / t).softmax(1)
        q = (self.student / t).softmax(1)
        kl = (p * (p / q).log()).sum(1).mean()
        hard = F.cross_entropy(self.student, self.labels)
        torch.testing.assert_close(ours, (1 - w) * hard + w * t**2 * kl)
        library = distillation_loss(
            self.student,
            self.teacher,
            self.labels,
            temperature=t,
            soft_weight=w,
        )
        torch.testing.assert_close(ours, library)

    def test_argmax(self):
        ours = objective_of(ARGMAX)(self.student, self.teacher, self.labels)
        decision = self.teacher.argmax(1)
        halves = (
            F.cross_entropy(self.student, self.labels)
            + F.cross_entropy(self.student, decision)
        ) / 2
        torch.testing.assert_close(ours, halves)

    def test_token(self):
        both = self.student, self.token
        ours = objective_of(TOKEN)(both, self.teacher, self.labels)
        halves = (
            F.cross_entropy(self.student, self.labels)
            + F.cross_entropy(self.token, self.teacher.argmax(1))
        ) / 2
        torch.testing.assert_close(ours, halves)

    def test_control(self):
        both = self.student, self.token
        ours = objective_of(CONTROL)(both, None, self.labels)
        halves = sum(F.cross_entropy(z, self.labels) for z in both) / 2
        torch.testing.assert_close(ours.double(), halves, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("objective", ["mutual", "mutual-ensemble"])
    def test_mutual(self, objective):
        recipe = replace(MUTUAL, objective=objective)
        cohort = (self.student, self.token, self.teacher)
        ours = objective_of(recipe)(cohort, None, self.labels)
        beliefs = torch.stack([z.softmax(1) for z in cohort])
        total = 0.0
        for k, z in enumerate(cohort):
            peers = beliefs[[other for other in range(3) if other != k]]
            if objective == "mutual-ensemble":
                peers = peers.mean(0, keepdim=True)
            kl = (peers * (peers / beliefs[k]).log()).sum(2).mean()
            total += 0.7 * F.cross_entropy(z, self.labels) + 0.3 * kl
        torch.testing.assert_close(ours, total)

    def test_virtual(self):
        recipe = replace(
            SCRATCH,
            objective="virtual",
            teacher_weight=0.4,
            temperature=2.0,
            correct_probability=0.8,
        )
        ours = objective_of(recipe)(self.student, None, self.labels)
        p = torch.full((6, 10), 0.2 / 9, dtype=torch.float64)
        p[range(6), self.labels] = 0.8
        kl = (p * (p / (self.student / 2).softmax(1)).log()).sum(1).mean()
        hard = F.cross_entropy(self.student, self.labels)
        torch.testing.assert_close(
            ours, 0.6 * hard + 0.4 * 4 * kl, rtol=1e-5, atol=1e-6
        )
