"""Scores of probabilities: closed forms and counts made another way."""

import math

import pytest
import torch
import torch.nn.functional as F

from labkd.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_curve,
)


def counted_ece(probabilities, labels, bins):
    """One image at a time, with Python's own comparisons."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = []
        for row, label in zip(
            probabilities.tolist(), labels.tolist(), strict=True
        ):
            confidence = max(row)
            if (m - 1) / bins < confidence <= m / bins:
                inside.append((confidence, row.index(confidence) == label))
        if inside:
            accuracy = sum(hit for _, hit in inside) / len(inside)
            confidence = sum(c for c, _ in inside) / len(inside)
            share = len(inside) / len(labels)
            total += share * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_ece_equals_a_count(bins):
    generator = torch.Generator().manual_seed(bins)
    logits = 3 * torch.randn(500, 10, generator=generator).double()
    labels = torch.randint(10, (500,), generator=generator)
    p = logits.softmax(1)
    ours = expected_calibration_error(p, labels, bins)
    assert ours == pytest.approx(counted_ece(p, labels, bins), abs=1e-6)


def test_ece_at_the_edges_of_bins():
    # Confidences that are edges of ten bins, exactly as floats have them.
    edges = torch.arange(5, 11).double() / 10
    p = torch.stack([edges, 1 - edges], dim=1)
    labels = torch.tensor([0, 1, 0, 1, 0, 0])
    ours = expected_calibration_error(p, labels, 10)
    assert ours == pytest.approx(counted_ece(p, labels, 10), abs=1e-12)
    # 0.5 and 0.6 share no bin when bins are closed on the right.
    pair = torch.tensor([[0.5, 0.5], [0.6, 0.4]]).double()
    both = expected_calibration_error(pair, torch.tensor([0, 1]), 10)
    assert both == pytest.approx((0.5 + 0.6) / 2)


def test_a_calibrated_classifier_has_no_error():
    p = torch.tensor([[0.75, 0.25]] * 4)
    assert expected_calibration_error(p, torch.tensor([0, 0, 0, 1])) == 0


def test_nll_equals_torch():
    logits, labels = torch.randn(100, 10), torch.randint(10, (100,))
    expected = F.nll_loss(F.log_softmax(logits.double(), 1), labels).item()
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected)
    uniform = negative_log_likelihood(torch.zeros(3, 10), labels[:3])
    assert uniform == pytest.approx(math.log(10))


def test_brier_closed_forms():
    labels = torch.tensor([0, 1])
    assert brier_score(torch.eye(2), labels) == 0
    assert brier_score(torch.eye(2).flip(0), labels) == 2
    assert brier_score(torch.full((2, 2), 0.5), labels) == 0.5


@pytest.mark.parametrize(
    "score",
    [brier_score, expected_calibration_error, negative_log_likelihood],
)
def test_shapes_must_fit(score):
    for scores, labels in (
        (torch.zeros(3, 2), torch.zeros(4).long()),
        (torch.zeros(3), torch.zeros(3).long()),
        (torch.zeros(0, 2), torch.zeros(0).long()),
    ):
        with pytest.raises(ValueError, match="got"):
            score(scores, labels)


def test_bins_must_be_positive():
    with pytest.raises(ValueError, match="got 0"):
        expected_calibration_error(torch.eye(2), torch.tensor([0, 1]), 0)


def test_reliability_of_a_hand_worked_case():
    p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    curve = reliability_curve(p, torch.tensor([0, 1, 1]), bins=4)
    assert curve.count.tolist() == [0, 0, 1, 2]
    assert curve.accuracy[2:].tolist() == [1.0, 0.5]
    assert curve.confidence[2:].tolist() == pytest.approx([0.6, 0.85])
    assert curve.accuracy[:2].isnan().all()


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_fit_temperature_finds_the_one_that_made_the_labels(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20_000, 10, generator=generator)
    p = (logits / temperature).softmax(1)
    labels = torch.multinomial(p, 1, generator=generator).flatten()
    fitted = fit_temperature(logits, labels)
    assert fitted == pytest.approx(temperature, rel=0.03)
    # At a minimum the derivative of the likelihood is zero.
    power = torch.tensor(fitted).log().double().requires_grad_()
    F.cross_entropy(logits.double() / power.exp(), labels).backward()
    assert power.grad.abs() < 1e-4


def test_temperature_mends_an_overconfident_classifier():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5000, 10, generator=generator)
    labels = torch.multinomial(
        logits.softmax(1), 1, generator=generator
    ).flatten()
    sure = 6 * logits
    before = expected_calibration_error(sure.softmax(1), labels)
    fitted = fit_temperature(sure, labels)
    after = expected_calibration_error((sure / fitted).softmax(1), labels)
    assert after < 0.1 * before


@pytest.mark.parametrize("scale", [500.0, 1 / 300])
def test_the_temperature_has_the_unit_of_the_logits(scale):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2000, 10, generator=generator).double()
    p = (logits / 2).softmax(1)
    labels = torch.multinomial(p, 1, generator=generator).flatten()
    once = fit_temperature(logits, labels)
    scaled = fit_temperature(scale * logits, labels)
    assert scaled == pytest.approx(scale * once, rel=1e-6)


def test_no_temperature_is_best_for_a_model_that_is_always_right():
    labels = torch.arange(10)
    with pytest.warns(UserWarning, match="no temperature is best"):
        fit_temperature(10 * torch.eye(10), labels)
    with pytest.warns(UserWarning, match="no temperature is best"):
        fit_temperature(-10 * torch.eye(10), labels)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([0])),
        (torch.tensor([[math.inf, 0.0]]), torch.tensor([0])),
        (torch.tensor([[0.9, 0.1], [0.4, 0.6]]), torch.tensor([0, 1])),
        (torch.ones(2, 3), torch.tensor([0, 1])),
        (torch.randn(2, 3), torch.tensor([0, -100])),
    ],
)
def test_what_has_no_temperature_is_refused(logits, labels):
    with pytest.raises(ValueError, match="got|found|equal"):
        fit_temperature(logits, labels)


SCORES = (brier_score, expected_calibration_error, negative_log_likelihood)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("wrong", [-100, -1, 3])
def test_labels_out_of_range_are_refused_by_every_score(score, wrong):
    p = torch.tensor([[0.2, 0.3, 0.5]] * 2)
    with pytest.raises(ValueError, match=f"found {wrong}"):
        score(p, torch.tensor([0, wrong]))


@pytest.mark.parametrize("score", SCORES)
def test_scores_that_are_no_numbers_are_refused(score):
    p = torch.tensor([[math.nan, 0.3, 0.5]] * 2)
    with pytest.raises(ValueError, match="found nan"):
        score(p, torch.tensor([0, 1]))


@pytest.mark.parametrize("score", SCORES[:2])
@pytest.mark.parametrize(
    "rows", [[[2.0, -1.0, 0.0]], [[0.2, 0.3, 0.4]], [[3.0, 1.0, 0.5]]]
)
def test_logits_are_no_probabilities(score, rows):
    with pytest.raises(ValueError, match="softmax of logits first"):
        score(torch.tensor(rows), torch.tensor([0]))
