"""What the solutions of chapter 17, Outgrowing one machine, claim."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

torch.set_num_threads(1)


def exercise_1():
    torch.manual_seed(0)
    model, x = nn.Linear(5, 3), torch.randn(7, 5)
    labels = torch.randint(3, (7,))
    shares = [torch.arange(7)[r::3] for r in range(3)]
    weights = [3 * len(share) / 7 for share in shares]
    assert_close(torch.tensor(weights), torch.tensor([9.0, 6, 6]) / 7)

    def gradient(weights):
        means = (F.cross_entropy(model(x[s]), labels[s]) for s in shares)
        loss = sum(w * m for w, m in zip(weights, means, strict=True)) / 3
        return torch.autograd.grad(loss, model.weight)[0]

    whole = torch.autograd.grad(
        F.cross_entropy(model(x), labels), model.weight
    )[0]
    assert_close(gradient(weights), whole)
    assert not torch.allclose(gradient([1, 1, 1]), whole)
    counts = [1 / (3 * len(share)) for share in shares]
    assert_close(torch.tensor(counts), torch.tensor([1 / 9, 1 / 6, 1 / 6]))
    return "weights 9/7, 6/7, 6/7; without them 1/9, 1/6, 1/6 an image"


def clipped(gradient):
    return gradient / max(1.0, gradient.norm().item())


def exercise_2():
    halves = torch.tensor([[3.0, 0], [0, 0.5]])
    before = sum(clipped(half) for half in halves) / 2
    whole = halves.mean(0)
    after = clipped(whole)
    assert_close(before, torch.tensor([0.5, 0.25]))
    assert_close(whole, torch.tensor([1.5, 0.25]))
    assert f"{whole.norm():.2f}" == "1.52"
    assert [f"{part:.2f}" for part in after.tolist()] == ["0.99", "0.16"]
    # Not only another size.
    assert F.cosine_similarity(before, after, dim=0) < 0.97
    angles = [
        math.degrees(math.atan2(*gradient.flip(0).tolist()))
        for gradient in (before, after)
    ]
    return f"{angles[0]:.0f} and {angles[1]:.0f} degrees"


def exercise_3():
    torch.manual_seed(0)
    v = 3 * torch.randn(1000, 10, dtype=torch.float64)
    at_4, at_2 = F.softmax(v / 4, 1), F.softmax(v / 2, 1)
    squares = at_4.square()
    assert_close(squares / squares.sum(1, keepdim=True), at_2)
    top, index = at_4.topk(3)
    # Between the three the ratios are right.
    kept = top.square() / top.square().sum(1, keepdim=True)
    truth = at_2.gather(1, index)
    assert_close(kept, truth / truth.sum(1, keepdim=True))
    # What the squares of the rest sum up to is not known, but bounded.
    rest = 1 - top.sum(1)
    low, high = rest.square() / 7, rest * top[:, -1]
    exact = squares.sum(1) - top.square().sum(1)
    assert (low <= exact).all() and (exact <= high).all()
    wide = [
        bound / (bound + top.square().sum(1)) for bound in (low, exact, high)
    ]
    low, exact, high = (share.mean().item() for share in wide)
    assert low < exact < high
    return f"the rest at T = 2: {exact:.2f}, between {low:.2f} and {high:.2f}"


def exercise_4():
    images, classes, epochs, k = 14e6, 21_841, 90, 100
    assert classes <= 2**16  # two bytes an index
    few = images * epochs * (9 + k * (2 + 2))
    whole = images * epochs * (9 + 2 * classes)
    assert round(few / 1e9) == 515
    assert round(whole / 1e12) == 55
    return f"{few / 1e9:.0f} GB, {whole / 1e12:.0f} TB"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
