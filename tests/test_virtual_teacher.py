"""The virtual teacher: label smoothing, closed forms, bad input."""

import pytest
import torch
import torch.nn.functional as F

from labkd.virtual_teacher import virtual_targets, virtual_teacher_loss


def case(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn((6, 5), dtype=dtype, generator=generator)
    return logits, torch.tensor([0, 1, 2, 3, 4, 0])


def test_right_as_often_as_asked_and_impartial():
    targets = virtual_targets(torch.tensor([2, 0]), 4)
    by_hand = [[0.1, 0.1, 2.7, 0.1], [2.7, 0.1, 0.1, 0.1]]
    torch.testing.assert_close(3 * targets, torch.tensor(by_hand))
    torch.testing.assert_close(targets.sum(1), torch.ones(2))


@pytest.mark.parametrize("weight", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("a", [0.2, 0.9, 1.0])
def test_at_temperature_one_it_is_label_smoothing(weight, a):
    logits, labels = case()
    gradients = []
    smoothing = weight * (1 - a) * 5 / 4
    for loss in (
        lambda z: virtual_teacher_loss(
            z, labels, correct_probability=a, weight=weight
        ),
        lambda z: F.cross_entropy(z, labels, label_smoothing=smoothing),
    ):
        z = logits.clone().requires_grad_()
        loss(z).backward()
        gradients.append(z.grad)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)
    assert gradients[0].abs().max() > 0.01


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("smooth_teacher", [False, True])
def test_equals_the_sum_by_hand(temperature, smooth_teacher):
    logits, labels = case()
    ours = virtual_teacher_loss(
        logits,
        labels,
        temperature=temperature,
        weight=0.3,
        smooth_teacher=smooth_teacher,
    )
    rows = []
    for z, y in zip(logits, labels, strict=True):
        p = torch.full((5,), 0.1 / 4, dtype=torch.float64)
        p[y] = 0.9
        if smooth_teacher:
            p = (p / temperature).exp() / (p / temperature).exp().sum()
        q = (z / temperature).softmax(0)
        soft = (p * (p / q).log()).sum() * temperature**2
        rows.append(0.7 * -z.log_softmax(0)[y] + 0.3 * soft)
    torch.testing.assert_close(
        ours, torch.stack(rows).mean(), atol=1e-5, rtol=1e-5
    )


def test_the_second_softmax_leaves_next_to_nothing():
    # 0.9 of ten classes, softened as if it were a logit, at T = 10; no tenth
    # more than chance.
    student = torch.zeros(1, 10, requires_grad=True)
    virtual_teacher_loss(
        student,
        torch.tensor([3]),
        temperature=10.0,
        weight=1.0,
        smooth_teacher=True,
    ).backward()
    # The gradient at a uniform student is T (1/C - p), so p can be read off.
    p = 0.1 - student.grad[0, 3] / 10
    assert p.item() == pytest.approx(0.108, abs=5e-4)


def test_the_loss_is_zero_where_student_and_teacher_agree():
    targets = virtual_targets(torch.tensor([1, 2]), 4)
    loss = virtual_teacher_loss(
        targets.log(), torch.tensor([1, 2]), weight=1.0
    )
    torch.testing.assert_close(loss, torch.tensor(0.0), atol=1e-6, rtol=0)


def test_half_precision_is_computed_in_float32():
    logits, labels = case(torch.float16)
    loss = virtual_teacher_loss(1e3 * logits, labels)
    assert loss.dtype is torch.float32 and loss.isfinite()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct_probability": 0.1}, "1 / 5 .. 1, got 0.1"),
        ({"correct_probability": 1.1}, "got 1.1"),
        ({"temperature": 0.0}, "got 0.0"),
        ({"temperature": float("inf")}, "got inf"),
        ({"weight": -0.1}, "got -0.1"),
        ({"labels": torch.full((6,), 5)}, "found 5"),
        ({"labels": torch.zeros(6)}, "got torch.float32"),
        (
            {"labels": torch.zeros(4, dtype=torch.int64)},
            r"shape \(6,\), got torch.int64 of shape \(4,\)",
        ),
        ({"student_logits": torch.full((6, 5), torch.nan)}, "found nan"),
        ({"student_logits": torch.zeros(6, 5).long()}, "got torch.int64"),
        ({"student_logits": torch.zeros(6, 1)}, "at least 2, got 1"),
    ],
)
def test_bad_input_is_named(change, message):
    logits, labels = case()
    arguments = {"student_logits": logits, "labels": labels} | change
    with pytest.raises(ValueError, match=message):
        virtual_teacher_loss(**arguments)
