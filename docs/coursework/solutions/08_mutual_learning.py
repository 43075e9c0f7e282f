"""Sheet 8: mutual learning. Parts return, as text, what the guide states."""

import statistics
from functools import cache

import torch
import torch.nn.functional as F
from torch.autograd import grad

from labkd.data import load
from labkd.inference import paired_difference
from labkd.mutual_learning import mutual_learning_loss

SEEDS, MEMBERS = 5, 3


def kl(p_logits, q_logits):
    log_p, log_q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def formulas(own, peer):
    q, p = own.softmax(-1), peer.softmax(-1)
    r = p.log() - q.log()
    return q - p, p * (r - kl(peer, own)[..., None])


def two_students(seed, shape):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return [z.requires_grad_() for z in drawn]


def part_a():
    own, peer = (
        torch.tensor(q, dtype=torch.float64).log().requires_grad_()
        for q in ((0.8, 0.2), (0.5, 0.5))
    )
    found = grad(kl(peer, own), (own, peer))
    for pull, formula in zip(found, formulas(own, peer), strict=True):
        torch.testing.assert_close(pull, formula)
    return [f"{pull[0].item():.4f}".replace("-", "−") for pull in found]


def part_b():
    own, peer = two_students(0, (100, 10))
    found = grad(kl(peer, own).sum(), (own, peer))
    for pull, formula in zip(found, formulas(own, peer), strict=True):
        torch.testing.assert_close(pull, formula)
    labels = torch.arange(100) % 10
    check_no_loss_reaches_a_peer(mutual_learning_loss, labels)
    try:
        check_no_loss_reaches_a_peer(without_detach, labels)
    except AssertionError:
        return
    raise RuntimeError("the check does not notice")


def check_no_loss_reaches_a_peer(loss, labels):
    cohort = two_students(0, (100, 10))
    first, _ = loss(cohort, labels)
    pulls = grad(first, cohort, allow_unused=True)
    assert pulls[0].norm() > 0
    assert pulls[1] is None or pulls[1].norm() == 0


def without_detach(cohort, labels, weight=0.5):
    return [
        (1 - weight) * F.cross_entropy(own, labels)
        + weight * kl(peer, own).mean()
        for own, peer in (cohort, cohort[::-1])
    ]


def part_c():
    start = [z.detach() for z in two_students(3, (4,))]
    first, second = start
    for _ in range(4000):
        gap = first.softmax(0) - second.softmax(0)
        first, second = first - 0.1 * gap, second + 0.1 * gap
    torch.testing.assert_close(first + second, sum(start))
    product = (start[0].softmax(0) * start[1].softmax(0)).sqrt()
    agreed = product / product.sum()
    torch.testing.assert_close(first.softmax(0), agreed)
    torch.testing.assert_close(second.softmax(0), agreed)


def digits(split):
    data = load("digits", split)
    return data.images.flatten(1).float() / 127.5 - 1, data.labels


def answer(model, images):
    hidden = torch.baddbmm(model[1], images, model[0]).relu()
    return torch.baddbmm(model[3], hidden, model[2])


def start(members, seed):
    # The first member is the same in a cohort of any size.
    weights = [[], [], [], []]
    for member in range(members):
        generator = torch.Generator().manual_seed(1000 * member + seed)
        shape = SEEDS, 64, 32
        first = torch.randn(shape, generator=generator) / 8
        second = torch.randn(SEEDS, 32, 10, generator=generator) / 32**0.5
        made = first, torch.zeros(SEEDS, 1, 32)
        for kept, of in zip(
            weights, (*made, second, torch.zeros(SEEDS, 1, 10)), strict=True
        ):
            kept.append(of)
    return [torch.cat(of).requires_grad_() for of in weights]


def cohort_of(members, weight, steps, rate, seed=0):
    images, labels = digits("train")
    generator = torch.Generator().manual_seed(seed)
    few = [
        torch.randperm(1200, generator=generator)[:100] for _ in range(SEEDS)
    ]
    shape = steps, SEEDS, 32
    places = torch.randint(100, shape, generator=generator)
    model = start(members, seed)
    optimizer = torch.optim.AdamW(model, rate, fused=True)
    for place in places:
        batch = torch.stack([f[p] for f, p in zip(few, place, strict=True)])
        shown = images[batch].repeat(members, 1, 1)
        z = answer(model, shown).unflatten(0, (members, SEEDS)).flatten(1, 2)
        if weight:
            losses = mutual_learning_loss(z, labels[batch.flatten()])
        else:
            losses = [
                F.cross_entropy(own, labels[batch.flatten()]) for own in z
            ]
        optimizer.zero_grad()
        (SEEDS * sum(losses)).backward()
        optimizer.step()
    return model


@torch.no_grad()
def log_probabilities(model, images):
    z = answer(model, images.expand(len(model[0]), -1, -1))
    return z.log_softmax(-1).unflatten(0, (-1, SEEDS))


def percent(logs, truth):
    return (100 * (logs.argmax(-1) == truth).double().mean(-1)).tolist()


@cache
def tuned(members, weight, steps):
    images, truth = digits("validation")
    tried = {}
    for rate in (1e-2, 3e-2):
        trial = cohort_of(members, weight, steps, rate, seed=100)
        first = log_probabilities(trial, images)[0]
        tried[rate] = statistics.mean(percent(first, truth))
    model = cohort_of(members, weight, steps, max(tried, key=tried.get))
    return log_probabilities(model, digits("test")[0])


def part_d(steps=50):
    truth = digits("test")[1]
    arms = {
        "alone": (MEMBERS, 0.0, steps),
        "two": (2, 0.5, steps),
        "three": (MEMBERS, 0.5, steps),
        "alone, twice the steps": (1, 0.0, 2 * steps),
    }
    scores = {
        name: percent(tuned(*arm)[0], truth) for name, arm in arms.items()
    }
    for name, right in scores.items():
        middle, spread = statistics.mean(right), statistics.stdev(right)
        over = paired_difference(right, scores["alone"])
        print(f"{name:22} {middle:.1f} ± {spread:.1f} %", end="")
        print("" if name == "alone" else f", over alone {over}")
    for name in ("alone", "three"):
        logs = tuned(*arms[name])  # (members, seeds, images, classes)
        joint = logs.logsumexp(0) - torch.tensor(MEMBERS).log()
        right = percent(joint, truth)
        print(f"the mean of three, {name}: {statistics.mean(right):.1f} %")
        rows = torch.arange(len(truth))
        members = -logs[..., rows, truth].mean(0)
        # Jensen, image by image.
        assert (-joint[:, rows, truth] <= members + 1e-5).all()


def part_e():
    own, direction = (z.detach() for z in two_students(1, (10,)))
    ratios = []
    for distance in (1e-1, 1e-2, 1e-3):
        z = own.clone().requires_grad_()
        peer = own + distance * direction
        (right,) = grad(kl(peer, z), z)
        (both,) = grad(kl(peer, z) + kl(z, peer), z)
        ratios.append((both - 2 * right).norm() / right.norm())
    assert ratios[0] > 5 * ratios[1] > 25 * ratios[2]
    assert ratios[2] < 0.01
    print("distance from twice the pull", [f"{r:.1e}" for r in ratios])


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__, part() or "")
