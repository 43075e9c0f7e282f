"""What the solutions of chapter 8, Large CNN to small CNN, claim."""

from functools import cache

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.conventions import LABML
from labkd.data import load
from labkd.soft_targets import distillation_loss, soften

torch.set_num_threads(1)


@cache
def digits(split):
    data = load("digits", split)
    pixels = data.images.flatten(1) / 127.5 - 1
    # A pixel that is always 1 does the work of a bias.
    return F.pad(pixels, (0, 1), value=1.0), data.labels


def train(x, p, *, T=1.0, width=64, steps=100):
    # Perceptrons side by side, each with weights and images of its own: ten
    # of them take hardly longer than one. The last layer has a bias.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, 10), (len(x), 1, 10)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second, bias = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second, bias], 1e-2, fused=True)

    def ask(x):
        return torch.baddbmm(bias, (x @ first).relu(), second)

    for _ in range(steps):
        z = ask(x).flatten(0, 1)  # (students * images, classes)
        loss = T**2 * F.cross_entropy(z / T, p.flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ask(x).detach()


def exercise_1():
    x, labels = digits("train")
    assert (labels.diff() >= 0).all()  # sorted, so a half must be drawn
    order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
    own, other = order[:600], order[600:]
    wrong, sure = {}, {}
    ask = train(x[None, own], labels[None, own], width=128)
    for name, part in (("own", own), ("other", other)):
        p = soften(ask(x[None, part])[0], 1.0)
        right = p.argmax(1) == labels[part]
        wrong[name] = 100 * (~right).double().mean().item()
        sure[name] = [
            p.amax(1)[side].mean().item() for side in (right, ~right)
        ]
    assert wrong["own"] < 1 < wrong["other"]
    assert sure["other"][1] < sure["other"][0] - 0.1
    modest, proud = sure["other"][1], sure["other"][0]
    return (
        f"wrong on {wrong['own']:.1f} % of its own and {wrong['other']:.1f} % "
        f"of the others, where it says {modest:.2f} and not {proud:.2f}"
    )


def exercise_2():
    torch.manual_seed(0)
    z, v = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
    labels = torch.randint(10, (64,))
    z.requires_grad_()
    hard = F.cross_entropy(z, labels)
    expected = {5.0: (4 / 9, 0.9), 10.0: (1 / 6, 0.6)}
    for T, (w, scale) in expected.items():
        log_q = (z / T).log_softmax(1)
        # PyTorch warns: this mean is over the classes too.
        soft = F.kl_div(log_q, soften(v, T), reduction="mean")
        theirs = 100 * soft + 0.5 * hard
        ours = distillation_loss(z, v, labels, temperature=T, soft_weight=w)
        pulls = [
            torch.autograd.grad(loss, z, retain_graph=True)[0]
            for loss in (theirs, scale * ours)
        ]
        assert_close(*pulls)
        found = LABML.ours(T, 100.0, 0.5, 10)
        assert abs(found.soft_weight - w) < 1e-9 > abs(found.scale - scale)
    return "T = 5: w = 4/9, scale 0.9; T = 10: w = 1/6, scale 0.6"


def exercise_3():
    torch.manual_seed(0)
    bias = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    z, v = torch.randn(2, 64, 10, dtype=torch.float64)
    p, q = v.softmax(1), (z + bias).softmax(1)
    (pull,) = torch.autograd.grad(F.cross_entropy(z + bias, p), bias)
    assert_close(pull, (q - p).mean(0).detach())
    x, labels = digits("train")
    v = train(x[None], labels[None], width=128)(x[None])[0]
    rest = labels != 3
    p, T = soften(v[rest], 4.0), 4.0
    ask = train(x[None, rest], p[None], T=T, steps=200)
    q = soften(ask(x[None, rest])[0], T)
    means = q.mean(0)[3].item(), p.mean(0)[3].item()
    assert abs(means[0] / means[1] - 1) < 0.1 and means[1] < 0.08
    unseen, truth = digits("test")
    z = ask(unseen[None])[0][truth == 3]
    three = F.one_hot(torch.tensor(3), 10)
    found = [
        ((z + raised * three).argmax(1) == 3).double().mean().item()
        for raised in (0, 2)
    ]
    assert found[0] < found[1] and (truth == 3).double().mean() > 0.08
    return (
        f"mean of the 3: {means[0]:.3f}, its teacher's {means[1]:.3f}; threes "
        f"found: {found[0]:.0%}, with the bias raised {found[1]:.0%}"
    )


def exercise_4():
    first = torch.tensor([0.99, 0.2, 0.2], dtype=torch.float64)
    members = torch.stack([first, 1 - first], 1)  # (members, classes)
    mean, product = members.mean(0), members.prod(0)
    assert_close(mean[0], torch.tensor(1.39 / 3).double())
    assert mean.argmax() == 1 and product.argmax() == 0
    # Averaged logits are the products, normalised.
    assert members.log().mean(0).argmax() == 0
    return f"mean {mean[0]:.2f} and {mean[1]:.2f}, products the other way"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
