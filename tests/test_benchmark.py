"""The two loops of the benchmark train the same network on the same images."""

import torch
from torch.utils.data import DataLoader

from labkd.lab import benchmark
from labkd.pixels import Normalise


def test_resnet20_has_the_parameters_of_the_paper():
    # He et al. (2015), table 6: 0.27 million, with option A's shortcuts; the
    # two 1 x 1 convolutions of option B and their BatchNorm come on top.
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    count = sum(p.numel() for p in benchmark.resnet20().parameters())
    assert count - shortcuts == 269_722


def test_a_picture_is_what_our_loop_shows_but_for_crop_and_mirror():
    images = benchmark.random_images(20)
    normalise = Normalise.of(images.images)
    pictures = benchmark.Pictures(images, normalise)
    # Without the two transforms that draw.
    pictures.transform.transforms = pictures.transform.transforms[2:]
    for index in (0, 7, 19):
        pixels, label = pictures[index]
        ours = normalise(images.images[index : index + 1])[0]
        torch.testing.assert_close(pixels, ours)
        assert label == images.labels[index]


def test_both_loops_learn_and_their_ratio_is_of_their_rates(monkeypatch):
    images = benchmark.random_images(32)
    torch.manual_seed(0)
    model = benchmark.resnet20()
    pictures = benchmark.Pictures(images, Normalise.of(images.images))
    loader = DataLoader(pictures, 16, shuffle=True)
    before = [p.clone() for p in model.parameters()]
    for epoch in (
        lambda: benchmark.our_epoch(model, images),
        lambda: benchmark.customary_epoch(model, loader),
    ):
        # Ten classes drawn at random: about log 10 nats at the start.
        assert 1.5 < epoch() < 4
        after = [p.clone() for p in model.parameters()]
        assert any(
            not torch.equal(a, b) for a, b in zip(before, after, strict=True)
        )
        before = after
    found = benchmark.compare(images, turns=1, workers=0)
    ratio = found["ours"] / found["customary"]
    assert found["ratio"] == ratio > 0
