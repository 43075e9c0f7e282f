"""What the solutions of chapter 15, When it pays, claim."""

import torch

TRUTH = torch.tensor([0.70, 0.25, 0.05], dtype=torch.float64)
V = 1 - TRUTH.square().sum()


def bias(*p):
    return (torch.tensor(p, dtype=torch.float64) - TRUTH).square().sum()


def crossing(b, w):
    return V * (1 - (1 - w) ** 2) / (w**2 * b)


def exercise_1():
    b, before = bias(0.75, 0.2, 0.05), bias(0.8, 0.15, 0.05)
    assert abs(b - 0.005) < 1e-9
    there = crossing(b, 0.9)
    assert abs(there / crossing(before, 0.9) - 4) < 1e-9
    assert round(there.item()) == 109
    return "crossing point at 109"


def exercise_2():
    first, second = (0.8, 0.15, 0.05), (0.65, 0.25, 0.1)
    mean = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    torch.testing.assert_close(mean, [0.725, 0.2, 0.075])
    alone, both = (bias(*first), bias(*second)), bias(*mean)
    for found, said in zip(
        (*alone, both), (0.02, 0.005, 0.00375), strict=True
    ):
        assert abs(found - said) < 1e-9
    # A square is convex: so it is for any two teachers.
    torch.manual_seed(0)
    a, b = torch.rand(2, 1000, 3, dtype=torch.float64)
    for p in (a, b):
        p /= p.sum(1, keepdim=True)
    far = [(p - TRUTH).square().sum(1) for p in (a, b, (a + b) / 2)]
    assert (far[2] <= (far[0] + far[1]) / 2).all()
    return "B 0.00375, below 0.005 and 0.02"


def exercise_3():
    b = bias(0.8, 0.15, 0.05)
    at_ten, at_forty = (V / (V + n * b) for n in (10, 40))
    odds = (1 - at_ten) / at_ten
    assert abs(at_ten - 0.69) < 0.005 and abs(odds - 0.449) < 5e-4
    assert abs(4 * odds - 1.798) < 5e-4
    torch.testing.assert_close(1 / (1 + 4 * odds), at_forty)
    assert abs(at_forty - 0.357) < 5e-4
    return "w = 0.357"


def exercise_4():
    # The answer to which descent converges, from two starting points.
    torch.manual_seed(0)
    f, p = torch.tensor([0.6, 0.2, 0.2]), torch.tensor([0.8, 0.15, 0.05])
    target = 0.1 * f + 0.9 * p
    for start in torch.randn(2, 3):
        z = start.clone()
        for _ in range(2000):
            z -= z.softmax(0) - target
        torch.testing.assert_close(z.softmax(0), target)
    return "the mean of the targets, whatever the start"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
