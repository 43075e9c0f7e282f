"""Sheet 4: a loop from nothing, that can be stopped, and be split."""

import copy
import itertools
import runpy
import statistics
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from labkd.data import load
from labkd.inference import paired_difference

SNIPPETS = Path(__file__).parents[1] / "snippets"
CHECKS = runpy.run_path(str(SNIPPETS / "loop_checks.py"))


def batches_of(count, batch_size, seed):
    # A function of the seed alone: whoever resumes need not save it.
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(count, generator=generator).split(batch_size)


def hinton(z, v, labels, temperature, soft_weight):
    loss = (1 - soft_weight) * F.cross_entropy(z, labels)
    if soft_weight:
        log_q = torch.log_softmax(z / temperature, dim=1)
        log_p = torch.log_softmax(v / temperature, dim=1)
        soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
        loss = loss + soft_weight * temperature**2 * soft
    return loss


def distill(
    student,
    teacher,
    images,
    labels,
    *,
    steps,
    seed,
    temperature=4.0,
    soft_weight=0.9,
    learning_rate=1e-2,
    batch_size=32,
    resume=None,
):
    optimizer = torch.optim.AdamW(
        student.parameters(), learning_rate, fused=True
    )
    done = 0
    if resume:
        student.load_state_dict(resume["student"])
        optimizer.load_state_dict(resume["optimizer"])
        done = resume["done"]
    teacher.eval()
    student.train()
    batches = batches_of(len(images), batch_size, seed)
    for batch in itertools.islice(batches, done, steps):
        v = None
        if soft_weight:
            with torch.no_grad():
                v = teacher(images[batch])
        z = student(images[batch])
        loss = hinton(z, v, labels[batch], temperature, soft_weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    student.eval()
    return {
        "student": copy.deepcopy(student.state_dict()),
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "done": steps,
    }


def part_a():
    failed = CHECKS["failed"](distill)
    assert not failed, failed
    assert len(CHECKS["CHECKS"]) == 8


def gradient_of(model, images, labels, pieces):
    model.zero_grad()
    for some, its in zip(
        images.chunk(pieces), labels.chunk(pieces), strict=True
    ):
        share = len(some) / len(images)
        (share * F.cross_entropy(model(some), its)).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def part_b():
    torch.manual_seed(0)
    images, labels = torch.randn(48, 4).double(), torch.randint(3, (48,))
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    whole = gradient_of(plain, images, labels, 1)
    torch.testing.assert_close(gradient_of(plain, images, labels, 4), whole)
    # With batch normalisation the pieces have means of their own.
    normed = CHECKS["network"](0).double()
    whole = gradient_of(normed, images, labels, 1)
    pieces = gradient_of(normed, images, labels, 4)
    assert (pieces - whole).norm() > 0.01 * whole.norm()


def part_c():
    task = CHECKS["a_task"]()
    whole, first, second = (CHECKS["network"](1) for _ in range(3))
    distill(whole, *task, steps=20, seed=0)
    state = distill(first, *task, steps=7, seed=0)
    distill(second, *task, steps=20, seed=0, resume=state)
    assert CHECKS["same"](whole, second)
    # Without the optimizer's state it is another run.
    fresh = torch.optim.AdamW(first.parameters(), 1e-2)
    fresh = fresh.state_dict()
    third = CHECKS["network"](1)
    distill(
        third, *task, steps=20, seed=0, resume=state | {"optimizer": fresh}
    )
    assert not CHECKS["same"](whole, third)


def part_d():
    teacher, images, labels = CHECKS["a_task"]()
    with torch.no_grad():
        table = teacher(images)
    students = []
    # An image that carries its row: the table looks like a teacher.
    numbered = torch.cat([images, torch.arange(96.0)[:, None]], dim=1)
    cached = Rows(table)
    for taught_by, shown in ((teacher, images), (cached, numbered)):
        torch.manual_seed(1)
        student = FirstFour(nn.Linear(4, 3))
        distill(student, taught_by, shown, labels, steps=20, seed=0)
        students.append(student)
    for one, other in zip(
        *(s.state_dict().values() for s in students), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


class Rows(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, numbered):
        return self.table[numbered[:, -1].long()]


class FirstFour(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images[:, :4])


def perceptron(seed, width):
    torch.manual_seed(seed)
    layers = nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)
    return nn.Sequential(*layers)


def digits(split):
    data = load("digits", split)
    return data.images.flatten(1).float() / 127.5 - 1, data.labels


def part_e():
    images, labels = digits("train")
    order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
    theirs, ours = order[:600], order[600:700]
    teacher = perceptron(0, 128)
    lesson = {"steps": 150, "seed": 0, "soft_weight": 0.0}
    distill(teacher, teacher, images[theirs], labels[theirs], **lesson)
    arms = {"labels": {"soft_weight": 0.0}}
    arms |= {f"T = {t}": {"temperature": t} for t in (1.0, 4.0, 16.0)}
    held_out, test = digits("validation"), digits("test")
    scores = {}
    for name, settings in arms.items():
        students = {}
        for rate, seed in itertools.product((2e-2, 5e-2), range(5)):
            student = perceptron(seed, 16)
            chosen = {"steps": 40, "seed": seed, "learning_rate": rate}
            task = teacher, images[ours], labels[ours]
            distill(student, *task, **chosen, **settings)
            students.setdefault(rate, []).append(student)
        right = {
            rate: statistics.mean(CHECKS["share"](s, *held_out) for s in of)
            for rate, of in students.items()
        }
        best = students[max(right, key=right.get)]
        scores[name] = [100 * CHECKS["share"](s, *test) for s in best]
        mean, spread = (
            statistics.mean(scores[name]),
            statistics.stdev(scores[name]),
        )
        ahead = paired_difference(scores[name], scores["labels"])
        over = f", over labels {ahead}" if name != "labels" else ""
        print(f"{name:8} {mean:.1f} ± {spread:.1f} %{over}")
        # Far below this, the loop has a mistake.
        assert mean > 60


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__)
        part()
