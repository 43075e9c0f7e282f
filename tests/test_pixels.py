"""Bytes to pixels, pixels to logits, and the blend of two images."""

import pytest
import torch
from torch import nn

from labkd.data import load
from labkd.pixels import Normalise, mix, native_bfloat16, predict
from labkd.resnet import ResNet


def test_normalised_images_have_zero_mean_and_unit_variance():
    images = load("digits", "train").images
    pixels = Normalise.of(images)(images)
    assert pixels.mean().abs() < 1e-5
    assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_channel_that_is_the_same_everywhere_becomes_zero(level):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (9, 3, 4, 4), generator=generator).byte()
    ordinary = Normalise.of(images)
    images[:, 2] = level
    normalise = Normalise.of(images)
    assert normalise.deviation[2].item() == pytest.approx(1 / 255)
    assert normalise(images)[:, 2].abs().max() < 1e-4
    # The others have what they had, to the bit.
    for ours, before in (
        (normalise.mean, ordinary.mean),
        (normalise.deviation, ordinary.deviation),
    ):
        assert torch.equal(ours[:2], before[:2])


def test_predict_uses_eval_mode_and_changes_nothing():
    torch.manual_seed(0)
    model = ResNet(width=4, num_classes=3)
    shape = (24, 3, 8, 8)
    images = torch.randint(256, shape, dtype=torch.uint8)
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    normalise = Normalise.of(images)
    together = predict(model, images, normalise)
    singly = predict(model, images, normalise, batch_size=1)
    # In eval mode an image's logits do not depend on its neighbours.
    torch.testing.assert_close(together, singly, rtol=1e-4, atol=1e-5)
    assert not together.requires_grad
    assert model.training
    after = model.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())


def test_a_blend_lies_between_its_two_images():
    torch.manual_seed(0)
    dark, light = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    batch = torch.cat([dark, dark, light, light])
    blends = mix(batch)
    # One share an image: each blend of black and white is one even grey.
    greys = blends[:, 0, 0, 0]
    expected = greys[:, None, None, None].expand_as(blends)
    torch.testing.assert_close(blends, expected)
    assert (greys > 0).all() and (greys < 1).all()
    assert len(set(greys.tolist())) == 4


def test_the_share_of_a_blend_is_uniform():
    torch.manual_seed(0)
    count = 20_000
    batch = torch.cat([torch.zeros(count), torch.ones(count)])
    shares = mix(batch[:, None, None, None])[count:].flatten()
    quantiles = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(
        shares.quantile(quantiles), quantiles, atol=0.02, rtol=0
    )


def test_an_odd_batch_keeps_its_middle_image():
    batch = torch.randn(5, 3, 2, 2)
    torch.testing.assert_close(mix(batch)[2], batch[2])


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_the_default_on_a_gpu_that_has_it(has, monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: has
    )
    devices = [torch.device(kind) for kind in ("cpu", "meta", "cuda")]
    assert [*map(native_bfloat16, devices)] == [False, False, has]
    # Every CPU repeats what another one recorded.
    flags = dict.fromkeys(("avx512_bf16", "amx_bf16"), True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert not native_bfloat16(devices[0])


def test_logits_are_float32_whatever_the_model_computes_in():
    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    some = Normalise(torch.zeros(1), torch.ones(1))
    logits = predict(model, images, some, bfloat16=True)
    assert logits.dtype is torch.float32
