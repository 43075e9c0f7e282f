"""What the solutions of chapter 7, The distillation token, claim."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.data import load
from labkd.distillation_token import hard_distillation_loss
from labkd.inference import paired_difference
from labkd.soft_targets import soften
from labkd.vit import joint_log_probabilities

torch.set_num_threads(1)


def exercise_1():
    torch.manual_seed(0)
    z = torch.randn(500, 10, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(500, 10).argsort(1)[:, :3]  # three that differ
    loss = sum(
        F.cross_entropy(z, target, reduction="none") / 3
        for target in targets.unbind(1)
    )
    (pull,) = torch.autograd.grad(loss.sum(), z)
    mean = F.one_hot(targets, 10).double().mean(1)  # (images, classes)
    assert_close(pull, z.softmax(1).detach() - mean)
    least = torch.special.entr(mean).sum(1)
    assert_close(least, torch.full_like(least, math.log(3)))
    assert (loss > least).all()
    # Nearly at the three labels, the loss is nearly that.
    at = F.cross_entropy((mean + 1e-9).log(), mean)
    assert abs(at.item() - math.log(3)) < 1e-6
    return f"the least loss is {at.item():.4f}, log 3"


def exercise_2():
    torch.manual_seed(0)
    z, v = 3 * torch.randn(2, 500, 10, dtype=torch.float64)
    labels = torch.randint(10, (500,))
    once, sharper = (
        hard_distillation_loss(z, logits, labels) for logits in (v, 7 * v)
    )
    assert_close(once, sharper, rtol=0, atol=0)
    assert_close(soften(7 * v, 3.0), soften(v, 3 / 7))
    largest = [soften(k * v, 3.0).amax(1).median().item() for k in (1, 7)]
    assert largest[0] < 0.5 and largest[1] > 0.9
    told = " to ".join(f"{p:.2f}" for p in largest)
    return f"the median of the largest probability goes from {told}"


def exercise_3():
    torch.manual_seed(0)
    disagree = {}
    for classes in (2, 3):
        heads = 3 * torch.randn(2, 10_000, classes, dtype=torch.float64)
        rules = joint_log_probabilities(*heads), heads.mean(0)
        chosen = [rule.argmax(1) for rule in rules]
        disagree[classes] = (chosen[0] != chosen[1]).double().mean().item()
    assert disagree[2] == 0 < disagree[3]
    a, b = heads.softmax(-1)[:, :, 0]
    assert_close(a * b - (1 - a) * (1 - b), a + b - 1)
    return (
        f"with 3 classes the rules differ on {disagree[3]:.1%}, with 2 never"
    )


@cache
def digits(split):
    data = load("digits", split)
    pixels = data.images.flatten(1) / 127.5 - 1
    # A pixel that is always 1 does the work of a bias.
    return F.pad(pixels, (0, 1), value=1.0), data.labels


def train(x, targets, loss_of, *, width=64, steps=100, outputs=10):
    # Perceptrons side by side, each with weights and images of its own:
    # ten of them take hardly longer than one.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, outputs)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, outputs)
        loss = loss_of(z.flatten(0, 1), *(t.flatten(0, 1) for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


@cache
def lesson(count, students=10):
    # The teacher learns from the first of each two images, in the order of
    # the classes, and the students from some of the others.
    x, labels = digits("train")
    teacher = train(
        x[None, ::2], [labels[None, ::2]], F.cross_entropy, width=128
    )
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(students, 600, generator=generator).argsort(1)
    few = 1 + 2 * order[:, :count]  # (students, images)
    return x[few], labels[few], teacher(x)[0][few]


def half_each(first, labels, second, decisions):
    own = F.cross_entropy(first, labels)
    return (own + F.cross_entropy(second, decisions)) / 2


# Two heads on the same features stand for the two tokens.
ARMS = {
    "labels": lambda z, y, v: F.cross_entropy(z, y),
    "hard distillation": lambda z, y, v: half_each(z, y, z, v.argmax(1)),
    "token": lambda z, y, v: half_each(z[:, :10], y, z[:, 10:], v.argmax(1)),
    "control": lambda z, y, v: half_each(z[:, :10], y, z[:, 10:], y),
}


def exercise_4():
    x, labels, v = lesson(100)
    torch.manual_seed(0)
    wrong = torch.rand(labels.shape) < 1 / 3
    noisy = torch.where(wrong, torch.randint(10, labels.shape), labels)
    test, truth = digits("test")
    right, ask = {}, {}
    for arm, loss_of in ARMS.items():
        outputs = 20 if arm in ("token", "control") else 10
        ask[arm] = train(x, [noisy, v], loss_of, outputs=outputs)
        heads = ask[arm](test).unflatten(-1, (-1, 10)).softmax(-1)
        hits = heads.mean(-2).argmax(-1) == truth
        right[arm] = (100 * hits.double().mean(-1)).tolist()
    ahead = {a: paired_difference(right[a], right["labels"]) for a in ARMS}
    for arm in ("hard distillation", "token"):
        assert ahead[arm].mean - ahead[arm].half_width > 5
    more = paired_difference(right["token"], right["hard distillation"])
    assert more.found and more.mean > 0
    gap = abs(ahead["control"].mean) + ahead["control"].half_width
    assert gap < ahead["token"].mean / 2
    # The token arm's two heads, on the images whose label is wrong.
    said = ask["token"](x).unflatten(-1, (2, 10)).argmax(-1)
    moved = (noisy != labels)[..., None]
    learned = ((said == noisy[..., None]) & moved).sum((0, 1)) / moved.sum()
    assert learned[0] > 0.5 > 0.2 > learned[1]
    return (
        "points over labels: "
        f"hard distillation {ahead['hard distillation']}, "
        f"token {ahead['token']}, "
        f"control {ahead['control']}; wrong labels learned: {learned[0]:.0%} "
        f"by the class head, {learned[1]:.0%} by the token's"
    )


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
