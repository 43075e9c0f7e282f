r"""
# Three networks that read a drawing

`python -m labkd.lab.drawing` trains a teacher and two students on
scikit-learn's digits, for the page on which a reader draws one. They are
small enough to travel with the page: a convolutional teacher, and students
with one hidden layer.

The teacher sees all 1,200 training images, shifted by up to one pixel and
never mirrored. Both students see the same fifty of them, from the same
initial weights, for the same number of steps: one with the labels, one with
the teacher's soft labels at temperature 4. Each kind of label has its
learning rate from the same three: the one whose students are right most often
on training images that they were not given, in the mean of five seeds.

The record holds the scores of twenty other seeds. The weights of seed 0 are
kept, whatever came of it, in half precision.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from labkd.data import load
from labkd.lab.outcomes import circumstances, keep
from labkd.lab.store import write_whole
from labkd.records import RESULTS
from labkd.shipped import WEIGHTS
from labkd.soft_targets import kl_divergence
from labkd.views import apply_views, draw_views

COMMAND = "python -m labkd.lab.drawing"
TEMPERATURE, IMAGES, EPOCHS = 4.0, 50, 300
RATES = (0.003, 0.01, 0.03)
TUNING_SEEDS, SEEDS = range(100, 105), range(20)


def new_teacher() -> nn.Module:
    r"""Two convolutions; 3,818 parameters."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )


def new_student(seed: int) -> nn.Module:
    r"""One hidden layer; 1,210 parameters."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)
    )


def split_of(name: str) -> tuple[Tensor, Tensor]:
    r"""Images, float32 in 0 .. 1 of shape (images, 1, 8, 8), and labels."""
    split = load("digits", name)
    return split.images.float() / 255, split.labels


def train_teacher(images: Tensor, labels: Tensor) -> nn.Module:
    r"""Forty epochs of the labels, each image shifted anew."""
    teacher = new_teacher()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(teacher.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for _ in range(40):
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(64):
            views = draw_views(len(batch), padding=1, generator=generator)
            views[:, 2] = 0  # a mirrored digit is none
            shifted = apply_views(images[batch], views, padding=1)
            loss = F.cross_entropy(teacher(shifted), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return teacher.eval()


def hard_loss(z: Tensor, v: Tensor, labels: Tensor) -> Tensor:
    r"""Of the student's logits and the labels alone."""
    return F.cross_entropy(z, labels)


def soft_loss(z: Tensor, v: Tensor, labels: Tensor) -> Tensor:
    r"""Of both networks' logits, no label."""
    return TEMPERATURE**2 * kl_divergence(z, v, TEMPERATURE)


LOSSES = {"labels": hard_loss, "soft": soft_loss}


def train_student(loss_function, teacher, lesson, rate, seed) -> nn.Module:
    r"""All images of its lesson in every step."""
    images, labels = lesson
    student = new_student(seed)
    optimizer = torch.optim.AdamW(student.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    with torch.no_grad():
        teacher_logits = teacher(images)
    for _ in range(EPOCHS):
        loss = loss_function(student(images), teacher_logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return student.eval()


def draw(seed: int, images: Tensor, labels: Tensor) -> tuple[tuple, tuple]:
    r"""Fifty images for the students of a seed, and the others."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    few, rest = order[:IMAGES], order[IMAGES:]
    return (images[few], labels[few]), (images[rest], labels[rest])


@torch.no_grad()
def percent_right(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    r"""Of images, in 0 .. 100."""
    right = network(images).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


def best_rate(loss_function, teacher, images, labels) -> float:
    r"""The learning rate of one kind of label."""
    means = {}
    for rate in RATES:
        scores = []
        for seed in TUNING_SEEDS:
            lesson, rest = draw(seed, images, labels)
            student = train_student(loss_function, teacher, lesson, rate, seed)
            scores.append(percent_right(student, *rest))
        means[rate] = statistics.mean(scores)
    return max(means, key=means.get)


def measure() -> tuple[dict, dict[str, nn.Module]]:
    r"""The record, and the networks of seed 0 by name."""
    images, labels = split_of("train")
    splits = {name: split_of(name) for name in ("validation", "test")}
    teacher = train_teacher(images, labels)
    networks = {"teacher": teacher}
    record = {
        # How many of a digit's 32 x 32 cells are black: a drawing gets as
        # many. 4 x 4 of them make a pixel.
        "ink": 1024 * images.mean().item(),
        "teacher": {
            "parameters": _parameters(teacher),
            **{
                n: percent_right(teacher, *split)
                for n, split in splits.items()
            },
        },
    }
    for name, loss_function in LOSSES.items():
        rate = best_rate(loss_function, teacher, images, labels)
        teach = partial(train_student, loss_function, teacher)
        students = [
            teach(draw(seed, images, labels)[0], rate, seed) for seed in SEEDS
        ]
        networks[name] = students[0]
        record[name] = {
            "parameters": _parameters(students[0]),
            "learning_rate": rate,
            **{
                n: [percent_right(student, *split) for student in students]
                for n, split in splits.items()
            },
        }
    return record, networks


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def path_of(results: Path = RESULTS) -> Path:
    r"""Where the record is, or would be."""
    return Path(results) / "drawing" / "digits.json"


def weights_in(folder: Path = WEIGHTS) -> Path:
    r"""Where the weights of all three networks are, or would be."""
    return Path(folder) / "drawing-digits.safetensors"


def networks(folder: Path = WEIGHTS) -> dict[str, nn.Module]:
    r"""The three networks, by name, with the weights that are kept."""
    weights = load_file(weights_in(folder))
    students = {name: new_student(0) for name in ("labels", "soft")}
    found = {"teacher": new_teacher(), **students}
    for name, network in found.items():
        network.load_state_dict(
            {
                key.removeprefix(f"{name}."): value
                for key, value in weights.items()
                if key.startswith(f"{name}.")
            }
        )
    return found


@torch.no_grad()
def doubtful(teacher: nn.Module) -> torch.Tensor:
    r"""A test image a class: right, and the one the teacher is least sure of.

    Returns uint8 in 0 .. 16, shape (classes, 64).
    """
    images, labels = split_of("test")
    p, chosen = teacher(images).softmax(1).max(1)
    p[chosen != labels] = torch.inf
    found = []
    for label in range(10):
        members = (labels == label).nonzero().flatten()
        found.append(images[members[p[members].argmin()]])
    return (16 * torch.stack(found)).round().flatten(1).to(torch.uint8)


@torch.no_grad()
def shown(readers: dict[str, nn.Module]) -> dict:
    r"""
    What the page shows before anybody draws: ten test images.

    * `readers`: the three networks

    Returns `examples`, a string an image, a digit of base 17 a pixel, and
    `answers`, the probabilities of each network, by image.
    """
    images = doubtful(readers["teacher"])
    pixels = images.reshape(-1, 1, 8, 8) / 16
    answers = torch.stack([r(pixels).softmax(1) for r in readers.values()], 1)
    signs = "0123456789abcdefg"
    return {
        "examples": [
            "".join(signs[value] for value in image)
            for image in images.tolist()
        ],
        "answers": answers.tolist(),
    }


def main(arguments: list[str] | None = None) -> int:
    r"""Train, measure and write; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Networks that read a drawn digit."
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    # Quicker for networks this small.
    torch.set_num_threads(1)
    record, trained = measure()
    record = {
        "seeds": len(SEEDS),
        "settings": {
            "temperature": TEMPERATURE,
            "images": IMAGES,
            "epochs": EPOCHS,
            "learning_rates": RATES,
        },
        **record,
        **circumstances(torch.device("cpu"), False),
        "command": COMMAND,
    }
    weights = {
        f"{name}.{key}": value
        for name, network in trained.items()
        for key, value in network.state_dict().items()
    }
    try:
        keep(weights, weights_in(options.weights))
        # In half precision, as the page has them.
        record["shown"] = shown(networks(options.weights))
        print(write_whole(record, path_of(options.results)))
    except OSError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
