"""A teacher's answers: logits, steady, of the right shape, or refused."""

import math

import pytest
import torch

from labkd.lab.teacher_answers import (
    check_form,
    check_logits,
    check_steady,
    check_unchanged,
)


def answers():
    r"""Logits of many images."""
    draw = torch.Generator().manual_seed(0)
    return 3 * torch.randn(1000, 10, generator=draw)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((torch.zeros(4, 3), None), "with a tuple of 2, not with one tensor"),
        ({"logits": 0, "loss": 1}, "with a dict of logits, loss"),
        (None, "with a NoneType, not"),
        (torch.zeros(4, 1000), r"shape \(4, 1000\); .* should be \(4, 3\)"),
        (torch.zeros(4, 3, 1, 1), r"\(4, 3, 1, 1\)"),
        (torch.zeros(3), r"shape \(3,\)"),
        (torch.zeros(4, 3).long(), "in torch.int64, not in floats"),
        (torch.tensor([[0, 1, math.nan]] * 4), "4 of 4 .* such as nan"),
        (torch.tensor([[0.0] * 3] * 3 + [[-math.inf, 0, 0]]), "1 of 4.*-inf"),
    ],
)
def test_what_is_no_tensor_of_logits_is_named(answer, message):
    with pytest.raises(ValueError, match=message):
        check_form(answer, 4, 3)


def test_half_precision_is_a_form_too():
    check_form(torch.zeros(4, 3, dtype=torch.bfloat16), 4, 3)


def test_rounding_is_steady_and_more_is_not():
    logits = answers()
    rounding = 1e-3 * torch.randn_like(logits)
    check_steady(logits, logits + rounding, "")
    check_steady(logits, logits, "")
    check_steady(torch.ones(8, 10), torch.ones(8, 10), "")
    other = logits.clone()
    other[3, 4] += 0.5
    with pytest.raises(ValueError, match="same 1000 .* up to 0.5, .* alone:"):
        check_steady(logits, other, "when alone")
    other[3, 4] = math.nan
    with pytest.raises(ValueError, match="up to nan"):
        check_steady(logits, other, "")


def test_what_changes_is_named():
    before = {"weight": "1", "running_mean": "2", "running_var": "3"}
    check_unchanged(before, dict(before))
    after = before | {"running_mean": "4", "running_var": "5"}
    with pytest.raises(ValueError, match="'running_mean' .* 2 of 3"):
        check_unchanged(before, after)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_probabilities_are_refused_with_the_evidence(classes, dtype):
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(500, classes, generator=draw)
    rounded = logits.softmax(1).to(getattr(torch, dtype)).float()
    with pytest.raises(ValueError, match="sums to one, at most .* 500 images"):
        check_logits(rounded)
    # The same as logarithms, or before the softmax, is right.
    check_logits(logits.log_softmax(1))
    check_logits(logits)
    check_logits(logits.relu())
    with pytest.raises(ValueError, match="as a sigmoid does"):
        check_logits(logits.sigmoid())


def test_log_probabilities_teach_what_logits_teach():
    logits = answers().double()
    for temperature in (0.5, 1.0, 4.0):
        torch.testing.assert_close(
            (logits.log_softmax(1) / temperature).softmax(1),
            (logits / temperature).softmax(1),
        )
