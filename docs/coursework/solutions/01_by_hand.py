"""Sheet 1: by hand. Each part returns, as text, what the guide states."""

import math

import torch

TEACHER = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
STUDENT = torch.tensor([2.0, 0.0, 1.0], dtype=torch.float64)
LABEL = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)


def soften(logits, temperature):
    powers = [math.exp(logit / temperature) for logit in logits.tolist()]
    return torch.tensor(powers, dtype=torch.float64) / sum(powers)


def kl(p, q):
    return (p * (p / q).log()).sum()


def row(values):
    cells = ", ".join(f"{value:.4f}" for value in values)
    return f"({cells})".replace("-", "−")


def part_a():
    rows = [soften(TEACHER, t) for t in (1, 2, 4)]
    rows += [soften(STUDENT, t) for t in (1, 2)]
    # The check that needs no second calculation.
    assert all(abs(p.sum() - 1) < 1e-12 for p in rows)
    return [row(p) for p in rows]


def part_b():
    temperature = 2 / math.log(3)
    p = soften(TEACHER, temperature)
    assert abs(p[0] / p[1] - 3) < 1e-12
    tie = torch.tensor([3.0, 3.0, 0.0], dtype=torch.float64)
    half = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    torch.testing.assert_close(soften(tie, 0.01), half)
    third = torch.full_like(tie, 1 / 3)
    torch.testing.assert_close(soften(tie, 1e6), third, rtol=0, atol=1e-6)
    return [f"{temperature:.4f}"]


def part_c():
    p, q = soften(TEACHER, 1), soften(STUDENT, 1)
    entropy = -(p * p.log()).sum()
    crossed = -(p * q.log()).sum()
    assert abs(crossed - entropy - kl(p, q)) < 1e-12
    return [f"{x:.4f}" for x in (entropy, crossed, kl(p, q), kl(q, p))]


def part_d():
    hard = -soften(STUDENT, 1)[0].log()
    soft = kl(soften(TEACHER, 2), soften(STUDENT, 2))
    loss = 0.1 * hard + 0.9 * 4 * soft
    without = 0.1 * hard + 0.9 * soft
    assert 0.1 * hard > without / 3
    return [f"{x:.4f}" for x in (hard, soft, loss, without)]


def part_e():
    z = STUDENT.clone().requires_grad_()
    hard = -torch.log_softmax(z, 0)[0]
    log_q = torch.log_softmax(z / 2, 0)
    p = soften(TEACHER, 2)
    soft = 4 * (p * (p.log() - log_q)).sum()
    pulls = [torch.autograd.grad(x, z)[0] for x in (hard, soft)]
    by_hand = soften(STUDENT, 1) - LABEL, 2 * (soften(STUDENT, 2) - p)
    for pull, formula in zip(pulls, by_hand, strict=True):
        torch.testing.assert_close(pull, formula)
    # The pear, and no other, is pulled both ways.
    assert (pulls[0].sign() != pulls[1].sign()).tolist() == [
        False,
        True,
        False,
    ]
    whole = 0.1 * pulls[0] + 0.9 * pulls[1]
    return [row(pull) for pull in (*pulls, whole)]


def part_f():
    # Statement 3: what is left is the label's share.
    left = 0.1 * -soften(TEACHER, 1)[0].log()
    assert left > 0
    p, q = soften(TEACHER, 1), soften(STUDENT, 1)
    assert kl(p, q) > 0 and kl(q, p) > 0
    torch.testing.assert_close(soften(TEACHER + 5, 2), soften(TEACHER, 2))
    return [f"{left:.4f}"]


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e, part_f):
        print(part.__name__, *part(), sep="\n    ")
