"""Checks of a loop of distillation: python loop_checks.py YOURS.py"""

import copy
import runpy
import sys

import torch
from torch import nn


def network(seed, width=8):
    torch.manual_seed(seed)
    layers = nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU()
    return nn.Sequential(*layers, nn.Linear(width, 3))


def a_task():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(96, 4, generator=generator)
    teacher = network(0, width=32).eval()
    labels = teacher(images).argmax(1)
    return teacher, images, labels


def share(student, images, labels):
    return (student(images).argmax(1) == labels).double().mean().item()


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return all(torch.equal(one[key], other[key]) for key in one)


def check_the_teacher_stays_as_it_is(distill):
    teacher, images, labels = a_task()
    before = copy.deepcopy(teacher)
    distill(network(1), teacher, images, labels, steps=3, seed=0)
    assert same(teacher, before)
    assert all(p.grad is None for p in teacher.parameters())


def check_the_teacher_can_teach_alone(distill):
    teacher, images, labels = a_task()
    settings = {"steps": 60, "seed": 0}
    ends = []
    # Useless labels, and useless in another way: nobody reads them.
    for useless in (torch.zeros_like(labels), (labels + 1) % 3):
        student = network(1)
        lesson = student, teacher, images, useless
        distill(*lesson, soft_weight=1.0, **settings)
        assert share(student.eval(), images, labels) > 0.7
        ends.append(student)
    assert same(*ends)


def check_labels_can_teach_alone(distill):
    teacher, images, labels = a_task()
    student, other = network(1), (labels + 1) % 3
    settings = {"steps": 60, "seed": 0}
    distill(student, teacher, images, other, soft_weight=0.0, **settings)
    assert share(student.eval(), images, other) > 0.7


def check_at_weight_zero_no_teacher_is_asked(distill):
    class Silent(nn.Module):
        def forward(self, images):
            raise AssertionError("the teacher was asked")

    _, images, labels = a_task()
    settings = {"steps": 3, "seed": 0, "soft_weight": 0.0}
    distill(network(1), Silent(), images, labels, **settings)


def check_modes(distill):
    teacher, images, labels = a_task()
    student = network(1).eval()
    distill(student, teacher, images, labels, steps=3, seed=0)
    # It learned in training mode, and is handed over in evaluation mode.
    assert student[1].running_mean.abs().sum() > 0
    assert not student.training


def check_the_seed_decides(distill):
    task, ends = a_task(), []
    for seed in (0, 0, 1):
        student = network(1)
        distill(student, *task, steps=5, seed=seed)
        ends.append(student)
    assert same(ends[0], ends[1]) and not same(ends[0], ends[2])


def check_nobody_elses_randomness_is_touched(distill):
    task, student = a_task(), network(1)
    before = torch.get_rng_state()
    distill(student, *task, steps=5, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def check_every_image_once_an_epoch(distill):
    (teacher, images, labels), student, seen = a_task(), network(1), []
    student.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    distill(student, teacher, images, labels, steps=6, seed=0, batch_size=32)
    for epoch in (seen[:3], seen[3:6]):
        shown = torch.cat(epoch)
        assert len(shown.unique(dim=0)) == len(images) == len(shown)
    assert not torch.equal(seen[0], seen[3])


CHECKS = [
    check_the_teacher_stays_as_it_is,
    check_the_teacher_can_teach_alone,
    check_labels_can_teach_alone,
    check_at_weight_zero_no_teacher_is_asked,
    check_modes,
    check_the_seed_decides,
    check_nobody_elses_randomness_is_touched,
    check_every_image_once_an_epoch,
]


def failed(distill):
    names = []
    for check in CHECKS:
        try:
            check(distill)
        except Exception as error:
            names.append(f"{check.__name__}: {str(error) or 'not so'}")
    return names


if __name__ == "__main__":
    wrong = failed(runpy.run_path(sys.argv[1])["distill"])
    print(*wrong, f"{len(CHECKS) - len(wrong)} of {len(CHECKS)}", sep="\n")
