"""What the solutions of chapter 3, The KL loss, claim."""

import torch
import torch.nn.functional as F
from torch.autograd import grad
from torch.testing import assert_close

from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import kl_divergence, soften

torch.set_num_threads(1)


def gradient_is_right(loss_function, T=4.0):
    # The test of the chapter.
    torch.manual_seed(0)
    z, v = torch.randn(2, 64, 10, dtype=torch.float64)
    (gradient,) = grad(loss_function(z.requires_grad_(), v), z)
    q, p = (z.detach() / T).softmax(1), (v / T).softmax(1)
    return torch.allclose(gradient, T * (q - p) / len(z))


def right_form(z, v, T=4.0):
    log_q = F.log_softmax(z / T, dim=1)
    return T**2 * F.kl_div(log_q, soften(v, T), reduction="batchmean")


def cross_entropy_form(z, v, T=4.0):
    return T**2 * F.cross_entropy(z / T, soften(v, T))


def exercise_1():
    torch.manual_seed(0)
    z, v = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
    entropy = torch.special.entr(soften(v, 4.0)).sum(1).mean()
    more = (cross_entropy_form(z, v) - right_form(z, v)) / 4**2
    assert_close(more, entropy)
    assert gradient_is_right(right_form)
    assert gradient_is_right(cross_entropy_form)
    return f"the same gradient, a value larger by H = {entropy:.3f}"


def with_itself(z, v):
    return right_form(z, z)


def exercise_2():
    torch.manual_seed(0)
    z = torch.randn(64, 10, dtype=torch.float64, requires_grad=True)
    value = with_itself(z, None)
    (pull,) = grad(value, z)
    assert abs(value) < 1e-12 and pull.abs().max() < 1e-12
    assert not gradient_is_right(with_itself)
    return f"value {abs(value.item()):.0e}, and the test fails"


def train(x, targets, loss_of, *, width=64, steps=100):
    # Perceptrons side by side, each with weights and images of its own:
    # ten of them take hardly longer than one.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, 10)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, classes)
        loss = loss_of(z.flatten(0, 1), *(t.flatten(0, 1) for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


def digits(split):
    data = load("digits", split)
    pixels = data.images.flatten(1) / 127.5 - 1
    # A pixel that is always 1 does the work of a bias.
    return F.pad(pixels, (0, 1), value=1.0), data.labels


def hinton_over(divisor):
    def loss_of(z, labels, v):
        soft = 4**2 * kl_divergence(z, v, 4.0) / divisor
        return 0.1 * F.cross_entropy(z, labels) + 0.9 * soft

    return loss_of


def exercise_3():
    w = (0.9 / 1000) / (0.9 / 1000 + 0.1)
    assert abs(w - 0.0009 / 0.1009) < 1e-12 and 0.0085 < w < 0.0095
    x, labels = digits("train")
    v = train(x[None], [labels[None]], F.cross_entropy, width=128)(x)[0]
    generator = torch.Generator().manual_seed(1)
    few = torch.rand(10, len(x), generator=generator).argsort(1)[:, :50]
    test, truth = digits("test")
    gains, told, lesson = [], "", (x[few], [labels[few], v[few]])
    for steps in (30, 120):
        right = []
        # Without a teacher, with the mean over 1,000 classes, as it should.
        for divisor in (torch.inf, 1000, 1):
            ask = train(*lesson, hinton_over(divisor), steps=steps)
            hits = ask(test).argmax(-1) == truth
            right.append((100 * hits.double().mean(-1)).tolist())
        lost = paired_difference(*right[1:])
        assert lost.found and lost.mean < 0
        labels_alone, trace, whole = (sum(scores) / 10 for scores in right)
        gains += [(trace - labels_alone) / (whole - labels_alone)]
        told += f"; {steps} steps: {trace - labels_alone:+.1f} of "
        told += f"{whole - labels_alone:+.1f} points"
    assert gains[0] < 0.2 < gains[1] < 0.7
    return f"w = {w:.4f}{told}"


def exercise_4():
    torch.manual_seed(0)
    v = 4 * torch.randn(64, 10, dtype=torch.float64)
    z = (v / 2 + torch.randn_like(v)).requires_grad_()
    p, q = v.softmax(1), z.softmax(1)
    (pull,) = grad((q - p).square().sum(), z, retain_graph=True)
    q = q.detach()
    mean = (q * (q - p)).sum(1, keepdim=True)
    assert_close(pull, 2 * q * ((q - p) - mean))
    # A frog that the student has dropped, and the teacher has not.
    p = torch.tensor([0.50, 0.01, 0.49], dtype=torch.float64)
    bob = torch.tensor([0.94, 0.05, 0.01], dtype=torch.float64)
    z_bob = bob.log().requires_grad_()
    (frog,) = grad((z_bob.softmax(0) - p).square().sum(), z_bob)
    assert 0 < -frog[2] < 0.05 * (p - bob)[2]

    def squared(z, v):
        return (soften(z, 4.0) - soften(v, 4.0)).square().sum(1).mean()

    (pull,) = grad(squared(z, v), z)
    ours, theirs = pull.norm(), grad(right_form(z, v) / 4**2, z)[0].norm()
    assert not gradient_is_right(squared) and ours < theirs / 2
    return f"the gradient is {ours / theirs:.2f} as long as the right one"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
