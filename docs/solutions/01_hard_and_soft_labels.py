"""What the solutions of chapter 1, Hard and soft labels, claim."""

from functools import cache

import torch
import torch.nn.functional as F

from labkd.controls import permute_wrong_classes
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import kl_divergence

torch.set_num_threads(1)
# What 4,000 draws leave of chance.
NEAR = {"rtol": 0, "atol": 0.02}


def exercise_1():
    p = torch.tensor([0.70, 0.25, 0.05])
    said = {
        "Ann": torch.tensor([0.60, 0.20, 0.20]),
        "Bob": torch.tensor([0.60, 0.30, 0.10]),
        "Cleo": torch.tensor([0.60, 0.39, 0.01]),
    }
    terms = {name: p * (p / q).log() for name, q in said.items()}
    kl = {name: term.sum().item() for name, term in terms.items()}
    by_hand = torch.tensor([0.1079, -0.1112, 0.0805])
    torch.testing.assert_close(terms["Cleo"], by_hand, rtol=0, atol=6e-5)
    assert abs(kl["Cleo"] - 0.0772) < 6e-5
    assert kl["Bob"] < kl["Cleo"] < kl["Ann"]
    # Without the frog she would be ahead of Bob, without the car last.
    rest = {name: (kl[name] - terms[name]).tolist() for name in said}
    assert rest["Cleo"][2] < rest["Bob"][2]
    assert rest["Cleo"][1] > rest["Ann"][1]
    denied = torch.tensor([0.60, 0.40 - 1e-6, 1e-6])
    assert (p * (p / denied).log()).sum() > 4 * kl["Ann"]
    return ", ".join(f"{name} {value:.4f}" for name, value in kl.items())


def descend(target, steps):
    # From "no idea", along the gradient of the cross-entropy.
    z = torch.zeros(3, dtype=torch.float64)
    for _ in range(steps):
        z = z - (z.softmax(0) - target)
    return z


def exercise_2():
    hard = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    soft = torch.tensor([0.70, 0.25, 0.05], dtype=torch.float64)
    margins, pulls = [], []
    for steps in (10, 100, 1000, 10_000):
        z = descend(hard, steps)
        margins.append((z[0] - z[1]).item())
        pulls.append((z.softmax(0) - hard).norm().item())
    # Each tenfold of the steps pushes as far again as the one before.
    pushed = torch.tensor(margins).diff()
    assert (pushed > 2).all() and min(pulls) > 0
    z = descend(soft, 1000)
    gaps = z - soft.log()
    torch.testing.assert_close(gaps, gaps.mean().expand(3))
    assert (z.softmax(0) - soft).abs().max() < 1e-12
    for c in (-7.0, 0.0, 3.0):
        torch.testing.assert_close((soft.log() + c).softmax(0), soft)
    told = " ".join(f"{margin:.1f}" for margin in margins)
    return f"hard label, margins {told}; soft label, at rest"


def exercise_3():
    torch.manual_seed(0)
    z = torch.randn(8, 10, dtype=torch.float64, requires_grad=True)
    v = 4 * torch.randn(8, 10, dtype=torch.float64)
    labels = torch.randint(10, (8,))
    generator = torch.Generator().manual_seed(0)
    # The pull of the control that shuffles anew, a mean over 4,000 times.
    shuffled = [
        permute_wrong_classes(v, labels, generator=generator).softmax(1)
        for _ in range(4000)
    ]
    p = torch.stack(shuffled).mean(0)
    loss = kl_divergence(z, p.log()) * len(z)
    (pull,) = torch.autograd.grad(loss, z)
    certainty = v.softmax(1).gather(1, labels[:, None])
    even = ((1 - certainty) / 9).expand(8, 10)
    even = even.scatter(1, labels[:, None], certainty)
    torch.testing.assert_close(pull, (z.softmax(1) - even).detach(), **NEAR)
    # Label smoothing gives every image the same certainty; this does not.
    spread = certainty.std().item()
    assert spread > 0.1
    farthest = (p - even).abs().max().item()
    return f"even but for {farthest:.3f}, certainty ± {spread:.2f} (deviation)"


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
    weights = [
        torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes
    ]
    first, second = (w.requires_grad_() for w in weights)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, classes)
        loss = loss_of(z.flatten(0, 1), *(t.flatten(0, 1) for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


@cache
def teacher_logits():
    x, labels = digits("train")
    return train(x[None], [labels[None]], F.cross_entropy, width=128)(x)[0]


def answers(loss_of, count, students=10):
    # The same weights and images for every loss.
    x, labels = digits("train")
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(students, len(x), generator=generator).argsort(1)
    few = order[:, :count]  # (students, images)
    ask = train(x[few], [labels[few], teacher_logits()[few]], loss_of)
    return ask(digits("test")[0]).argmax(-1)


def softly(T):
    return lambda z, labels, v: T**2 * kl_divergence(z, v, T)


def percent_right(answered):
    hits = answered == digits("test")[1]
    return (100 * hits.double().mean(-1)).tolist()


def hard(z, labels, v):
    return F.cross_entropy(z, labels)


def exercise_4():
    gains, told = {}, {}
    for count in (50, 400):
        ours, theirs = (
            percent_right(answers(loss_of, count))
            for loss_of in (softly(4.0), hard)
        )
        told[count] = paired_difference(ours, theirs)
        gains[count] = [a - b for a, b in zip(ours, theirs, strict=True)]
    lost = paired_difference(gains[400], gains[50])
    assert lost.found and lost.mean < 0
    assert told[50].found and told[50].mean > 0
    return f"points over hard labels: {told[50]} with 50, {told[400]} with 400"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
