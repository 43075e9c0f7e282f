"""Controls: just as soft, with nothing said about which classes are near."""

import math

import pytest
import torch

from labkd.controls import (
    mean_entropy,
    permute_wrong_classes,
    smoothed_logits,
    smoothing_of,
)

LOGITS = torch.randn(500, 10, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(500) % 10


def permuted(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return permute_wrong_classes(LOGITS, LABELS, generator=generator)


def test_only_the_wrong_classes_change_places():
    shuffled, rows = permuted(), torch.arange(500)
    assert torch.equal(shuffled[rows, LABELS], LOGITS[rows, LABELS])
    assert torch.equal(shuffled.sort(1).values, LOGITS.sort(1).values)
    for temperature in (1.0, 4.0):
        assert mean_entropy(shuffled, temperature=temperature) == (
            pytest.approx(mean_entropy(LOGITS, temperature=temperature))
        )
    # Each wrong class stays where it was in one of nine cases.
    same = (shuffled == LOGITS).sum(1) - 1
    assert same.double().mean().item() == pytest.approx(1.0, abs=0.15)
    assert torch.equal(permuted(), shuffled)
    assert not torch.equal(permuted(seed=1), shuffled)


def test_every_order_of_the_wrong_classes_is_as_likely():
    logits = torch.tensor([[9.0, 0.0, 1.0, 2.0]]).expand(6000, 4)
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(6000, dtype=torch.int64)
    shuffled = permute_wrong_classes(logits, labels, generator=generator)
    orders, counts = shuffled.unique(dim=0, return_counts=True)
    # 1,000 expected of each, with a standard deviation of 29.
    assert len(orders) == 6 and counts.min() > 850 and counts.max() < 1150


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_smoothing_has_the_entropy_of_the_teacher(temperature):
    entropy = mean_entropy(LOGITS, temperature=temperature)
    settings = {"entropy": entropy, "temperature": temperature}
    smoothed = smoothed_logits(LABELS, 10, **settings)
    p = (smoothed.double() / temperature).softmax(1)
    ours = torch.distributions.Categorical(probs=p).entropy()
    torch.testing.assert_close(
        ours, torch.full_like(ours, entropy), rtol=1e-5, atol=0
    )
    assert torch.equal(smoothed.argmax(1), LABELS)
    # All wrong classes are alike: what is not the label's is one number.
    wrong = smoothed[0, 1:]
    assert wrong.max() == wrong.min()


def test_smoothing_is_that_of_cross_entropy():
    entropy, student = 0.7, LOGITS[:20].double()
    epsilon = smoothing_of(entropy, 10)
    p = smoothed_logits(LABELS[:20], 10, entropy=entropy, temperature=1.0)
    theirs = torch.nn.functional.cross_entropy(
        student, LABELS[:20], label_smoothing=epsilon
    )
    ours = -(p.softmax(1).double() * student.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def test_the_entropy_of_one_half_and_one_half():
    # With two classes epsilon = 1 is the fair coin.
    assert smoothing_of(math.log(2) - 1e-12, 2) == pytest.approx(1, abs=1e-5)
    logits = torch.tensor([[0.0, 0.0], [50.0, -50.0]])
    assert mean_entropy(logits) == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize("entropy", [0.0, -1.0, math.log(10), math.nan])
def test_an_entropy_that_no_smoothing_has_is_refused(entropy):
    with pytest.raises(ValueError, match="entropy must lie"):
        smoothed_logits(LABELS, 10, entropy=entropy, temperature=1.0)


@pytest.mark.parametrize(
    "labels", [LABELS[:-1], LABELS - 1, LABELS + 1, LABELS[:, None]]
)
def test_labels_that_do_not_fit_are_refused(labels):
    generator = torch.Generator()
    with pytest.raises(ValueError, match="labels"):
        permute_wrong_classes(LOGITS, labels, generator=generator)
