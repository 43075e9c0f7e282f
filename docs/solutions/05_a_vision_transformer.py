"""What the solutions of chapter 5, A Vision Transformer, claim."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from labkd.data import load
from labkd.inference import paired_difference
from labkd.vit import VisionTransformer

torch.set_num_threads(1)
SIZES = {"image_size": 8, "in_channels": 1, "num_classes": 10, "width": 32}
SIZES |= {"depth": 2, "heads": 4, "mlp_ratio": 2.0}


def exercise_1():
    query = torch.tensor([0.0, 0, 2, 2])
    keys = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
    values = torch.tensor([[1.0, 0], [0, 2], [4, 4]])
    by_hand = {
        2: [0.090, 0.245, 0.665, 2.751, 3.150],
        1: [0.016, 0.117, 0.867, 3.483, 3.702],
    }
    for root, expected in by_hand.items():
        weights = (keys @ query / root).softmax(0)
        found = torch.cat([weights, weights @ values])
        assert_close(found, torch.tensor(expected), rtol=0, atol=6e-4)
    left = " ".join(f"{x:.3f}" for x in found[3:])
    return f"without the root the sky leaves with {left}"


def exercise_2():
    pixels = VisionTransformer(**SIZES, patch_size=1)
    tokens = pixels.encode(torch.randn(1, 1, 8, 8)).shape[1]
    before = VisionTransformer(**SIZES, patch_size=2).positions.shape[1]
    assert (tokens, before) == (65, 17)
    E = pixels.patch_projection.weight.flatten(1)  # (width, pixels a patch)
    assert E.shape == (32, 1)
    more = (tokens / before) ** 2
    assert abs(more - 14.6) < 0.05
    return f"{tokens} tokens, {more:.1f} times the weights of attention"


class WithoutClassToken(VisionTransformer):
    def forward(self, images):
        grid = self.patch_projection(images)
        tokens = grid.flatten(2).transpose(1, 2) + self.positions[:, 1:]
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).mean(1))


def in_order(images, order):
    # The same patches of 2 x 2 pixels, in other places.
    patches = F.unfold(images, 2, stride=2)  # (batch, pixels, places)
    return F.fold(patches[:, :, order], 8, 2, stride=2)


@torch.no_grad()
def exercise_3():
    torch.manual_seed(0)
    model = WithoutClassToken(**SIZES, patch_size=2).double()
    order, x = torch.randperm(16), torch.randn(7, 1, 8, 8).double()
    nn.init.normal_(model.positions)
    placed, scrambled = model(x), in_order(x, order)
    gap = (model(scrambled) - placed).abs().max().item()
    assert gap > 0.01  # with positions it is another image,
    model.positions[:, 1:] = model.positions[:, 1:][:, order]
    assert_close(model(scrambled), placed)  # unless they move along
    model.positions.zero_()
    assert_close(model(scrambled), model(x))
    return f"both stay; scrambled with places as they are, off by {gap:.2f}"


@cache
def digits(split):
    data = load("digits", split)
    return data.images.float() / 127.5 - 1, data.labels


def train(model, images, labels, *, rate, seed, steps):
    optimizer = torch.optim.AdamW(model.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, cycle_momentum=False
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def transformer(seed):
    torch.manual_seed(seed)
    return VisionTransformer(**SIZES, patch_size=2)


def cnn(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 4 * 4, 10)),
    )


def orders(count):
    generator = torch.Generator().manual_seed(1)
    return [torch.randperm(16, generator=generator) for _ in range(count)]


def both_are_the_same_to_a_transformer(order):
    # Its positions are random names: drawn in the new order, they make one
    # task of the two, step by step.
    (images, labels), (unseen, _) = digits("train"), digits("test")
    whole, scrambled = transformer(0).double(), transformer(0).double()
    with torch.no_grad():
        scrambled.positions[:, 1:] = whole.positions[:, 1:][:, order]
    budget = {"rate": 1e-2, "seed": 0, "steps": 3}
    train(whole, images.double(), labels, **budget)
    train(scrambled, in_order(images, order).double(), labels, **budget)
    with torch.no_grad():
        moved = in_order(unseen, order).double()
        assert_close(scrambled(moved), whole(unseen.double()))


def exercise_4():
    images, labels = (part[::4] for part in digits("train"))
    unseen, truth = digits("test")
    both_are_the_same_to_a_transformer(orders(1)[0])
    as_they_are, scrambled = [], []
    for seed, order in enumerate(orders(6)):
        for right, view in (
            (as_they_are, lambda x: x),
            (scrambled, lambda x, order=order: in_order(x, order)),
        ):
            model = cnn(seed)
            train(model, view(images), labels, rate=1e-2, seed=seed, steps=60)
            with torch.no_grad():
                hits = model(view(unseen)).argmax(1) == truth
            right.append(100 * hits.double().mean().item())
    lost = paired_difference(scrambled, as_they_are)
    assert lost.found and lost.mean < 0
    return f"the ViT is the same to rounding; points of the CNN: {lost}"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
