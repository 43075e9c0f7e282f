"""What the solutions of chapter 14, Better logits, claim."""

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd.decoupled import correlation_loss, decoupled_loss, standardise
from labkd.soft_targets import kl_divergence

torch.set_num_threads(1)


def exercise_1():
    for p_y, times in ((0.3, 11), (0.99, 800)):
        assert round(8 / (1 - p_y)) == times
    # The same by the loss: of two parts, the ranking alone.
    torch.manual_seed(0)
    z = torch.randn(64, 10, dtype=torch.float64)
    v = torch.randn(64, 10, dtype=torch.float64)
    labels = v.argsort(dim=1)[:, 0]  # the teacher's last choice
    spare = 1 - v.softmax(1).gather(1, labels[:, None])[:, 0]
    assert spare.min() > 0.5
    ranking = {"temperature": 1.0, "alpha": 0.0}
    ours = decoupled_loss(z, v, labels, beta=8.0, **ranking)
    hinton = decoupled_loss(z, v, labels, beta=spare, **ranking)
    assert 8 < ours / hinton < 16
    return f"the ranking counts {ours / hinton:.1f} times as much"


def exercise_2():
    torch.manual_seed(0)
    z, v = torch.randn(2, 64, 10, dtype=torch.float64)

    def loss(z, v, on):
        return kl_divergence(*map(standardise, (z, v)) if on else (z, v), 2.0)

    for on in (True, False):
        assert loss(z, v, on) > 0
        assert_close(loss(z, z, on).item(), 0.0, rtol=0, atol=1e-12)
    change = {on: abs(loss(z, 2 * v, on) - loss(z, v, on)) for on in (0, 1)}
    assert change[1] < 1e-12 < 0.01 < change[0]
    assert abs(loss(z, v, True) - loss(z, v, False)) > 0.01
    return f"doubled, Hinton's changes by {change[0]:.2f}"


def exercise_3():
    p = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    flat = 1 / 3 + (p - 1 / 3) / 10
    assert_close(flat, torch.tensor([0.36, 0.33, 0.31]).double())
    torch.manual_seed(0)
    v = torch.randn(8, 10, dtype=torch.float64)
    p = F.softmax(v, dim=1)
    found = {}
    for name, factor in (("one", 0.1), ("each", torch.rand(8, 1).double())):
        q = (0.1 + factor * (p - 0.1)).log()
        rows, columns = (
            correlation_loss(q, v, inter_weight=1 - n, intra_weight=n).item()
            for n in (0, 1)
        )
        assert abs(rows) < 1e-9
        found[name] = columns
    assert abs(found["one"]) < 1e-9 < 0.01 < found["each"]
    return f"columns: {found['one']:.2f}, and {found['each']:.2f}"


if __name__ == "__main__":
    for n in range(1, 4):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
