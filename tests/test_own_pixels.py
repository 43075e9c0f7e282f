"""A teacher sees pixels in the normalisation that it was trained with."""

import torch
from torch import nn

from labkd.lab.examination import PIXELS
from labkd.lab.own_pixels import Renormalised, normalisation
from labkd.pixels import Normalise, mix

COLOUR = Normalise(torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2] * 3))
IMAGES = torch.randint(
    0, 256, (6, 3, 4, 4), generator=torch.Generator().manual_seed(0)
).byte()


def test_it_sees_pixels_in_its_own_normalisation():
    seen = IMAGES.float() / 255
    mean, deviation = (
        torch.tensor(v)[:, None, None]
        for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    expected = {
        "student": COLOUR(IMAGES),
        "imagenet": (seen - mean) / deviation,
        "unit": seen,
        "half": 2 * seen - 1,
    }
    assert set(expected) == set(PIXELS)
    for kind, pixels in expected.items():
        own = normalisation(kind, COLOUR)
        teacher = Renormalised(nn.Identity(), COLOUR, own)
        torch.testing.assert_close(teacher(COLOUR(IMAGES)), pixels)
    # The student's are left as they are, to the bit.
    same = Renormalised(nn.Identity(), COLOUR, COLOUR)
    assert torch.equal(same(COLOUR(IMAGES)), COLOUR(IMAGES))


def test_a_blend_is_a_blend_to_it_too():
    teacher = Renormalised(
        nn.Identity(), COLOUR, normalisation("half", COLOUR)
    )
    torch.manual_seed(0)
    first = teacher(mix(COLOUR(IMAGES)))
    torch.manual_seed(0)
    torch.testing.assert_close(first, mix(teacher(COLOUR(IMAGES))))


def test_grey_images_have_three_channels_under_imagenets():
    grey = Normalise(torch.tensor([0.3]), torch.tensor([0.4]))
    own = normalisation("imagenet", grey)
    pixels = Renormalised(nn.Identity(), grey, own)(grey(IMAGES[:, :1]))
    expected = own(IMAGES[:, :1].expand(-1, 3, -1, -1))
    torch.testing.assert_close(pixels, expected)
