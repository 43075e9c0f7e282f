"""Hard distillation and the token: closed forms, gradients, bad input."""

import math

import pytest
import torch
import torch.nn.functional as F

from labkd.distillation_token import hard_distillation_loss, token_loss


def case(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shape = (4, 6, 5)
    logits = 3 * torch.randn(shape, dtype=dtype, generator=generator)
    return [*logits, torch.tensor([0, 1, 2, 3, 4, 0])]


def test_hard_distillation_is_half_of_each_label():
    student, teacher, _, _, labels = case()
    ours = hard_distillation_loss(student, teacher, labels)
    rows = zip(student.log_softmax(1), labels, teacher.argmax(1), strict=True)
    by_hand = [-(q[y] + q[decision]) / 2 for q, y, decision in rows]
    torch.testing.assert_close(ours, torch.stack(by_hand).mean())


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_each_head_learns_from_its_own_label(weight):
    class_logits, token_logits, teacher, _, labels = case()
    class_logits.requires_grad_()
    token_logits.requires_grad_()
    teacher.requires_grad_()
    loss = token_loss(
        class_logits, token_logits, teacher, labels, teacher_weight=weight
    )
    loss.backward()
    for logits, target, share in (
        (class_logits, labels, 1 - weight),
        (token_logits, teacher.argmax(1), weight),
    ):
        one_hot = F.one_hot(target, 5)
        expected = share * (logits.softmax(1) - one_hot) / len(labels)
        torch.testing.assert_close(logits.grad, expected.detach())
    assert teacher.grad is None


def test_only_the_teachers_decision_counts():
    student, teacher, _, _, labels = case()
    sharper = hard_distillation_loss(student, 7 * teacher + 1, labels)
    assert sharper == hard_distillation_loss(student, teacher, labels)


def test_half_precision_is_computed_in_float32():
    student, teacher, _, _, labels = case(torch.float16)
    loss = hard_distillation_loss(1e4 * student, teacher, labels)
    assert loss.dtype is torch.float32 and loss.isfinite()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher_weight": 1.5}, "got 1.5"),
        ({"teacher_weight": math.nan}, "got nan"),
        ({"labels": torch.tensor([0, 1, 2, 3, 4, 5])}, "found 5"),
        ({"labels": torch.tensor([-1, 1, 2, 3, 4, 0])}, "found -1"),
        ({"labels": torch.zeros(6)}, "torch.float32"),
        ({"teacher_logits": torch.zeros(6, 4)}, r"\(6, 4\)"),
        ({"token_logits": torch.zeros(5, 5)}, r"\(5, 5\)"),
    ],
)
def test_bad_input(change, message):
    class_logits, token_logits, teacher_logits, _, labels = case()
    arguments = {
        "class_logits": class_logits,
        "token_logits": token_logits,
        "teacher_logits": teacher_logits,
        "labels": labels,
    }
    with pytest.raises(ValueError, match=message):
        token_loss(**arguments | change)


def test_empty_and_integer_logits():
    labels = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        hard_distillation_loss(*torch.zeros(2, 0, 3), labels)
    with pytest.raises(ValueError, match="torch.int64"):
        hard_distillation_loss(*torch.zeros(2, 4, 3).long(), labels)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_teacher_that_is_no_number_has_no_argmax(wrong):
    z, labels = torch.zeros(2, 3), torch.tensor([0, 2])
    teacher = torch.tensor([[wrong, 0.0, 1.0], [0.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match=f"teacher_logits.*found {wrong}"):
        hard_distillation_loss(z, teacher, labels)
    with pytest.raises(ValueError, match=f"teacher_logits.*found {wrong}"):
        token_loss(z, z, teacher, labels)
    with pytest.raises(ValueError, match="teacher_logits.*got torch.int64"):
        token_loss(z, z, labels.expand(3, 2).T, labels)
