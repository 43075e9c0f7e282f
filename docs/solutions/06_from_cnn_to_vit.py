"""What the solutions of chapter 6, From CNN to ViT, claim."""

from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from labkd.data import load
from labkd.inference import paired_difference
from labkd.lab.building import optimizer_of
from labkd.lab.recipes import change
from labkd.lab.store import tuned
from labkd.soft_targets import kl_divergence, soften
from labkd.views import apply_views, every_view

torch.set_num_threads(1)


@cache
def digits(split):
    data = load("digits", split)
    return to_pixels(data.images), data.labels


def to_pixels(images):
    # A pixel that is always 1 does the work of a bias.
    return F.pad(images.flatten(1) / 127.5 - 1, (0, 1), value=1.0)


def train(x, targets, loss_of, *, width=64, steps=100):
    # Perceptrons side by side, each with images of its own: ten of them take
    # hardly longer than one.
    generator = torch.Generator().manual_seed(0)
    sizes = (len(x), 65, width), (len(x), width, 10)
    drawn = [torch.randn(s, generator=generator) / s[1] ** 0.5 for s in sizes]
    first, second = (weights.requires_grad_() for weights in drawn)
    optimizer = torch.optim.AdamW([first, second], 1e-2, fused=True)
    for _ in range(steps):
        z = (x @ first).relu() @ second  # (students, images, classes)
        loss = loss_of(z.flatten(0, 1), *(t.flatten(0, 1) for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: ((x @ first).relu() @ second).detach()


@cache
def teacher():
    x, labels = digits("train")
    return train(x[None], [labels[None]], F.cross_entropy, width=128)


def hard(z, labels, v):
    return F.cross_entropy(z, labels)


def soft(z, labels, v):
    return 0.1 * hard(z, labels, v) + 0.9 * 3**2 * kl_divergence(z, v, 3.0)


def percent_right(loss_of, count, steps=100, students=8):
    x, labels = digits("train")
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(students, len(x), generator=generator).argsort(1)
    few = order[:, :count]  # (students, images)
    lesson = x[few], [labels[few], teacher()(x)[0][few]]
    unseen, truth = digits("test")
    said = train(*lesson, loss_of, steps=steps)(unseen).argmax(-1)
    return (100 * (said == truth).double().mean(-1)).tolist()


def rates(recipe):
    # The learning rate at the end of each epoch.
    optimizer, schedule = optimizer_of(
        recipe, nn.Linear(2, 2), recipe.training_images
    )
    seen, epoch = [], schedule.total_steps // recipe.epochs
    for step in range(1, schedule.total_steps + 1):
        optimizer.step()
        if step < schedule.total_steps:
            schedule.step()
        if step % epoch == 0:
            seen.append(schedule.get_last_lr()[0])
    return seen


def exercise_1():
    twenty = tuned("soft-vit_from_resnet18-cifar10", "laptop")
    fifteen = change(twenty, ["epochs=15"])
    assert fifteen == replace(twenty, epochs=15) and twenty.epochs == 20
    # A schedule that ends at 15, and not one that is cut off there.
    ended, cut = rates(fifteen)[-1], rates(twenty)[14]
    assert ended < 0.001 * twenty.learning_rate < 0.1 * cut
    # The same question about digits, and how much less would be accepted,
    # said beforehand.
    accepted = -1.0
    sooner = percent_right(soft, 50, steps=75)
    ahead = paired_difference(sooner, percent_right(hard, 50, steps=100))
    assert ahead.mean - ahead.half_width > accepted
    return f"digits, soft for 75 steps over labels for 100: {ahead} points"


def spread(p):
    # J: how far the answers to the views of an image lie apart, in nats.
    mean = p.mean(1, keepdim=True)
    return (p * (p / mean).log()).sum(-1).mean().item()


def exercise_2():
    images, padding = load("digits", "train").images[::60], 1
    views = every_view(padding)
    crops = [
        apply_views(images, view.expand(len(images), 3), padding=padding)
        for view in views
    ]
    x = torch.stack([to_pixels(crop) for crop in crops], 1).flatten(0, 1)
    asked = teacher()(x)[0]  # a view at a time
    fixed = teacher()(to_pixels(images))[0].repeat_interleave(len(views), 0)
    lesson = x.expand(2, -1, -1), [torch.stack([fixed, asked])]
    both = train(
        *lesson, lambda z, v: kl_divergence(z, v, 3.0), width=128, steps=150
    )(x)
    by_image = (len(images), len(views), 10)
    of_fixed, of_views = (soften(z, 3.0).view(by_image) for z in both)
    told, told_views = (soften(v, 3.0).view(by_image) for v in (fixed, asked))
    assert abs(spread(told)) < 1e-6 and spread(told_views) > 0.1
    left = kl_divergence(both[0], fixed, 3.0)
    assert left < 0.1 * spread(told_views)
    assert spread(of_fixed) < 0.2 * spread(of_views)
    return (
        f"J of what it says: {spread(of_fixed):.3f}, taught view by view "
        f"{spread(of_views):.3f}"
    )


def exercise_3():
    sure = torch.tensor([[0.998, 0.001, 0.001]] * 3 + [[0.001, 0.998, 0.001]])
    trucks = {}
    for T in (1.0, 3.0):
        reply = soften(sure.log(), T).mean(0)  # the student's softmax at T
        said = soften(T * reply.log(), 1.0)
        trucks[T] = said[0].item()
    # The chapter's example, which is the last of the two.
    softened = torch.tensor([0.833, 0.083, 0.083])
    by_hand = torch.tensor([0.646, 0.271, 0.083])
    sharpened = torch.tensor([0.929, 0.069, 0.002])
    assert (soften(sure[0].log(), 3.0) - softened).abs().max() < 6e-4
    assert (reply - by_hand).abs().max() < 6e-4
    assert (said - sharpened).abs().max() < 6e-4
    assert abs(trucks[1.0] - 0.749) < 5e-4
    return (
        f"truck in 3 of 4: {trucks[1.0]:.3f}, and at T = 3 {trucks[3.0]:.3f}"
    )


def exercise_4():
    scratch = tuned("scratch-vit-cifar10", "laptop")
    rival = change(scratch, ["training_images=0"])
    assert rival == replace(scratch, training_images=0)
    assert change(scratch, ["epochs=40"]).epochs == 2 * scratch.epochs
    assert change(scratch, ["width=256"]).width == 2 * scratch.width
    assert scratch.training_images == 10_000
    # On digits: softer labels, or more of them?
    arms = {
        "few": percent_right(hard, 50),
        "soft": percent_right(soft, 50),
        "many": percent_right(hard, 600),
        "both": percent_right(soft, 600),
    }
    gains = {
        pair: paired_difference(arms[pair[0]], arms[pair[1]])
        for pair in (("soft", "few"), ("many", "soft"), ("both", "many"))
    }
    few, more, many = gains.values()
    assert few.mean > few.half_width and more.mean > more.half_width
    assert many.mean + many.half_width < few.mean - few.half_width
    return f"soft {few}, twelve times the labels {more} more, both {many} more"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
