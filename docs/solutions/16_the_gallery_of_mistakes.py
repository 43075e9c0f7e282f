"""What the solutions of chapter 16, The gallery of mistakes, claim."""

import math

import torch
from torch import nn
from torch.testing import assert_close

from labkd import mistakes
from labkd.conventions import LABML
from labkd.soft_targets import distillation_loss

torch.set_num_threads(1)
T = 4.0
SIZES = (
    mistakes.mean_over_classes,
    mistakes.no_square,
    mistakes.mean_times_hundred,
)
ARGUMENTS = (
    mistakes.probabilities,
    mistakes.logarithm_unannounced,
    mistakes.logarithm_promised,
    mistakes.swapped,
)
OTHERS = (
    mistakes.second_softmax,
    mistakes.two_temperatures,
    mistakes.squared_error,
)


def soft_term(form, z, v):
    if form is mistakes.mean_times_hundred:
        return 100 / T**2 * mistakes.mean_over_classes(z, v, T)
    return form(z, v, T)


def exercise_1():
    torch.manual_seed(0)
    teacher, student = nn.Linear(64, 10), nn.Linear(64, 10)
    x, labels = torch.randn(16, 64), torch.randint(10, (16,))
    v, z = teacher(x), student(x)
    attached = mistakes.loss_with()(z, v, labels, T, 0.9)
    library = distillation_loss(z, v, labels)
    assert_close(attached, library)
    (ours,) = torch.autograd.grad(attached, z, retain_graph=True)
    (theirs,) = torch.autograd.grad(library, z, retain_graph=True)
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


def after_adam(form, v, steps=20):
    z = torch.zeros_like(v).requires_grad_()
    optimizer = torch.optim.Adam([z], 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (T**2 * soft_term(form, z, v)).backward()
        optimizer.step()
    return z.detach()


def exercise_3():
    torch.manual_seed(0)
    v = 4 * torch.randn(64, 10, dtype=torch.float64)
    reached = after_adam(mistakes.divergence, v)
    apart = {
        form.__name__: (
            (after_adam(form, v) - reached).norm() / reached.norm()
        ).item()
        for form in SIZES + ARGUMENTS
    }
    forgiven = {name for name, gap in apart.items() if gap < 1e-2}
    assert forgiven == {form.__name__ for form in SIZES}
    nearest = min((f.__name__ for f in ARGUMENTS), key=apart.get)
    assert apart[nearest] > 0.05
    return (
        f"{len(forgiven)} forgiven; {nearest} is off by {apart[nearest]:.0%}"
    )


def rests_where_it_should(form):
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    return bool(abs(soft_term(form, logits, logits)) < 1e-6)


def by_hand(form):
    teacher_logits = T * torch.tensor([[3.0, 1.0]]).log()
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    found = soft_term(form, torch.zeros(1, 2), teacher_logits)
    return math.isclose(found, kl, rel_tol=1e-5)


def exercise_4():
    # As if found in as many repositories.
    assert rests_where_it_should(mistakes.divergence)
    assert by_hand(mistakes.divergence)
    forms = SIZES + ARGUMENTS + OTHERS
    elsewhere = [form for form in forms if not rests_where_it_should(form)]
    for form in forms:
        assert form in elsewhere or not by_hand(form)
    # Wrong arguments, a softmax too many or a temperature too few.
    assert elsewhere == [*ARGUMENTS[:3], *OTHERS[:2]]
    return f"{len(elsewhere)} of 10 rest in the wrong place"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
