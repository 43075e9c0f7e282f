"""What the solutions of chapter 2, Temperature, claim."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.calibration import fit_temperature
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import kl_divergence, soften

torch.set_num_threads(1)


def exercise_1():
    v = torch.tensor([4.0, 2.0, 0.0])
    T = 2 / math.log(2)
    assert abs(T - 2.885) < 5e-4
    p = soften(v, T)
    assert_close(p, torch.tensor([4.0, 2.0, 1.0]) / 7)
    return f"at T = {T:.3f} the odds are " + " to ".join(
        f"{odds:.0f}" for odds in p / p[2]
    )


def exercise_2():
    torch.manual_seed(0)
    z, v = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
    assert_close(soften(3 * v, 12.0), soften(v, 4.0))
    quiet = kl_divergence(z, v, 4.0)
    loud = kl_divergence(3 * z, 3 * v, 12.0)
    assert_close(loud, quiet)
    ratio = (12**2 * loud / (4**2 * quiet)).item()
    assert abs(ratio - 9) < 1e-9
    return f"equal labels and divergences, losses {ratio:.0f} to 1"


@cache
def digits(split):
    data = load("digits", split)
    pixels = data.images.flatten(1) / 127.5 - 1
    # A pixel that is always 1 does the work of a bias.
    return F.pad(pixels, (0, 1), value=1.0), data.labels


def train(x, target, loss_of, *, width=64, steps=100):
    # Perceptrons side by side, each with weights and images of its own:
    # ten of them take hardly longer than one.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, 10)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, classes)
        loss = loss_of(z.flatten(0, 1), target.flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


@cache
def teacher_logits():
    x, labels = digits("train")
    return train(x[None], labels[None], F.cross_entropy, width=128)(x)[0]


def softly(T):
    return lambda z, v: T**2 * kl_divergence(z, v, T)


def exercise_3():
    x, _ = digits("train")
    generator = torch.Generator().manual_seed(1)
    few = torch.rand(10, len(x), generator=generator).argsort(1)[:, :50]
    said = {}
    for T in (2.0, 8.0, 20.0):
        ask = train(x[few], teacher_logits()[few], softly(T))
        said[T] = ask(digits("test")[0]).argmax(-1)
    same = [
        100 * (said[a] == said[b]).double().mean().item()
        for a, b in ((2.0, 8.0), (8.0, 20.0))
    ]
    assert same[0] < same[1]
    return f"2 and 8 agree on {same[0]:.1f} %, 8 and 20 on {same[1]:.1f} %"


def one_sided(z, v):
    return F.kl_div(z.log_softmax(1), soften(v, 4.0), reduction="batchmean")


def both_sided(z, v):
    return 4**2 * kl_divergence(z, v, 4.0)


def exercise_4():
    x, v = digits("train")[0], teacher_logits()
    z = (v.double() / 4).requires_grad_()
    (pull,) = torch.autograd.grad(one_sided(z, v.double()), z)
    assert pull.abs().max() < 1e-12  # a quarter of the logits is the end
    generator = torch.Generator().manual_seed(1)
    few = torch.rand(10, len(x), generator=generator).argsort(1)[:, :50]
    right, heats = {}, {}
    for loss_of in (one_sided, both_sided):
        ask = train(x[few], v[few], loss_of)
        hits = ask(digits("test")[0]).argmax(-1) == digits("test")[1]
        right[loss_of] = (100 * hits.double().mean(-1)).tolist()
        held_out, truth = digits("validation")
        heats[loss_of] = [fit_temperature(z, truth) for z in ask(held_out)]
    modest = heats[one_sided]
    assert max(modest) < 0.7
    more = paired_difference(*right.values())
    mean = sum(modest) / 10
    return f"points over both sides at 4: {more}; T fitted {mean:.2f}"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
