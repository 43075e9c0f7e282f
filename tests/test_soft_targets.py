"""The losses: against NumPy, against closed forms, against bad input."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labkd.soft_targets import distillation_loss, kl_divergence, soften

CASES = range(20)


def case(number, dtype=np.float64):
    """Random logits, labels and settings, the same for a number."""
    rng = np.random.default_rng(number)
    batch, classes = rng.integers(1, 17), rng.integers(2, 21)
    student, teacher = rng.normal(0, 4, (2, batch, classes)).astype(dtype)
    labels = rng.integers(0, classes, batch)
    temperature = float(rng.uniform(0.5, 20))
    return student, teacher, labels, temperature, float(rng.uniform())


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def reference(student, teacher, labels, temperature, soft_weight):
    """Value and gradient of Hinton's loss in NumPy, from the equations."""
    student, teacher = student.astype(np.float64), teacher.astype(np.float64)
    batch, classes = student.shape
    one_hot = np.eye(classes)[labels]
    hard = -(one_hot * log_softmax(student)).sum() / batch
    log_p = log_softmax(teacher / temperature)
    log_q = log_softmax(student / temperature)
    p, q = np.exp(log_p), np.exp(log_q)
    soft = (p * (log_p - log_q)).sum() / batch
    value = (1 - soft_weight) * hard + soft_weight * temperature**2 * soft
    hard_gradient = np.exp(log_softmax(student)) - one_hot
    soft_gradient = temperature * (q - p)
    gradient = (1 - soft_weight) * hard_gradient + soft_weight * soft_gradient
    return value, gradient / batch


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distillation_loss_equals_numpy(dtype):
    for number in range(200):
        check_against_numpy(number, dtype)


def check_against_numpy(number, dtype):
    student, teacher, labels, temperature, weight = case(number, dtype)
    z = torch.tensor(student, requires_grad=True)
    v = torch.tensor(teacher, requires_grad=True)
    loss = distillation_loss(
        z,
        v,
        torch.tensor(labels),
        temperature=temperature,
        soft_weight=weight,
    )
    loss.backward()
    value, gradient = reference(student, teacher, labels, temperature, weight)
    exact = dtype is np.float64
    tolerance = 1e-6 if exact else 1e-5 * max(1.0, temperature**2)
    assert loss.item() == pytest.approx(value, rel=0, abs=tolerance)
    np.testing.assert_allclose(z.grad, gradient, rtol=0, atol=tolerance)
    assert v.grad is None


def test_kl_of_a_hand_worked_case():
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert kl_divergence(q.log(), p.log()).item() == pytest.approx(expected)
    # The other direction is another number.
    other = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert kl_divergence(p.log(), q.log()).item() == pytest.approx(other)


@pytest.mark.parametrize("number", CASES)
def test_kl_invariants(number):
    student, teacher, _, temperature, _ = case(number)
    z, v = torch.tensor(student), torch.tensor(teacher)
    assert kl_divergence(z, v, temperature) >= 0
    # Adding a constant to a row of logits changes no probability.
    shifted = v + torch.arange(len(v), dtype=v.dtype)[:, None]
    assert kl_divergence(shifted, v, temperature).abs() < 1e-12
    # Twice the same batch is the same mean.
    twice = kl_divergence(z.repeat(2, 1), v.repeat(2, 1), temperature)
    assert twice.item() == pytest.approx(
        kl_divergence(z, v, temperature).item(), rel=1e-12
    )


def test_cross_entropy_is_the_kl_to_a_one_hot():
    student, _, labels, _, _ = case(3)
    z, y = torch.tensor(student), torch.tensor(labels)
    # Logits of 1,000 against 0 are a one-hot to the last bit.
    one_hot = 1000.0 * F.one_hot(y, z.shape[1]).to(z.dtype)
    torch.testing.assert_close(
        kl_divergence(z, one_hot), F.cross_entropy(z, y)
    )


def test_the_gradient_is_student_minus_target():
    student, teacher, _, temperature, _ = case(4)
    z = torch.tensor(student, requires_grad=True)
    v = torch.tensor(teacher)
    kl_divergence(z, v, temperature).backward()
    expected = soften(z.detach(), temperature) - soften(v, temperature)
    expected = expected / temperature / len(z)
    torch.testing.assert_close(z.grad, expected)


def test_gradcheck():
    student, teacher, labels, _, _ = case(5)
    z = torch.tensor(student, requires_grad=True)
    v, y = torch.tensor(teacher), torch.tensor(labels)
    assert torch.autograd.gradcheck(lambda z: distillation_loss(z, v, y), z)


def test_soften_limits():
    logits = torch.tensor([[3.0, 1.0, -2.0]], dtype=torch.float64)
    torch.testing.assert_close(soften(logits, 1.0), logits.softmax(-1))
    cold, hot = soften(logits, 1e-3), soften(logits, 1e6)
    torch.testing.assert_close(cold, torch.eye(3).double()[:1])
    torch.testing.assert_close(
        hot, torch.full_like(hot, 1 / 3), rtol=0, atol=1e-5
    )
    # Any axes may stand before the classes.
    assert soften(torch.zeros(2, 3, 4), 2.0).shape == (2, 3, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_half_precision_stays_finite(dtype, temperature):
    largest = 60000.0 if dtype is torch.float16 else 1e30
    z = torch.tensor([[largest, -largest, 0.0]] * 4, dtype=dtype)
    z.requires_grad_()
    v = torch.tensor([[0.0, largest, -largest]] * 4, dtype=dtype)
    y = torch.tensor([0, 1, 2, 0])
    moderate = torch.randn(4, 3, dtype=dtype, requires_grad=True)
    for student in (z, moderate):
        loss = distillation_loss(student, v, y, temperature=temperature)
        loss.backward()
        assert loss.dtype is torch.float32
        assert loss.isfinite() and student.grad.isfinite().all()
    assert soften(z.detach(), temperature).dtype is dtype


LOGITS = torch.zeros(2, 3)
LABELS = torch.tensor([0, 2])


@pytest.mark.parametrize(
    "temperature", [0, -1.0, math.nan, math.inf, 1e-39, 1e20]
)
def test_bad_temperature(temperature):
    for call in (
        lambda: soften(LOGITS, temperature),
        lambda: kl_divergence(LOGITS, LOGITS, temperature),
        lambda: distillation_loss(
            LOGITS, LOGITS, LABELS, temperature=temperature
        ),
    ):
        with pytest.raises(ValueError, match="temperature must lie in"):
            call()


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), r"\(2, 3\) and \(2, 4\)"),
        (torch.zeros(3), torch.zeros(3), r"\(3,\) and \(3,\)"),
        (torch.zeros(2, 3).long(), LOGITS, "got torch.int64"),
        (LOGITS, torch.zeros(2, 3).int(), "got torch.int32"),
        (torch.zeros(0, 3), torch.zeros(0, 3), r"\(0, 3\)"),
        (np.zeros((2, 3)), LOGITS, "student_logits must be .* got float64"),
        (LOGITS, {"logits": LOGITS}, r"got dict: .* pass its \.logits"),
        (torch.full((2, 3), math.nan), LOGITS, "student.*found nan"),
        (LOGITS, torch.full((2, 3), -math.inf), "teacher.*found -inf"),
    ],
)
def test_bad_logits(student, teacher, message):
    with pytest.raises(ValueError, match=message):
        kl_divergence(student, teacher)
    with pytest.raises(ValueError, match=message):
        distillation_loss(student, teacher, LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 3]), r"0 \.\. 2, found 3"),
        (torch.tensor([-1, 0]), r"0 \.\. 2, found -1"),
        (torch.tensor([0.0, 1.0]), "torch.float32"),
        (torch.tensor([0]), r"\(2,\), got .*\(1,\)"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        distillation_loss(LOGITS, LOGITS, labels)


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_bad_soft_weight(weight):
    with pytest.raises(ValueError, match=f"got {weight}"):
        distillation_loss(LOGITS, LOGITS, LABELS, soft_weight=weight)


def test_value_checks_do_not_run_off_the_cpu():
    # "meta" tensors have no values to look at: a check that reads them
    # raises, as it would make a GPU wait.
    z = torch.empty(2, 3, device="meta")
    y = torch.empty(2, dtype=torch.int64, device="meta")
    assert distillation_loss(z, z, y).device.type == "meta"


def labmls_weights(student, teacher, labels, temperature=5.0):
    r"""100 times a mean over images *and classes*, and half the labels'."""
    log_q = F.log_softmax(student / temperature, dim=1)
    p = F.softmax(teacher / temperature, dim=1)
    soft = (p * (p.log() - log_q)).mean()
    return 100 * soft, 0.5 * F.cross_entropy(student, labels)


def gradient(loss_of, student):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(loss_of(student), student)[0]


def random_batch(classes=10):
    generator = torch.Generator().manual_seed(0)
    student, teacher = 3 * torch.randn(
        2, 256, classes, generator=generator, dtype=torch.float64
    )
    return (
        student,
        teacher,
        torch.randint(classes, (256,), generator=generator),
    )


@pytest.mark.parametrize("classes", [10, 100])
def test_labmls_soft_term_is_a_part_of_ours_that_depends_on_the_classes(
    classes,
):
    student, teacher, labels = random_batch(classes)
    theirs, _ = labmls_weights(student, teacher, labels)
    ours = distillation_loss(
        student, teacher, labels, temperature=5.0, soft_weight=1.0
    )
    # 100 / classes in place of 5 squared: 0.4 of ours at ten classes.
    assert (theirs / ours).item() == pytest.approx(4 / classes, rel=1e-9)


@pytest.mark.parametrize(
    ("soft_weight", "degrees"), [(4 / 9, 0.0), (0.2, 19.3), (0.9, 31.8)]
)
def test_labmls_weights_are_ours_at_four_ninths_alone(soft_weight, degrees):
    student, teacher, labels = random_batch()
    theirs = gradient(
        lambda z: sum(labmls_weights(z, teacher, labels)), student
    )
    ours = gradient(
        lambda z: distillation_loss(
            z, teacher, labels, temperature=5.0, soft_weight=soft_weight
        ),
        student,
    )
    # Of random logits with a deviation of three, to a tenth of a degree.
    cosine = F.cosine_similarity(theirs.flatten(), ours.flatten(), dim=0)
    angle = math.degrees(math.acos(min(1.0, cosine.item())))
    assert angle == pytest.approx(degrees, abs=0.1)
    if degrees == 0.0:
        torch.testing.assert_close(theirs, 0.9 * ours)
