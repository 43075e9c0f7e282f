"""Sheet 2: the gradient. Each part returns, as text, what the guide states."""

import torch
import torch.nn.functional as F
from torch.autograd.functional import hessian


def divergence(z, v, temperature):
    log_q = torch.log_softmax(z / temperature, dim=-1)
    log_p = torch.log_softmax(v / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def logits():
    generator = torch.Generator().manual_seed(1)
    made = torch.randn(2, 10, generator=generator, dtype=torch.float64)
    return 3 * made + 1  # their mean is not zero


def part_a(temperature=4.0, weight=0.9, label=3):
    z, v = logits()
    z.requires_grad_()
    hard = F.cross_entropy(z[None], torch.tensor([label]))
    soft = divergence(z, v, temperature)
    loss = (1 - weight) * hard + weight * temperature**2 * soft
    (found,) = torch.autograd.grad(loss, z)
    p, q = (x.detach().div(temperature).softmax(0) for x in (v, z))
    y = F.one_hot(torch.tensor(label), 10)
    formula = (1 - weight) * (z.detach().softmax(0) - y)
    formula += weight * temperature * (q - p)
    torch.testing.assert_close(found, formula)
    assert abs(found.sum()) < 1e-12


def part_b(temperature=4.0):
    z, v = logits()
    bend = hessian(lambda x: temperature**2 * divergence(x, v, temperature), z)
    q = (z / temperature).softmax(0)
    torch.testing.assert_close(bend, q.diag() - q.outer(q))
    u = v
    mean = (q * u).sum()
    torch.testing.assert_close(u @ bend @ u, (q * (u - mean) ** 2).sum())
    # One direction is flat, all others bend upwards.
    spectrum = torch.linalg.eigvalsh(bend)
    assert abs(spectrum[0]) < 1e-12 and spectrum[1] > 0.001


def part_c():
    z, v = logits()
    apart = (z - z.mean()) - (v - v.mean())
    hot = 1e4
    found = hot**2 * divergence(z, v, hot)
    torch.testing.assert_close(
        found, apart.square().sum() / 20, rtol=1e-3, atol=0
    )


def part_d():
    z, v = logits()
    z.requires_grad_()
    limit = ((z - z.mean()) - (v - v.mean())).detach() / 10
    errors = []
    for temperature in (1e2, 1e3, 1e4):
        loss = temperature**2 * divergence(z, v, temperature)
        (found,) = torch.autograd.grad(loss, z)
        errors.append((found - limit).norm() / limit.norm())
    # A tenth of the error for ten times the temperature.
    for hot, hotter in zip(errors, errors[1:], strict=False):
        assert 9 < hot / hotter < 11
    print("relative errors", [f"{error:.1e}" for error in errors])


def part_e():
    z, v = logits()
    limit = z.max() - z[v.argmax()]
    assert limit > 0
    errors = []
    for temperature in (0.02, 0.01):
        found = temperature * divergence(z, v, temperature)
        errors.append(abs(found - limit))
    assert errors[1] <= errors[0] < 0.01
    # Zero where the student's first class is the teacher's.
    same = 0.01 * divergence(v / 2, v, 0.01)
    assert abs(same) < 1e-6


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e):
        print(part.__name__)
        part()
