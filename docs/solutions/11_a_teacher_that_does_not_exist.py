"""What the solutions of chapter 11, A teacher that does not exist, claim."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.calibration import expected_calibration_error, fit_temperature
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import kl_divergence
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


def students(loss_of, v):
    # On images that the teacher has not learned.
    x, labels = digits("train")
    few = draws(100, torch.arange(1, 1200, 2), 10, 1)
    return train(x[few], [labels[few], v[few]], loss_of)


def from_labels(z, labels, v):
    return F.cross_entropy(z, labels)


def from_teacher(z, labels, v):
    return kl_divergence(z, v, temperature=1.0)


def percent_right(logits, labels):
    return 100 * (logits.argmax(-1) == labels).double().mean(-1)


def errors(logits, labels):
    p = logits.softmax(-1)
    return [100 * expected_calibration_error(one, labels) for one in p]


def exercise_4():
    (x, _), (held_out, truth), (unseen, labels) = (
        digits(split) for split in ("train", "validation", "test")
    )
    teacher = teachers(600, 1)
    # The rule: above every student on labels, and by a point in the mean.
    known = percent_right(teacher(held_out), truth).item()
    on_labels = students(from_labels, teacher(x)[0])
    alone = percent_right(on_labels(held_out), truth)
    assert known > alone.max() and known - alone.mean() > 1
    heat = fit_temperature(teacher(held_out)[0], truth)
    found, own = {}, {}
    for name, divisor in (("calibrated", heat), ("doubled", 0.5)):
        taught = students(from_teacher, teacher(x)[0] / divisor)
        found[name] = errors(taught(unseen), labels)
        own[name] = errors(teacher(unseen) / divisor, labels)[0]
    assert own["calibrated"] < own["doubled"]
    more = paired_difference(found["doubled"], found["calibrated"])
    above = paired_difference(found["calibrated"], [own["calibrated"]] * 10)
    assert more.low > 0 and above.low > 0
    return f"ECE, doubled over calibrated {more}, over their teacher {above}"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
