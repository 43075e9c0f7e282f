"""What the solutions of chapter 10, Learning from each other, claim."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from labkd.data import load
from labkd.mutual_learning import mutual_learning_loss
from labkd.soft_targets import kl_divergence

torch.set_num_threads(1)


def student(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def train(cohort, loss_of, steps=40):
    data = load("digits", "train")
    x, labels = data.images.flatten(1) / 127.5 - 1, data.labels
    weights = [p for member in cohort for p in member.parameters()]
    optimizer = torch.optim.SGD(weights, 0.5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(x), (64,), generator=generator)
        losses = loss_of(
            [member(x[batch]) for member in cohort], labels[batch]
        )
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
    with torch.no_grad():
        return [member(x) for member in cohort]


def exercise_1():
    twins = train([student(0), student(0)], mutual_learning_loss)
    assert torch.equal(*twins)
    apart = kl_divergence(*twins).item()
    alone = train(
        [student(0)], lambda z, labels: [F.cross_entropy(z[0], labels) / 2]
    )
    assert_close(twins[0], alone[0])
    # Who was different has something to say.
    others = train([student(0), student(1)], mutual_learning_loss)
    assert (others[0] - alone[0]).abs().max() > 0.01
    further = kl_divergence(*others).item()
    assert further > 1e-3 > abs(apart)
    return f"twins end {apart:.4f} nats apart, others {further:.4f}"


def exercise_2():
    torch.manual_seed(0)
    w, label = 0.8, torch.tensor([0])
    z = torch.randn(2, 1, 5, dtype=torch.float64)
    y = F.one_hot(label, 5).double()

    def pulls(z, weight=w):
        z = z.detach().requires_grad_()
        losses = mutual_learning_loss(z.unbind(), label, weight=weight)
        return torch.autograd.grad(sum(losses), z)[0]

    q = z.softmax(-1)
    assert_close(pulls(z), q - (1 - w) * y - w * q.flip(0))
    # Zero for both only at (1 + w) (q1 - q2) = 0 and q = y: in between there
    # is a pull, in agreement too.
    agreed = torch.stack([z[0], z[0]])
    assert_close(pulls(agreed), (1 - w) * (q[0] - y).expand(2, 1, 5))
    lessons = []
    for _ in range(3):
        for _ in range(150):
            z = z - 10 * pulls(z)
        lessons.append((w * z.softmax(-1).diff(dim=0)).norm().item())
    right = z.softmax(-1)[:, 0, 0].min().item()
    assert right > 0.99 and lessons[0] > lessons[1] > lessons[2]
    # A teacher that says 0.7 goes on pulling at the label.
    soft = torch.tensor([[0.7, 0.1, 0.1, 0.05, 0.05]]).double()
    assert (w * (y - soft)).norm() > 0.2
    return f"both end with {right:.4f} on the label"


def exercise_3():
    ann = torch.tensor([[0.5, 0.3, 0.2]]).double().log()
    bob = torch.tensor([[0.7, 0.2, 0.1]]).double().log().requires_grad_()
    p = bob.softmax(1)
    r = p.log() - ann.log_softmax(1)
    divergence = (p * r).sum()  # of Ann's loss, with Bob attached
    (pull,) = torch.autograd.grad(divergence, bob)
    assert_close(pull, (p * (r - divergence)).detach())
    by_hand = torch.tensor([[0.17595, -0.09812, -0.07783]]).double()
    assert_close(pull, by_hand, rtol=0, atol=6e-6)
    r_by_hand = torch.tensor([[0.33647, -0.40547, -0.69315]]).double()
    assert_close(r.detach(), r_by_hand, rtol=0, atol=6e-6)
    # A small step downhill, and Bob is less sure of the truck.
    after = (bob - 0.1 * pull).softmax(1)
    assert after[0, 0] < p[0, 0]
    # The course's loss leaves him alone.
    losses = mutual_learning_loss([ann, bob], torch.tensor([0]))
    assert not losses[0].requires_grad
    return f"truck falls from {p[0, 0]:.3f} to {after[0, 0]:.3f}"


def checked_step(model, x, labels):
    # What the mode does, and not what it is called.
    norm = next(m for m in model if isinstance(m, nn.BatchNorm1d))
    before = norm.running_mean.clone()
    F.cross_entropy(model(x), labels).backward()
    assert not torch.equal(norm.running_mean, before), "statistics are frozen"


def exercise_4():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10)
    )
    x, labels = torch.randn(64, 64), torch.randint(10, (64,))
    checked_step(model.train(), x, labels)
    frozen, caught = copy.deepcopy(model).eval(), []
    for name in ("eval() and no train()", "eval() and train()"):
        try:
            checked_step(frozen, x, labels)
        except AssertionError:
            caught.append(name)
        frozen.train()
    assert caught == ["eval() and no train()"]
    return f"caught: {caught[0]}, 1 of 2 cases"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
