"""Checks of a step of distillation: python step_checks.py YOURS.py"""

import math
import runpy
import sys

import torch
from torch import nn

LABELS, OTHERS = torch.tensor([0, 1, 2, 3]), torch.tensor([3, 2, 1, 0])


class Says(nn.Module):
    """A model of which only the logits matter."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits.clone())

    def forward(self, images):
        # A result, not the parameter itself: no_grad has to cut it off.
        return self.logits * 1


def some_logits(seed):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(4, 5, generator=generator)


def loss_of(step, z, v, labels=LABELS, **settings):
    student, teacher = Says(z), Says(v)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.0)
    return step(student, teacher, None, labels, optimizer, **settings)


def judged(step, z, v, **settings):
    # The teachers' difference: the label's term drops out.
    settings |= {"soft_weight": 0.5}
    first, second = (loss_of(step, z, each, **settings) for each in v)
    return first - second


def check_the_teacher_stays_as_it_is(step):
    teacher = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 5)).eval()
    before = {k: t.clone() for k, t in teacher.state_dict().items()}
    student = nn.Linear(3, 5)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    step(student, teacher, some_logits(0)[:, :3], LABELS, optimizer)
    after = teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def check_the_teacher_gets_no_gradient(step):
    student, teacher = Says(some_logits(0)), Says(some_logits(1))
    optimizer = torch.optim.SGD(student.parameters(), lr=0.0)
    step(student, teacher, None, LABELS, optimizer)
    assert teacher.logits.grad is None


def check_two_who_know_nothing_have_nothing_to_teach(step):
    nothing = torch.zeros(4, 5)
    loss = loss_of(step, nothing, nothing, soft_weight=0.5)
    assert abs(loss - 0.5 * math.log(5)) < 1e-4


def check_a_class_that_nobody_believes_in_changes_nothing(step):
    z, *v = (some_logits(seed) for seed in range(3))
    wider = [nn.functional.pad(x, (0, 3), value=-400.0) for x in (z, *v)]
    narrow, wide = judged(step, z, v), judged(step, wider[0], wider[1:])
    assert abs(narrow - wide) < 1e-3 * abs(narrow)


def check_the_lesson_does_not_fade_with_the_temperature(step):
    z, *v = (some_logits(seed) for seed in range(3))
    hot, hotter = (judged(step, z, v, temperature=t) for t in (50.0, 100.0))
    assert abs(hot / hotter - 1) < 0.1


def check_the_label_pulls_as_in_cross_entropy(step):
    z, v = some_logits(0), some_logits(1)
    both = (loss_of(step, z, v, y, soft_weight=0.5) for y in (LABELS, OTHERS))
    rows = torch.arange(4)
    gap = (z[rows, OTHERS] - z[rows, LABELS]).mean().item()
    first, second = both
    assert abs(first - second - 0.5 * gap) < 1e-4


def check_at_weight_one_no_label_is_read(step):
    z, v = some_logits(0), some_logits(1)
    both = (loss_of(step, z, v, y, soft_weight=1.0) for y in (LABELS, OTHERS))
    first, second = both
    assert abs(first - second) < 1e-5


CHECKS = [
    check_the_teacher_stays_as_it_is,
    check_the_teacher_gets_no_gradient,
    check_two_who_know_nothing_have_nothing_to_teach,
    check_a_class_that_nobody_believes_in_changes_nothing,
    check_the_lesson_does_not_fade_with_the_temperature,
    check_the_label_pulls_as_in_cross_entropy,
    check_at_weight_one_no_label_is_read,
]


def failed(step):
    names = []
    for check in CHECKS:
        try:
            check(step)
        except AssertionError:
            names.append(check.__name__)
    return names


if __name__ == "__main__":
    wrong = failed(runpy.run_path(sys.argv[1])["distillation_step"])
    for check in CHECKS:
        name = check.__name__
        print("failed" if name in wrong else "passed", name)
