"""What the solutions of chapter 16, The gallery of mistakes, claim."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from labkd.conventions import LABML
from labkd.data import load
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_targets

torch.set_num_threads(1)
T = 4.0


def log_soft(z):
    return F.log_softmax(z / T, dim=-1)


def soft(v):
    return F.softmax(v / T, dim=-1)


def divergence(log_q, p, **how):
    return T**2 * F.kl_div(log_q, p, reduction="batchmean", **how)


def right(z, v):
    return divergence(log_soft(z), soft(v))


def exercise_1():
    torch.manual_seed(0)
    teacher, student = nn.Linear(64, 10), nn.Linear(64, 10)
    x, labels = torch.randn(16, 64), torch.randint(10, (16,))
    v, z = teacher(x), student(x)
    attached = 0.1 * F.cross_entropy(z, labels) + 0.9 * right(z, v)
    library = distillation_loss(z, v, labels)
    assert_close(attached, library)
    ours, theirs = (
        torch.autograd.grad(loss, z, retain_graph=True)[0]
        for loss in (attached, library)
    )
    assert_close(ours, theirs)
    # Only the teacher itself tells.
    library.backward(retain_graph=True)
    assert teacher.weight.grad is None
    attached.backward()
    size = teacher.weight.grad.norm().item()
    assert size > 0.01
    return f"the same for the student; a teacher's gradient of {size:.2f}"


def exercise_2():
    equal = next(C for C in range(2, 99) if 100 / C == 5**2)
    assert equal == 4
    found = LABML.ours(5.0, 100.0, 0.5, equal)
    assert_close(found.soft_weight, 2 / 3)
    assert_close(found.scale, 1.5)
    return f"at {equal} classes w = {found.soft_weight:.4f}, scale 1.5"


def trained_with_batch_statistics():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(32, track_running_stats=False)
    model = nn.Sequential(
        *(nn.Linear(64, 32), norm, nn.ReLU(), nn.Linear(32, 10))
    )
    data = load("digits", "train")
    x = data.images.flatten(1) / 127.5 - 1
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, fused=True)
    for batch in torch.randint(1200, (100, 64)):
        loss = F.cross_entropy(model(x[batch]), data.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval().requires_grad_(False), x


def exercise_3():
    model, seen = trained_with_batch_statistics()
    data = load("digits", "test")
    x, labels = data.images.flatten(1) / 127.5 - 1, data.labels
    assert (labels.diff() >= 0).all()  # sorted by class
    # The same network, asked properly: the statistics of its training.
    hidden = model[0](seen)
    kept = (model[0](x) - hidden.mean(0)) / hidden.std(0)
    proper = model[3]((kept * model[1].weight + model[1].bias).relu())
    order = torch.randperm(len(x))
    assert_close(model(x[order]), model(x)[order], atol=1e-4, rtol=1e-4)
    said = {
        "properly": proper,
        "at once": model(x),
        "in sevens": torch.cat([model(some) for some in x.split(7)]),
    }
    score = {
        how: 100 * (z.argmax(1) == labels).double().mean().item()
        for how, z in said.items()
    }
    assert abs(score["at once"] - score["properly"]) < 3
    assert score["in sevens"] < score["at once"] - 20
    try:
        raise AssertionError(model(x[:1]))
    except ValueError as error:  # a single image has no variance
        assert "more than 1 value per channel" in str(error)
    return ", ".join(f"{how} {right:.1f} %" for how, right in score.items())


def mean(z, v):
    # PyTorch warns: this mean is over the classes too.
    return F.kl_div(log_soft(z), soft(v), reduction="mean")


SIZES = {
    "mean over classes": lambda z, v: T**2 * mean(z, v),
    "no square": lambda z, v: right(z, v) / T**2,
    "mean times hundred": lambda z, v: 100 * mean(z, v),
}
ARGUMENTS = {
    "probabilities": lambda z, v: divergence(soft(z), soft(v)),
    "promised": lambda z, v: divergence(log_soft(z), soft(v), log_target=True),
    "unannounced": lambda z, v: divergence(log_soft(z), log_soft(v)),
    "swapped": lambda z, v: divergence(log_soft(v), soft(z)),
}


def after_adam(loss_of, v, steps=20):
    z = torch.zeros_like(v).requires_grad_()
    optimizer = torch.optim.Adam([z], 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(z, v).backward()
        optimizer.step()
    return z.detach()


def exercise_4():
    torch.manual_seed(0)
    v = 4 * torch.randn(64, 10, dtype=torch.float64)
    reached = after_adam(right, v)
    apart = {
        name: ((after_adam(form, v) - reached).norm() / reached.norm()).item()
        for name, form in (SIZES | ARGUMENTS).items()
    }
    forgiven = {name for name, gap in apart.items() if gap < 1e-2}
    assert forgiven == set(SIZES)
    assert min(apart[name] for name in ARGUMENTS) > 0.05
    nearest = min(ARGUMENTS, key=apart.get)
    return (
        f"{len(forgiven)} forgiven; {nearest} is off by {apart[nearest]:.0%}"
    )


def nothing_to_learn(loss_of):
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    return abs(loss_of(logits, logits)) < 1e-6


def at_rest(loss_of):
    v = virtual_targets(torch.tensor([3]), 10).log()
    z = v.clone().requires_grad_()
    (pull,) = torch.autograd.grad(loss_of(z, v), z)
    return pull.abs().max() < 1e-6


def by_hand(loss_of):
    v = torch.tensor([[T * math.log(3), 0]])
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    return math.isclose(loss_of(torch.zeros(1, 2), v), T**2 * kl, rel_tol=1e-5)


TESTS = {test.__name__: test for test in (nothing_to_learn, at_rest, by_hand)}
OTHERS = {
    "second softmax": lambda z, v: divergence(log_soft(z), soft(v.softmax(1))),
    "two temperatures": lambda z, v: divergence(z.log_softmax(1), soft(v)),
    "squared error": lambda z, v: T**2 * F.mse_loss(soft(z), soft(v)),
}


def exercise_5():
    # As if found in as many repositories.
    forms = SIZES | ARGUMENTS | OTHERS
    failed = {
        name: [test for test, passes in TESTS.items() if not passes(form)]
        for name, form in ({"right": right} | forms).items()
    }
    assert failed.pop("right") == []
    elsewhere = {
        *("probabilities", "promised", "unannounced"),
        *("second softmax", "two temperatures"),
    }
    for name, tests in failed.items():
        if name in elsewhere:  # wrong arguments, a softmax or a T too many
            assert tests[:2] == ["nothing_to_learn", "at_rest"]
        else:  # another size, or another distance
            assert tests == ["by_hand"]
    return f"{len(elsewhere)} of {len(failed)} rest in the wrong place"


if __name__ == "__main__":
    for n in range(1, 6):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
