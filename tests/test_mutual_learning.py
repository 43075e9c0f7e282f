"""DML and DML_e: closed forms, equal gradients, bad input."""

import pytest
import torch
import torch.nn.functional as F

from labkd.mutual_learning import mutual_learning_loss


def cohort(students=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shape = (students, 6, 5)
    logits = 3 * torch.randn(shape, dtype=dtype, generator=generator)
    return list(logits), torch.tensor([0, 1, 2, 3, 4, 0])


def divergence(p, q):
    return (p * (p.log() - q.log())).sum(1).mean()


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_equals_the_sum_by_hand(ensemble, weight):
    logits, labels = cohort()
    losses = mutual_learning_loss(
        logits, labels, weight=weight, ensemble=ensemble
    )
    beliefs = [z.softmax(1) for z in logits]
    for k, q in enumerate(beliefs):
        peers = [p for other, p in enumerate(beliefs) if other != k]
        hard = -q[range(6), labels].log().mean()
        if ensemble:
            soft = divergence(sum(peers) / 2, q)
        else:
            soft = (divergence(peers[0], q) + divergence(peers[1], q)) / 2
        expected = (1 - weight) * hard + weight * soft
        torch.testing.assert_close(losses[k], expected)


@pytest.mark.parametrize("students", [2, 3, 5])
def test_both_forms_have_one_gradient(students):
    gradients = []
    for ensemble in (False, True):
        logits, labels = cohort(students)
        for z in logits:
            z.requires_grad_()
        loss = mutual_learning_loss(logits, labels, ensemble=ensemble)
        sum(loss).backward()
        gradients.append(torch.stack([z.grad for z in logits]))
    torch.testing.assert_close(*gradients, atol=1e-9, rtol=0)
    assert gradients[0].abs().max() > 0.01


def test_the_peers_mean_is_the_teacher():
    logits, labels = cohort()
    student = logits[0].requires_grad_()
    mutual_learning_loss(logits, labels, weight=1.0)[0].backward()
    mean = (logits[1].softmax(1) + logits[2].softmax(1)) / 2
    expected = (student.softmax(1) - mean) / len(labels)
    torch.testing.assert_close(student.grad, expected.detach())


def test_a_students_loss_moves_no_peer():
    logits, labels = cohort()
    for z in logits:
        z.requires_grad_()
    mutual_learning_loss(logits, labels)[1].backward()
    assert logits[0].grad is None and logits[2].grad is None
    assert logits[1].grad.abs().max() > 0


@pytest.mark.parametrize("ensemble", [False, True])
def test_each_loss_can_be_sent_back_by_itself(ensemble):
    pixels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.manual_seed(0)
    students = [torch.nn.Linear(4, 3) for _ in range(2)]
    together = mutual_learning_loss(
        [student(pixels) for student in students], labels, ensemble=ensemble
    )
    expected = [
        torch.autograd.grad(loss, student.weight, retain_graph=True)[0]
        for loss, student in zip(together, students, strict=True)
    ]
    losses = mutual_learning_loss(
        [student(pixels) for student in students], labels, ensemble=ensemble
    )
    losses[0].backward()
    assert students[1].weight.grad is None
    losses[1].backward()
    for student, gradient in zip(students, expected, strict=True):
        torch.testing.assert_close(student.weight.grad, gradient)


def test_of_two_the_ensemble_is_the_one_peer():
    logits, labels = cohort(2)
    torch.testing.assert_close(
        mutual_learning_loss(logits, labels),
        mutual_learning_loss(logits, labels, ensemble=True),
    )


def test_students_of_one_mind_learn_from_the_labels_alone():
    logits, labels = cohort(1)
    for ensemble in (False, True):
        losses = mutual_learning_loss(
            3 * logits, labels, weight=0.4, ensemble=ensemble
        )
        hard = F.cross_entropy(logits[0], labels)
        torch.testing.assert_close(losses, [0.6 * hard] * 3)


def test_half_precision_is_computed_in_float32():
    logits, labels = cohort(dtype=torch.float16)
    for ensemble in (False, True):
        losses = mutual_learning_loss(
            [1e3 * z for z in logits], labels, ensemble=ensemble
        )
        for loss in losses:
            assert loss.dtype is torch.float32 and loss.isfinite()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cohort_logits": [torch.zeros(6, 5)]}, "at least 2 students, got 1"),
        ({"weight": 1.5}, "got 1.5"),
        ({"labels": torch.full((6,), 7)}, "found 7"),
        ({"cohort_logits": [torch.zeros(6, 5), torch.zeros(6, 4)]}, "6, 4"),
        ({"cohort_logits": [torch.zeros(6), torch.zeros(6)]}, r"got \(6,\)"),
    ],
)
@pytest.mark.parametrize("ensemble", [False, True])
def test_bad_input_is_named(change, message, ensemble):
    logits, labels = cohort()
    arguments = {"cohort_logits": logits, "labels": labels} | change
    with pytest.raises(ValueError, match=message):
        mutual_learning_loss(**arguments, ensemble=ensemble)
