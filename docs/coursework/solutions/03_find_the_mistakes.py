"""Sheet 3: find the mistakes. The corrected step, and each mistake alone."""

import inspect
import runpy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

SNIPPETS = Path(__file__).parents[1] / "snippets"
CHECKS = runpy.run_path(str(SNIPPETS / "step_checks.py"))
WRONG = runpy.run_path(str(SNIPPETS / "wrong_step.py"))["distillation_step"]


def distillation_step(
    student,
    teacher,
    images,
    labels,
    optimizer,
    temperature=4.0,
    soft_weight=0.9,
):
    student.train()
    teacher.eval()
    student_logits = student(images)
    with torch.no_grad():
        teacher_logits = teacher(images)
    p = torch.softmax(teacher_logits / temperature, dim=1)
    log_q = torch.log_softmax(student_logits / temperature, dim=1)
    soft = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    hard = F.cross_entropy(student_logits, labels)
    loss = (1 - soft_weight) * hard + soft_weight * soft
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# What is right, what is wrong, and the given check that notices.
MISTAKES = [
    ("teacher.eval()", "teacher.train()", "the_teacher_stays_as_it_is"),
    ("torch.no_grad()", "torch.enable_grad()", "the_teacher_gets_no_gradient"),
    (
        "torch.log_softmax(s",
        "torch.softmax(s",
        "two_who_know_nothing_have_nothing_to_teach",
    ),
    (
        '"batchmean"',
        '"mean"',
        "a_class_that_nobody_believes_in_changes_nothing",
    ),
    (
        "temperature**2 * ",
        "",
        "the_lesson_does_not_fade_with_the_temperature",
    ),
    (
        "F.cross_entropy(student_logits,",
        "F.cross_entropy(student_logits.softmax(1),",
        "the_label_pulls_as_in_cross_entropy",
    ),
    (
        "(1 - soft_weight) * hard + soft_weight * soft",
        "soft_weight * hard + (1 - soft_weight) * soft",
        "at_weight_one_no_label_is_read",
    ),
    ("optimizer.zero_grad()", "pass", None),
]


def with_mistakes(*mistakes):
    source = inspect.getsource(distillation_step)
    for right, wrong, _ in mistakes:
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    namespace = {"torch": torch, "F": F}
    exec(source, namespace)
    return namespace["distillation_step"]


def part_a():
    # Eight, and not a ninth: with all of them, ours is the listing.
    assert len(MISTAKES) == 8
    images, labels = torch.randn(4, 3), torch.arange(4)
    ends = []
    for step in (WRONG, with_mistakes(*MISTAKES)):
        torch.manual_seed(0)
        student = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5))
        teacher = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5))
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for _ in range(3):
            step(student, teacher, images, labels, optimizer)
        ends.append(student[0].weight.detach())
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def part_b():
    everything = [check.__name__ for check in CHECKS["CHECKS"]]
    assert CHECKS["failed"](WRONG) == everything
    for mistake in MISTAKES:
        expected = [f"check_{mistake[-1]}"] if mistake[-1] else []
        assert CHECKS["failed"](with_mistakes(mistake)) == expected


def part_c():
    assert CHECKS["failed"](distillation_step) == []


def check_every_step_starts_afresh(step):
    torch.manual_seed(0)
    student, teacher = nn.Linear(3, 5), nn.Linear(3, 5)
    images, labels = torch.randn(4, 3), torch.arange(4)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.0)
    pulls = []
    for _ in range(2):
        step(student, teacher, images, labels, optimizer)
        pulls.append(student.weight.grad.clone())
    # The rate is zero: the second step is the first one again.
    torch.testing.assert_close(*pulls)


def part_d():
    check_every_step_starts_afresh(distillation_step)
    for step in (WRONG, with_mistakes(MISTAKES[-1])):
        try:
            check_every_step_starts_afresh(step)
        except AssertionError:
            continue
        raise RuntimeError("the check does not notice")


def part_e():
    # "mean" and no T squared, at ten classes: another weight and scale.
    generator = torch.Generator().manual_seed(0)
    z, v = torch.randn(2, 64, 10, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (64,), generator=generator)
    z.requires_grad_()
    hard = F.cross_entropy(z, labels)
    log_q, p = (z / 4).log_softmax(1), (v / 4).softmax(1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    wrong = 0.1 * hard + 0.9 / 10 * soft
    scale = 0.1 + 0.9 / 10 / 16
    weight = 0.9 / 10 / 16 / scale
    right = (1 - weight) * hard + weight * 16 * soft
    pulls = (
        torch.autograd.grad(x, z, retain_graph=True)[0]
        for x in (wrong, scale * right)
    )
    torch.testing.assert_close(*pulls)
    return [f"{weight:.3f}", f"{scale:.4f}"]


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__, part())
