"""Decoupled, standardised, correlated: NumPy, identities, bad input."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labkd.decoupled import (
    correlation_loss,
    decoupled_loss,
    standardise,
    standardised_loss,
)
from labkd.soft_targets import distillation_loss, kl_divergence

CASES = range(40)


def case(number, dtype=torch.float64):
    """Random logits, labels and a temperature, the same for a number."""
    rng = np.random.default_rng(number)
    batch, classes = rng.integers(2, 13), rng.integers(3, 21)
    student, teacher = torch.tensor(
        rng.normal(0, 3, (2, batch, classes)), dtype=dtype
    )
    labels = torch.tensor(rng.integers(0, classes, batch))
    return student, teacher, labels, float(rng.uniform(0.5, 10))


def without_labels(student, teacher, labels, **settings):
    return correlation_loss(student, teacher, **settings)


LOSSES = (decoupled_loss, standardised_loss, without_labels)


def gradient(loss, student):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(loss(student), student)[0]


def softmax(z):
    z = np.exp(z - z.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


def divergence(p, q):
    return (p * np.log(p / q)).sum()


def same(value, expected):
    assert value.item() == pytest.approx(expected, rel=0, abs=1e-9)


# Decoupled


def decoupled(student, teacher, labels, temperature, alpha, beta):
    """Zhao et al., row by row, from probabilities."""
    rows = []
    for z, v, y, weight in zip(student, teacher, labels, beta, strict=True):
        q, p = softmax(z / temperature), softmax(v / temperature)
        b_q, b_p = (np.array([x[y], 1 - x[y]]) for x in (q, p))
        target = divergence(b_p, b_q)
        q, p = np.delete(q, y), np.delete(p, y)
        others = divergence(p / p.sum(), q / q.sum())
        rows.append(temperature**2 * (alpha * target + weight * others))
    return np.mean(rows)


@pytest.mark.parametrize("number", CASES)
def test_decoupled_loss_equals_numpy(number):
    student, teacher, labels, temperature = case(number)
    alpha, beta = number / 10, 8 - number / 5
    got = decoupled_loss(
        student,
        teacher,
        labels,
        temperature=temperature,
        alpha=alpha,
        beta=beta,
    )
    rows = np.full(len(labels), beta)
    arrays = (x.numpy() for x in (student, teacher, labels))
    same(got, decoupled(*arrays, temperature, alpha, rows))


def test_beta_may_differ_from_row_to_row():
    student, teacher, labels, _ = case(2)
    beta = torch.linspace(0, 3, len(labels), dtype=torch.float64)
    arrays = (x.numpy() for x in (student, teacher, labels))
    expected = decoupled(*arrays, 4.0, 1.0, beta.numpy())
    same(decoupled_loss(student, teacher, labels, beta=beta), expected)
    swapped = decoupled_loss(student, teacher, labels, beta=beta.flip(0))
    assert abs(swapped - expected) > 0.01


def test_the_defaults_are_those_of_the_paper():
    student, teacher, labels, _ = case(3)
    given = {"temperature": 4.0, "alpha": 1.0, "beta": 8.0}
    assert torch.equal(
        decoupled_loss(student, teacher, labels),
        decoupled_loss(student, teacher, labels, **given),
    )


@pytest.mark.parametrize("number", CASES)
def test_with_the_coupled_weight_it_is_the_divergence(number):
    student, teacher, labels, temperature = case(number)
    p = F.softmax(teacher / temperature, dim=1)
    rows = torch.arange(len(labels))

    def decoupled_again(z):
        return decoupled_loss(
            z,
            teacher,
            labels,
            temperature=temperature,
            beta=1 - p[rows, labels],
        )

    def coupled(z):
        return temperature**2 * kl_divergence(z, teacher, temperature)

    same(decoupled_again(student), coupled(student).item())
    torch.testing.assert_close(
        gradient(decoupled_again, student),
        gradient(coupled, student),
        rtol=0,
        atol=1e-11,
    )
    # Of the student's own probability neither would be true.
    q = F.softmax(student / temperature, dim=1)
    wrong = decoupled_loss(
        student,
        teacher,
        labels,
        temperature=temperature,
        beta=1 - q[rows, labels],
    )
    assert abs(wrong - coupled(student)) > 1e-6


def test_beta_carries_no_gradient():
    student, teacher, labels, _ = case(4)
    beta = torch.ones(len(labels), dtype=torch.float64, requires_grad=True)
    student.requires_grad_()
    decoupled_loss(student, teacher, labels, beta=beta).backward()
    assert beta.grad is None and student.grad.abs().max() > 0


def test_alpha_alone_sees_only_how_sure_they_are():
    student, teacher, labels, _ = case(5)
    binary = {"alpha": 1.0, "beta": 0.0}
    expected = decoupled_loss(student, teacher, labels, **binary)
    # Other wrong classes in another order: the same sum beside the right one.
    shuffled = student.clone()
    for row, y in enumerate(labels):
        wrong = [i for i in range(student.shape[1]) if i != y]
        shuffled[row, wrong] = student[row, wrong[::-1]]
    same(decoupled_loss(shuffled, teacher, labels, **binary), expected.item())
    ranking = {"alpha": 0.0, "beta": 1.0}
    before = decoupled_loss(student, teacher, labels, **ranking)
    after = decoupled_loss(shuffled, teacher, labels, **ranking)
    assert abs(before - after) > 0.1


def test_beta_alone_sees_only_the_wrong_classes():
    student, teacher, labels, _ = case(6)
    ranking = {"alpha": 0.0, "beta": 1.0}
    expected = decoupled_loss(student, teacher, labels, **ranking).item()
    surer = student + 5 * F.one_hot(labels, student.shape[1])
    same(decoupled_loss(surer, teacher, labels, **ranking), expected)
    slope = gradient(
        lambda z: decoupled_loss(z, teacher, labels, **ranking), student
    )
    assert slope.gather(1, labels[:, None]).abs().max() < 1e-12
    assert slope.abs().max() > 0.01


def test_a_sure_teacher_still_teaches_its_ranking():
    # In float32 this p is 1 to the last bit, and 1 - p is 0.
    v = torch.tensor([[60.0, 2.0, 0.0, -1.0]], requires_grad=True)
    z = torch.tensor([[50.0, 0.0, 1.0, 2.0]], requires_grad=True)
    y = torch.tensor([0])
    loss = decoupled_loss(z, v, y, temperature=1.0)
    loss.backward()
    assert loss.isfinite() and z.grad.isfinite().all() and v.grad is None
    q = softmax(np.array([0.0, 1.0, 2.0]))
    p = softmax(np.array([2.0, 0.0, -1.0]))
    assert loss.item() == pytest.approx(8 * divergence(p, q), rel=1e-5)
    np.testing.assert_allclose(z.grad[0, 1:], 8 * (q - p), rtol=1e-5)


# Standardised


@pytest.mark.parametrize("number", CASES[:10])
def test_standardise_equals_numpy(number):
    logits, *_ = case(number)
    x = logits.numpy()
    expected = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    got = standardise(logits)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)
    # Any axes may stand before the classes.
    cube = logits[None].repeat(2, 1, 1)
    assert torch.equal(standardise(cube)[1], got)


@pytest.mark.parametrize("number", CASES[:10])
def test_the_deviation_of_the_code_is_another_temperature(number):
    logits, _, _, temperature = case(number)
    classes = logits.shape[1]
    centred = logits - logits.mean(1, keepdim=True)
    sample = centred / logits.std(1, keepdim=True)
    ours = temperature * math.sqrt(classes / (classes - 1))
    torch.testing.assert_close(
        sample / temperature, standardise(logits) / ours
    )


@pytest.mark.parametrize("number", CASES[:10])
def test_shift_and_scale_are_forgotten(number):
    logits, *_ = case(number)
    expected = standardise(logits)
    rows = torch.arange(1.0, len(logits) + 1, dtype=logits.dtype)[:, None]
    moved = 1e-3 * rows * logits - 7 * rows
    torch.testing.assert_close(standardise(moved), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(
        standardise(-logits), -expected, rtol=0, atol=1e-9
    )


def test_their_bounds():
    # One class against all others is as far out as it gets.
    logits = 100 * torch.eye(10, dtype=torch.float64)
    scores = standardise(logits)
    torch.testing.assert_close(
        scores.amax(1), torch.full((10,), 3.0, dtype=torch.float64)
    )
    torch.testing.assert_close(
        scores.square().mean(1), torch.ones(10, dtype=torch.float64)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -300.7])
def test_equal_logits_are_zeros_without_a_gradient(value, dtype):
    # The mean of ten times 0.1 is not 0.1 in every order of summing.
    logits = torch.full((2, 10), value, dtype=dtype)
    logits[1, 3] += 1
    logits.requires_grad_()
    scores = standardise(logits)
    assert torch.equal(scores[0], torch.zeros(10, dtype=dtype))
    assert scores[1].max().item() == pytest.approx(3.0, rel=1e-3)
    (scores * torch.arange(10.0)).sum().backward()
    assert torch.equal(logits.grad[0], torch.zeros(10, dtype=dtype))
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("number", CASES)
def test_standardised_loss_equals_numpy(number):
    student, teacher, labels, temperature = case(number)
    weight = number / len(CASES)
    z, v = student.numpy(), teacher.numpy()
    hard = -np.log(softmax(z)[range(len(z)), labels.numpy()]).mean()
    q, p = (
        softmax((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) / t)
        for x, t in ((z, temperature), (v, temperature))
    )
    soft = temperature**2 * divergence(p, q) / len(z)
    got = standardised_loss(
        student, teacher, labels, temperature=temperature, soft_weight=weight
    )
    same(got, (1 - weight) * hard + weight * soft)


def test_it_is_on():
    # A flag of the published code was inverted, another had no effect.
    student, teacher, labels, temperature = case(7)
    settings = {"temperature": temperature, "soft_weight": 0.7}
    on = standardised_loss(student, teacher, labels, **settings)
    off = distillation_loss(student, teacher, labels, **settings)
    both = distillation_loss(
        standardise(student), standardise(teacher), labels, **settings
    )
    values = torch.stack([on, off, both])
    assert torch.pdist(values[:, None]).min() > 0.01
    # Without a soft term there is nothing to standardise.
    settings["soft_weight"] = 0.0
    same(
        standardised_loss(student, teacher, labels, **settings),
        distillation_loss(student, teacher, labels, **settings).item(),
    )


def test_a_student_of_another_scale_has_nothing_left_to_learn():
    student, teacher, labels, _ = case(8)
    scaled = 0.2 * teacher + 3
    only = {"temperature": 2.0, "soft_weight": 1.0}
    same(standardised_loss(scaled, teacher, labels, **only), 0.0)
    assert distillation_loss(scaled, teacher, labels, **only) > 0.1


# Correlated


def correlations(student, teacher, temperature):
    q, p = softmax(student / temperature), softmax(teacher / temperature)
    rows, columns = len(q), q.shape[1]
    inter = [np.corrcoef(p[n], q[n])[0, 1] for n in range(rows)]
    intra = [np.corrcoef(p[:, i], q[:, i])[0, 1] for i in range(columns)]
    return temperature**2 * np.array([1 - np.mean(inter), 1 - np.mean(intra)])


@pytest.mark.parametrize("number", CASES)
def test_correlation_loss_equals_numpy(number):
    student, teacher, _, temperature = case(number)
    inter, intra = correlations(student.numpy(), teacher.numpy(), temperature)
    for first, second in ((1.0, 1.0), (2.0, 0.0), (0.0, 0.5)):
        got = correlation_loss(
            student,
            teacher,
            temperature=temperature,
            inter_weight=first,
            intra_weight=second,
        )
        same(got, first * inter + second * intra)
    assert abs(inter - intra) > 1e-3


def test_at_temperature_one_by_default():
    student, teacher, *_ = case(9)
    expected = correlations(student.numpy(), teacher.numpy(), 1.0).sum()
    same(correlation_loss(student, teacher), expected)


def test_what_does_not_vary_has_no_correlation_and_no_gradient():
    _, teacher, *_ = case(10)
    # An untrained head that starts at zero: every probability is the same.
    student = torch.zeros_like(teacher)
    same(correlation_loss(student, teacher), 2.0)
    slope = gradient(lambda z: correlation_loss(z, teacher), student)
    assert torch.equal(slope, torch.zeros_like(slope))


def test_a_class_that_is_next_to_impossible_stays_finite():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 16, 4, generator=generator)
    # Its probabilities differ, and their squares are 0 in float32.
    student[:, 0] -= 70
    q = student.softmax(dim=1)[:, 0]
    assert q.max() > q.min() > 0 and q.square().max() == 0
    loss = correlation_loss(student, teacher)
    slope = gradient(lambda z: correlation_loss(z, teacher), student)
    assert loss.isfinite() and slope.isfinite().all()
    assert slope.abs().max() > 0


def test_hot_and_standardised_divergence_is_a_correlation():
    student, teacher, labels, _ = case(11)
    z, v = standardise(student), standardise(teacher)
    classes = student.shape[1]
    distance = (z - v).square().sum(1).mean() / (2 * classes)
    same(1 - (z * v).mean(), distance.item())
    hot = {"temperature": 1e4}
    divergence = standardised_loss(
        student, teacher, labels, soft_weight=1.0, **hot
    )
    correlation = correlation_loss(student, teacher, intra_weight=0.0, **hot)
    assert divergence.item() == pytest.approx(distance.item(), rel=1e-3)
    # This one keeps the factor that it did not need.
    expected = 1e8 * distance.item()
    assert correlation.item() == pytest.approx(expected, rel=1e-3)


# All of them


@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss):
    student, teacher, labels, temperature = case(12)
    student.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: loss(z, teacher, labels, temperature=temperature), student
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_no_gradient_reaches_the_teacher(loss):
    student, teacher, labels, _ = case(13)
    student.requires_grad_(), teacher.requires_grad_()
    loss(student, teacher, labels).backward()
    assert teacher.grad is None and student.grad.abs().max() > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_a_constant_added_to_a_row_changes_nothing(loss):
    student, teacher, labels, _ = case(14)
    expected = loss(student, teacher, labels).item()
    rows = torch.arange(len(labels), dtype=student.dtype)[:, None]
    same(loss(student + rows, teacher - 2 * rows, labels), expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_to_learn_from_oneself(loss):
    student, _, labels, _ = case(15)
    only = {"soft_weight": 1.0} if loss is standardised_loss else {}
    same(loss(student, student, labels, **only), 0.0)
    slope = gradient(lambda z: loss(z, student, labels, **only), student)
    assert slope.abs().max() < 1e-9


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss, dtype):
    student, teacher, labels, _ = case(16, dtype)
    value = loss(student, teacher, labels)
    assert value.dtype is torch.float32 and value.isfinite()
    exact = loss(student.double(), teacher.double(), labels)
    assert value.item() == pytest.approx(exact.item(), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_value_checks_do_not_run_off_the_cpu(loss):
    student, teacher, labels, _ = (
        x.to("meta") if isinstance(x, torch.Tensor) else x for x in case(17)
    )
    assert loss(student, teacher, labels).device.type == "meta"
    beta = torch.empty(len(labels), device="meta")
    loss = decoupled_loss(student, teacher, labels, beta=beta)
    assert loss.device.type == "meta"


# Bad input


BAD_LOGITS = [
    ({"student": torch.full((4, 5), math.nan)}, "student.*found nan"),
    ({"teacher": torch.full((4, 5), math.inf)}, "teacher.*found inf"),
    ({"student": torch.zeros(4, 5).long()}, "got torch.int64"),
    ({"teacher": torch.zeros(4, 6)}, r"\(4, 5\) and \(4, 6\)"),
    ({"teacher": torch.zeros(1, 5)}, r"\(4, 5\) and \(1, 5\)"),
    ({"student": torch.zeros(5), "teacher": torch.zeros(5)}, r"\(5,\)"),
    ({"student": torch.zeros(0, 5), "teacher": torch.zeros(0, 5)}, "0, 5"),
    ({"temperature": 0.0}, "got 0.0"),
    ({"temperature": math.inf}, "got inf"),
]
BAD_LABELS = [
    ({"labels": torch.full((4,), 5)}, "found 5"),
    ({"labels": torch.full((4,), -1)}, "found -1"),
    ({"labels": torch.zeros(4)}, "got torch.float32"),
    ({"labels": torch.zeros(3, dtype=torch.int64)}, r"got .*\(3,\)"),
]


def refused(loss, change, message):
    given = {
        "student": torch.randn(4, 5),
        "teacher": torch.randn(4, 5),
        "labels": torch.zeros(4, dtype=torch.int64),
    } | change
    arguments = (given.pop("student"), given.pop("teacher"))
    with pytest.raises(ValueError, match=message):
        loss(*arguments, **given)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("change", "message"), BAD_LOGITS)
def test_bad_logits_are_named(loss, change, message):
    refused(loss, change, message)


@pytest.mark.parametrize("loss", [decoupled_loss, standardised_loss])
@pytest.mark.parametrize(("change", "message"), BAD_LABELS)
def test_bad_labels_are_named(loss, change, message):
    refused(loss, change, message)


@pytest.mark.parametrize("classes", [1, 2])
def test_two_classes_are_refused(classes):
    logits = torch.randn(4, classes)
    labels = torch.zeros(4, dtype=torch.int64)
    for call in (
        lambda: decoupled_loss(logits, logits, labels),
        lambda: standardised_loss(logits, logits, labels),
        lambda: standardise(logits),
    ):
        with pytest.raises(ValueError, match=f"3 classes .*got {classes}"):
            call()


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_number_has_no_correlation(shape):
    with pytest.raises(ValueError, match=f"got shape .{shape[0]}, {shape[1]}"):
        correlation_loss(torch.randn(shape), torch.randn(shape))


@pytest.mark.parametrize("weight", [-0.5, math.nan, math.inf])
@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (decoupled_loss, "alpha"),
        (decoupled_loss, "beta"),
        (without_labels, "inter_weight"),
        (without_labels, "intra_weight"),
        (standardised_loss, "soft_weight"),
    ],
)
def test_weights_that_are_none(loss, name, weight):
    student, teacher, labels, _ = case(18)
    with pytest.raises(ValueError, match=f"{name} .*got {weight}"):
        loss(student, teacher, labels, **{name: weight})


def test_a_soft_weight_above_one():
    student, teacher, labels, _ = case(18)
    with pytest.raises(ValueError, match="got 1.5"):
        standardised_loss(student, teacher, labels, soft_weight=1.5)


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (torch.ones(3), r"got torch.float32 of shape \(3,\)"),
        (torch.ones(4, 1), r"\(4, 1\)"),
        (torch.ones(()), r"of shape \(\)"),
        (torch.ones(4).long(), "got torch.int64"),
        (torch.tensor([0.0, 1.0, -2.0, 1.0]), "found -2.0"),
        (torch.tensor([0.0, 1.0, math.nan, 1.0]), "found nan"),
        (torch.tensor([0.0, 1.0, math.inf, 1.0]), "found inf"),
    ],
)
def test_a_beta_that_is_none(beta, message):
    logits, labels = torch.randn(4, 5), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        decoupled_loss(logits, logits, labels, beta=beta)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_standardise_refuses_what_is_no_number(value):
    logits = torch.zeros(2, 4)
    logits[1, 2] = value
    with pytest.raises(ValueError, match=f"found {value}"):
        standardise(logits)
    with pytest.raises(ValueError, match="got torch.int64"):
        standardise(torch.zeros(2, 4).long())
