"""What the solutions of chapter 11, A teacher that does not exist, claim."""

import math
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.calibration import fit_temperature
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_targets, virtual_teacher_loss

torch.set_num_threads(1)


def random_logits(classes=10):
    torch.manual_seed(0)
    z = 3 * torch.randn(64, classes, dtype=torch.float64)
    return z.requires_grad_(), torch.randint(classes, (64,))


def pull(loss, z):
    return torch.autograd.grad(loss, z)[0]


def exercise_1():
    found = {}
    for classes, by_hand in ((10, 0.91), (1000, 0.9001)):
        a = 1 - 0.1 * (classes - 1) / classes
        assert abs(a - by_hand) < 1e-9
        z, labels = random_logits(classes)
        smoothed = F.cross_entropy(z, labels, label_smoothing=0.1)
        ours = virtual_teacher_loss(
            z, labels, correct_probability=a, weight=1.0
        )
        assert_close(pull(ours, z), pull(smoothed, z), rtol=0, atol=1e-8)
        found[classes] = a
    return ", ".join(f"a = {a:.4f} for {n}" for n, a in found.items())


def exercise_2():
    z, labels = random_logits()
    humble = {"correct_probability": 1 / 10, "weight": 0.3}
    p = virtual_targets(labels, 10, correct_probability=1 / 10)
    assert_close(p, torch.full((64, 10), 1 / 10))
    for form in (False, True):
        ours = virtual_teacher_loss(z, labels, **humble, smooth_teacher=form)
        smoothed = F.cross_entropy(z, labels, label_smoothing=0.3)
        assert_close(pull(ours, z), pull(smoothed, z), rtol=0, atol=1e-8)
    hard = 0.7 * F.cross_entropy(z, labels)
    forms = [
        virtual_teacher_loss(
            *(z, labels), temperature=20.0, smooth_teacher=form, **humble
        )
        - hard
        for form in (False, True)
    ]
    assert_close(*forms, rtol=1e-5, atol=0)
    centred = z - z.mean(1, keepdim=True)
    decay = 0.3 / 20 * centred.square().sum(1).mean()
    ratio = (forms[1] / decay).item()
    assert abs(ratio - 1) < 0.1
    ours, decays = pull(forms[1], z), pull(decay, z)
    assert (ours - decays).norm() < 0.1 * decays.norm()
    return f"at T = 20 it is {ratio:.3f} times the decay"


def exercise_3():
    labels = torch.tensor([0])
    p = virtual_targets(labels, 10).double()
    gaps = {}
    for T in (1.0, 20.0):
        soft, z = (p.log() / T).softmax(1), torch.zeros(1, 10).double()
        z.requires_grad_()
        for _ in range(400):
            log_q = (z / T).log_softmax(1)
            loss = T**2 * F.kl_div(log_q, soft, reduction="batchmean")
            z = (z - 5 * pull(loss, z)).detach().requires_grad_()
        gaps[T] = (z[0, 0] - z[0, 1]).item()
        assert abs(gaps[T] - math.log(81)) < 1e-6
    # What it changes: an error of 0.1 in a rare class, beside one in the
    # first, is dearer when it is hot.
    z = p.log().repeat(2, 1)
    z[0, 0], z[1, 9] = z[0, 0] - 0.1, z[1, 9] - 0.1
    dear = []
    for T in gaps:
        right = (p.log() / T).softmax(1)
        kl = (right * (right.log() - (z / T).log_softmax(1))).sum(1)
        dear.append((kl[1] / kl[0]).item())
    assert dear[0] < 0.2 < 0.7 < dear[1]
    return f"gaps {gaps[1.0]:.4f} and {gaps[20.0]:.4f}, log 81"


@cache
def digits(split):
    data = load("digits", split)
    pixels = data.images.flatten(1) / 127.5 - 1
    # A pixel that is always 1 does the work of a bias.
    return F.pad(pixels, (0, 1), value=1.0), data.labels


def train(x, targets, loss_of, *, width=64, steps=100):
    # Perceptrons side by side, each with weights and images of its own:
    # ten of them take hardly longer than one.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, 10)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, classes)
        loss = loss_of(z.flatten(0, 1), *(t.flatten(0, 1) for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


def draws(count, of, students, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(students, len(of), generator=generator).argsort(1)
    return of[order[:, :count]]  # (students, images)


def teachers(count, number, loss_of=F.cross_entropy):
    x, labels = digits("train")
    few = draws(count, torch.arange(0, 1200, 2), number, 0)
    return train(x[few], [labels[few]], loss_of, width=128)


def soft(z, labels, v):
    return distillation_loss(z, v, labels, temperature=4.0)


def students(loss_of, v):
    # Each from its own teacher, on images that no teacher has learned.
    x, labels = digits("train")
    few = draws(100, torch.arange(1, 1200, 2), len(v), 1)
    said = v.take_along_dim(few[..., None], 1)  # (students, images, classes)
    return train(x[few], [labels[few], said], loss_of)


def percent_right(logits):
    hits = logits.argmax(-1) == digits("test")[1]
    return (100 * hits.double().mean(-1)).tolist()


def exercise_4():
    (x, _), (held_out, truth), (unseen, _) = (
        digits(split) for split in ("train", "validation", "test")
    )
    teacher = teachers(600, 1)
    v = teacher(x).expand(10, -1, -1)
    alone = students(lambda z, labels, v: F.cross_entropy(z, labels), v)
    z = students(soft, v)(unseen)
    right = percent_right(z), percent_right(alone(unseen))
    gain = paired_difference(*right)
    assert gain.found and gain.mean > 0
    # It boasts, as its temperature says, and so do they: they are surer than
    # they are right.
    heat = fit_temperature(teacher(held_out)[0], truth)
    boast = 100 * z.softmax(-1).amax(-1).mean(1) - torch.tensor(right[0])
    assert heat > 1 and boast.min() > 0
    return (
        f"points over labels {gain}; the teacher's T {heat:.2f}, its students "
        f"surer than right by {boast.mean():.1f} points"
    )


def others(z, labels):
    # What a network knows of the wrong classes, at its own temperature.
    held_out, truth = digits("validation")
    wrong = z.softmax(1)[F.one_hot(labels, 10) == 0].view(-1, 9)
    wrong = wrong / wrong.sum(1, keepdim=True)
    return math.log(9) - torch.special.entr(wrong).sum(1).mean().item()


def exercise_5():
    (x, _), (held_out, truth), (unseen, labels) = (
        digits(split) for split in ("train", "validation", "test")
    )
    known, right = {}, {}
    for eps in (0.0, 0.1):
        lesson = partial(F.cross_entropy, label_smoothing=eps)
        five = teachers(400, 5, lesson)
        heats = [fit_temperature(z, truth) for z in five(held_out)]
        known[eps] = [
            others(z / heat, labels)
            for z, heat in zip(five(unseen), heats, strict=True)
        ]
        right[eps] = percent_right(students(soft, five(x))(unseen))
    less = paired_difference(known[0.1], known[0.0])
    more = paired_difference(right[0.1], right[0.0])
    assert less.found and less.mean < 0
    return f"nats about the others {less}; points of its students {more}"


if __name__ == "__main__":
    for n in range(1, 6):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
