"""Fewer pixels for the student, all of them for the teacher."""

import pytest
import torch
from torch import nn

from labkd.cross_quality import FewerPixels, shrink


def test_a_pixel_is_the_mean_of_those_it_replaces():
    pixels = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]])
    torch.testing.assert_close(shrink(pixels, 2), expected)
    torch.testing.assert_close(
        shrink(pixels, 4).flatten(), torch.tensor([7.5])
    )


def test_one_leaves_the_image_whole():
    pixels = torch.randn(2, 3, 6, 8)
    assert torch.equal(shrink(pixels, 1), pixels)


def test_the_mean_of_the_image_stays():
    pixels = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for factor in (2, 4, 8):
        torch.testing.assert_close(
            shrink(pixels, factor).mean((2, 3)), pixels.mean((2, 3))
        )


def test_the_student_looks_at_fewer_pixels_and_the_tensor_stays_whole():
    seen = []

    class Student(nn.Module):
        def forward(self, pixels):
            seen.append(pixels.shape)
            return pixels.flatten(1)

    pixels = torch.randn(2, 3, 32, 32)
    before = pixels.clone()
    assert FewerPixels(Student(), 4)(pixels).shape == (2, 3 * 8 * 8)
    assert seen == [(2, 3, 8, 8)]
    assert torch.equal(pixels, before)


@pytest.mark.parametrize(
    ("pixels", "factor", "message"),
    [
        (torch.zeros(1, 1, 28, 28), 3, "must divide 28 x 28, got 3"),
        (torch.zeros(1, 1, 28, 28), 0, "got 0"),
        (torch.zeros(1, 28, 28), 2, "got torch.float32 of shape"),
        (torch.zeros(1, 1, 4, 4).byte(), 2, "got torch.uint8"),
    ],
)
def test_bad_input_is_named(pixels, factor, message):
    with pytest.raises(ValueError, match=message):
        shrink(pixels, factor)


def test_a_student_needs_a_factor():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        FewerPixels(nn.Identity(), 0)
