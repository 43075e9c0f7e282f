r"""Settings of other libraries, against their formulas written out again."""

import math

import pytest
import torch
import torch.nn.functional as F

from labkd import conventions
from labkd.conventions import (
    ALL,
    STANDARDISED,
    SUM_FOR_PRODUCT,
    TORCHDISTILL,
    Hinton,
    OneWeight,
    TwoWeights,
    from_terms,
)
from labkd.decoupled import standardised_loss
from labkd.soft_targets import distillation_loss

EPSILON = 1e-300


def kl_table(z, v, temperature):
    r"""p log(p / q), an entry an image and class, from probabilities."""
    p, q = ((x / temperature).exp() for x in (v, z))
    p, q = (x / x.sum(1, keepdim=True) for x in (p, q))
    return p * ((p + EPSILON).log() - (q + EPSILON).log())


def labels_term(z, labels):
    q = z.exp() / z.exp().sum(1, keepdim=True)
    return -q[torch.arange(len(z)), labels].log().mean()


def labml(z, v, y, T, soft_weight, label_weight):
    soft = kl_table(z, v, T).mean()
    return soft_weight * soft + label_weight * labels_term(z, y)


def pytorch(z, v, y, T, soft_target_loss_weight, ce_loss_weight):
    soft = kl_table(z, v, T).sum() / len(z) * T**2
    return soft_target_loss_weight * soft + ce_loss_weight * labels_term(z, y)


def mdistiller(z, v, y, T, kd_weight, ce_weight):
    soft = kl_table(z, v, T).sum(1).mean() * T**2
    return ce_weight * labels_term(z, y) + kd_weight * soft


def timm(z, v, y, T, distill_loss_weight, task_loss_weight):
    soft = kl_table(z, v, T).sum() / len(z) * T**2
    return task_loss_weight * labels_term(z, y) + distill_loss_weight * soft


def logit_standardization(z, v, y, T, kd_weight, ce_weight):
    # But for the 1e-7 that it adds to a deviation.
    scores = [
        (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
        for x in (z, v)
    ]
    soft = kl_table(*scores, T).sum(1).mean() * T**2
    return ce_weight * labels_term(z, y) + kd_weight * soft


def keras(z, v, y, T, alpha):
    soft = kl_table(z, v, T).sum(1).mean() * T**2
    return alpha * labels_term(z, y) + (1 - alpha) * soft


def keras_before(z, v, y, T, alpha):
    soft = kl_table(z, v, T).sum(1).mean()
    return alpha * labels_term(z, y) + (1 - alpha) * soft


def keras_distiller(z, v, y, T, student_loss_weight):
    # The rest of the weight is the teacher's; T squared is in its loss.
    soft = kl_table(z, v, T).sum(1).mean() * T**2
    hard = student_loss_weight * labels_term(z, y)
    return hard + (1 - student_loss_weight) * soft


def hugging_face(z, v, y, T, lambda_param):
    soft = kl_table(z, v, T).sum() / len(z) * T**2
    return (1 - lambda_param) * labels_term(z, y) + lambda_param * soft


def torchdistill(z, v, y, T, alpha):
    soft = kl_table(z, v, T).sum() / len(z)
    if alpha == 0:
        return soft
    return alpha * labels_term(z, y) + (1 - alpha) * T**2 * soft


def deit(z, v, y, T, alpha):
    soft = kl_table(z, v, T).sum() * (T * T) / z.numel()
    return labels_term(z, y) * (1 - alpha) + soft * alpha


def haitongli(z, v, y, T, alpha):
    # The mean of `nn.KLDivLoss()` is one over all entries.
    soft = kl_table(z, v, T).mean() * (alpha * T * T)
    return soft + labels_term(z, y) * (1 - alpha)


def attention_transfer(z, v, y, T, alpha):
    # `F.kl_div` without a reduction is a mean over all entries.
    soft = kl_table(z, v, T).mean() * (T * T * 2.0 * alpha)
    return soft + labels_term(z, y) * (1 - alpha)


def sum_for_product(z, v, y, T, alpha):
    soft = kl_table(z, v, T).mean()
    return soft * (T * T * 2.0 + alpha) + labels_term(z, y) * (1 - alpha)


FORMULAS = {
    "labml": labml,
    "PyTorch's tutorial": pytorch,
    "mdistiller": mdistiller,
    "timm": timm,
    "logit standardization": logit_standardization,
    "Keras' example": keras,
    "Keras' example, first version": keras_before,
    "Keras' Distiller": keras_distiller,
    "Hugging Face's guide": hugging_face,
    "torchdistill": torchdistill,
    "the Lightning repository": keras,
    "DeiT": deit,
    "haitongli": haitongli,
    "attention transfer": attention_transfer,
    "ViT-B/16 to ResNet-34": sum_for_product,
}
every = pytest.mark.parametrize("library", ALL, ids=lambda x: x.library)


def case(seed):
    r"""Random logits and settings: T, two weights, a number of classes."""
    generator = torch.Generator().manual_seed(seed)
    classes = int(torch.randint(2, 30, (), generator=generator))
    z, v = 3 * torch.randn(
        2, 8, classes, generator=generator, dtype=torch.float64
    )
    labels = torch.randint(classes, (8,), generator=generator)
    draws = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    return z, v, labels, classes, (0.5 + 9 * draws[0], *draws[1:])


def settings_for(library, draws):
    return draws if isinstance(library, TwoWeights) else draws[:2]


def value_and_gradient(loss_of, z):
    z = z.clone().requires_grad_()
    loss = loss_of(z)
    return loss.detach(), torch.autograd.grad(loss, z)[0]


def ours_of(library, settings, z, v, labels):
    loss = distillation_loss
    if library is STANDARDISED:
        loss = standardised_loss
    return settings.scale * loss(
        z,
        v,
        labels,
        temperature=settings.temperature,
        soft_weight=settings.soft_weight,
    )


def assert_same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def test_every_library_of_the_issue_has_its_formula():
    assert {library.library for library in ALL} == set(FORMULAS)


@every
def test_its_settings_are_ours_in_value_and_gradient(library):
    for seed in range(20):
        check_that_its_settings_are_ours_in_value_and_gradient(library, seed)


def check_that_its_settings_are_ours_in_value_and_gradient(library, seed):
    z, v, labels, classes, draws = case(seed)
    words = settings_for(library, draws)
    theirs = FORMULAS[library.library]
    expected = value_and_gradient(lambda x: theirs(x, v, labels, *words), z)
    settings = library.ours(*words, num_classes=classes)
    got = value_and_gradient(
        lambda x: ours_of(library, settings, x, v, labels), z
    )
    assert_same(got, expected)


@every
def test_our_settings_are_its_own_times_a_factor(library):
    for seed in range(20):
        check_that_our_settings_are_its_own_times_a_factor(library, seed)


def check_that_our_settings_are_its_own_times_a_factor(library, seed):
    z, v, labels, classes, (temperature, weight, scale) = case(seed)
    # Heavy enough in the soft term for the sum of a product too.
    if library is SUM_FOR_PRODUCT:
        classes, weight = max(classes, 3), 0.9 + weight / 10
        z, v = z.repeat(1, 2)[:, :classes], v.repeat(1, 2)[:, :classes]
        labels %= classes
    settings = Hinton(temperature, weight, 0.1 + scale)
    expected = value_and_gradient(
        lambda x: ours_of(library, settings, x, v, labels), z
    )
    words = library.of(settings, num_classes=z.shape[1])
    factor = 1.0
    if not isinstance(library, TwoWeights):
        *words, factor = words
    theirs = FORMULAS[library.library]
    got = value_and_gradient(
        lambda x: factor * theirs(x, v, labels, *words), z
    )
    assert_same(got, expected)


@every
def test_there_and_back(library):
    words = library.example
    ours = library.ours(*words, num_classes=10)
    back = library.of(ours, num_classes=10)
    if not isinstance(library, TwoWeights):
        assert back[-1] == pytest.approx(1.0)
        back = back[:-1]
    assert back == pytest.approx(words)


def test_two_weights_need_no_factor():
    assert all(
        len(library.of(Hinton(3.0, 0.4, 2.0), 10)) == 3
        for library in ALL
        if isinstance(library, TwoWeights)
    )


def test_known_settings():
    # labml at ten classes: soft weight 4/9 and 0.9 of ours.
    ours = conventions.LABML.ours(5.0, 100.0, 0.5, num_classes=10)
    assert (ours.soft_weight, ours.scale) == pytest.approx((4 / 9, 0.9))
    # timm on the command line: half for each, and twice our loss.
    ours = conventions.TIMM.ours(4.0, 1.0, 1.0, num_classes=1000)
    assert (ours.temperature, ours.soft_weight, ours.scale) == (4.0, 0.5, 2.0)
    # Keras' weight belongs to the labels, the guide's to the teacher.
    for library, soft_weight in (
        (conventions.KERAS_DISTILLER, 0.8),
        (conventions.HUGGING_FACE, 0.2),
    ):
        ours = library.ours(5.0, 0.2, num_classes=10)
        assert (ours.soft_weight, ours.scale) == pytest.approx(
            (soft_weight, 1.0)
        )
    # labml at a hundred classes is another loss.
    ours = conventions.LABML.ours(5.0, 100.0, 0.5, num_classes=100)
    assert ours.soft_weight == pytest.approx(0.04 / 0.54)
    # DeiT on ImageNet: a soft weight of a thousandth.
    ours = conventions.DEIT.ours(1.0, 0.5, num_classes=1000)
    assert ours.soft_weight == pytest.approx(1 / 1001)
    # A deviation over C - 1 at T = 2 is one over C at a higher temperature.
    ours = STANDARDISED.ours(2.0, 9.0, 0.1, num_classes=10)
    assert ours.temperature == pytest.approx(2 * math.sqrt(10 / 9))
    assert (ours.soft_weight, ours.scale) == pytest.approx((8.1 / 8.2, 8.2))
    # The sum that should have been a product: 32.7 in place of 22.4.
    ours = SUM_FOR_PRODUCT.ours(4.0, 0.7, num_classes=10)
    assert 10 * ours.soft == pytest.approx(32.7)


def test_torchdistill_without_labels_loses_the_square():
    with_labels = TORCHDISTILL.ours(4.0, 1e-12, num_classes=10)
    without = TORCHDISTILL.ours(4.0, 0.0, num_classes=10)
    assert with_labels.scale == pytest.approx(1.0)
    assert without.scale == pytest.approx(1 / 16)
    *_, factor = TORCHDISTILL.of(Hinton(4.0, 1.0), num_classes=10)
    assert factor == 16.0


def test_a_soft_term_too_light_for_the_sum_of_a_product():
    with pytest.raises(ValueError, match="outweighs soft_weight=0.1"):
        SUM_FOR_PRODUCT.of(Hinton(4.0, 0.1), num_classes=10)
    temperature, alpha, factor = SUM_FOR_PRODUCT.of(
        Hinton(4.0, 1.0), num_classes=10
    )
    assert alpha == 1.0 and factor == pytest.approx(160 / 33)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_an_alpha_outside_its_bounds(alpha):
    for library in ALL:
        if not isinstance(library, TwoWeights):
            with pytest.raises(ValueError, match=f"alpha .*{alpha}"):
                library.ours(4.0, alpha, num_classes=10)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_outside_its_bounds(temperature):
    with pytest.raises(ValueError, match=f"temperature .*{temperature}"):
        Hinton(temperature, 0.5)
    with pytest.raises(ValueError, match=f"temperature .*{temperature}"):
        from_terms(temperature, 1.0, 1.0)


@pytest.mark.parametrize(
    ("hard", "soft"), [(0.0, 0.0), (-1.0, 2.0), (1.0, math.inf)]
)
def test_terms_outside_their_bounds(hard, soft):
    with pytest.raises(ValueError, match="not both 0"):
        from_terms(4.0, hard, soft)


@pytest.mark.parametrize(
    ("weight", "scale", "named"),
    [(1.1, 1.0, "soft_weight"), (-0.1, 1.0, "soft_weight")]
    + [(0.5, 0.0, "scale"), (0.5, math.nan, "scale")],
)
def test_our_settings_outside_their_bounds(weight, scale, named):
    with pytest.raises(ValueError, match=named):
        Hinton(4.0, weight, scale)


def test_one_weight_covers_every_proportion():
    one = [x for x in ALL if isinstance(x, OneWeight)]
    for library in one:
        for weight in (0.0, 0.3, 1.0):
            settings = Hinton(2.0, weight)
            temperature, alpha, factor = library.of(settings, 10)
            assert 0 <= alpha <= 1 and factor > 0
            again = library.ours(temperature, alpha, 10)
            assert again.soft_weight == pytest.approx(weight)
            assert factor * again.scale == pytest.approx(1.0)


def test_the_divergence_of_the_formulas_is_torchs():
    z, v, *_ = case(3)
    expected = F.kl_div(
        F.log_softmax(z / 2, 1), F.softmax(v / 2, 1), reduction="batchmean"
    )
    assert_same(kl_table(z, v, 2.0).sum() / len(z), expected)
