"""Crop-and-mirror views: exact, uniform, one draw for all channels."""

import pytest
import torch
import torch.nn.functional as F

from labkd.views import apply_views, draw_views


def test_every_view_equals_slicing_and_flipping():
    padding, side = 2, 5
    image = torch.randint(256, (1, 3, side, side), dtype=torch.uint8)
    padded = F.pad(image, (padding,) * 4)
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            for mirrored in (0, 1):
                view = torch.tensor([[top, left, mirrored]])
                ours = apply_views(image, view, padding=padding)
                window = padded[..., top : top + side, left : left + side]
                expected = window.flip(-1) if mirrored else window
                assert torch.equal(ours, expected)


def test_images_that_are_not_square():
    image = torch.arange(12).reshape(1, 1, 2, 6)
    centre = torch.tensor([[1, 1, 0]])
    assert torch.equal(apply_views(image, centre, padding=1), image)


def test_each_image_gets_its_own_view():
    images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    views = draw_views(6, generator=torch.Generator().manual_seed(0))
    together = apply_views(images, views)
    one_by_one = [
        apply_views(images[i : i + 1], views[i : i + 1]) for i in range(6)
    ]
    assert torch.equal(together, torch.cat(one_by_one))


def test_all_162_views_are_drawn_about_equally_often():
    views = draw_views(162_000, generator=torch.Generator().manual_seed(0))
    kinds, counts = views.unique(dim=0, return_counts=True)
    assert len(kinds) == 162
    # 1,000 expected of each, with a standard deviation of 32.
    assert counts.min() > 840 and counts.max() < 1160


def test_the_same_generator_gives_the_same_views():
    first, second = (
        draw_views(50, generator=torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_views_must_match_the_images():
    with pytest.raises(ValueError, match=r"\(2, 3\), got \(3, 3\)"):
        apply_views(torch.zeros(2, 1, 4, 4), torch.zeros(3, 3).long())
