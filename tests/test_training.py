"""The loop: what it sees, what it leaves alone, that it repeats."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.data import load
from labkd.resnet import ResNet
from labkd.sources import ImageSet
from labkd.training import (
    Normalise,
    cross_entropy,
    fit,
    native_bfloat16,
    predict,
)


def some_images(count=24, channels=3, side=8):
    generator = torch.Generator().manual_seed(0)
    shape = (count, channels, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    names = ("a", "b", "c")
    return ImageSet(images, torch.arange(count) % 3, names, "original")


def run(model, data, **changes):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    settings = {
        "objective": cross_entropy,
        "epochs": 2,
        "batch_size": 10,
        "padding": 1,
        "seed": 3,
        "bfloat16": False,
    } | changes
    return list(fit(model, data, optimizer, schedule, **settings))


def small():
    torch.manual_seed(0)
    return ResNet(width=4, num_classes=3)


def test_the_same_seed_gives_the_same_weights_to_the_bit():
    first, second, other = small(), small(), small()
    data = some_images()
    run(first, data)
    run(second, data)
    run(other, data, seed=4)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_every_image_is_seen_once_an_epoch():
    data, seen = some_images(), []

    def objective(model, pixels, labels):
        assert model.training
        assert pixels.shape[1:] == (3, 8, 8)
        seen.append(labels)
        return cross_entropy(model, pixels, labels)

    epochs = run(small(), data, objective=objective)
    assert [len(labels) for labels in seen] == [10, 10, 4] * 2
    for epoch in (torch.cat(seen[:3]), torch.cat(seen[3:])):
        assert torch.equal(epoch.sort().values, data.labels.sort().values)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]


def test_the_loss_is_the_mean_over_images():
    data = some_images()
    weightless = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    nn.init.zeros_(weightless[1].weight)
    nn.init.zeros_(weightless[1].bias)

    def first_label(model, pixels, labels):
        return (labels == 0).float().mean() + 0 * model(pixels).sum()

    (epoch,) = run(weightless, data, objective=first_label, epochs=1)
    # A third of the images, although the last batch is a short one.
    assert epoch["loss"] == pytest.approx(1 / 3)


def test_one_step_of_the_loop_is_the_textbook_step():
    data = some_images(count=6)
    ours, theirs = small(), small()
    run(ours, data, epochs=1, batch_size=6, padding=0)
    # With no padding and one batch only mirror images are left; mirror the
    # same ones by replaying the generator.
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(6, generator=generator)
    torch.randint(1, (6, 2), generator=generator)
    mirrored = torch.randint(2, (6, 1), generator=generator).flatten()
    images = data.images[order].float() / 255
    flip = mirrored[:, None, None, None] == 1
    images = torch.where(flip, images.flip(-1), images)
    everything = data.images.float() / 255
    mean = everything.mean((0, 2, 3))[:, None, None]
    deviation = everything.std((0, 2, 3), correction=0)[:, None, None]
    theirs.train()
    logits = theirs((images - mean) / deviation)
    F.cross_entropy(logits, data.labels[order]).backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b - 0.1 * b.grad, rtol=1e-4, atol=1e-5)


def test_normalised_images_have_zero_mean_and_unit_variance():
    images = load("digits", "train").images
    pixels = Normalise.of(images)(images)
    assert pixels.mean().abs() < 1e-5
    assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_predict_uses_eval_mode_and_changes_nothing():
    model, data = small(), some_images()
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    normalise = Normalise.of(data.images)
    together = predict(model, data.images, normalise)
    singly = predict(model, data.images, normalise, batch_size=1)
    # In eval mode an image's logits do not depend on its neighbours.
    torch.testing.assert_close(together, singly, rtol=1e-4, atol=1e-5)
    assert not together.requires_grad
    assert model.training
    after = model.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())


def test_bfloat16_only_where_the_processor_has_it():
    flags = torch.cpu.get_capabilities()
    has = bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
    assert native_bfloat16(torch.device("cpu")) is has
    assert native_bfloat16(torch.device("meta")) is False
