r"""
# How fast the loop is

`python -m labkd.lab.benchmark` trains ResNet-20 from the same weights by our
[loop](../labkd/training.py), which crops whole batches of bytes, and by the
customary one: a data set that hands out one image at a time, transforms of
torchvision, a `DataLoader` with worker processes, float32. It prints images a
second of both and their ratio. Speeds differ between machines and, on a
shared one, between minutes, so the two take turns, and the ratio is the
median over the turns. The images are random bytes, which take as long as
others.
"""

import statistics
import sys
from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
import typer
from PIL import Image
from torch import nn
from torch.utils import benchmark
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from labkd.data import ImageSet
from labkd.lab import engine
from labkd.lab.building import bank_of, objective_of, optimizer_of
from labkd.lab.recipes import find
from labkd.lab.teachers import no_teacher
from labkd.pixels import Normalise, native_bfloat16
from labkd.resnet import ResNet
from labkd.training import fit

RECIPE = replace(find("teacher-resnet18-cifar10", "laptop"), epochs=10**6)


class Pictures(Dataset):
    r"""
    Images as torchvision's data sets hand them out: one by one, by Pillow.

    * `images`: in colour; `normalise`: from the same statistics
    """

    def __init__(self, images: ImageSet, normalise: Normalise) -> None:
        pixels = images.images.permute(0, 2, 3, 1).contiguous()
        self.pixels, self.labels = pixels.numpy(), images.labels.tolist()
        mean, deviation = normalise.mean, normalise.deviation
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=RECIPE.padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean.tolist(), deviation.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        return self.transform(picture), self.labels[index]


def resnet20() -> ResNet:
    r"""
    ResNet-20: three stages of three blocks, 0.27 million parameters.

    He et al. (2015), section 4.2, with $n = 3$ and 16, 32 and 64 channels.
    Here the shortcuts between stages are 1 x 1 convolutions, the paper's
    option B.
    """
    model = ResNet("resnet34", width=16)
    model.layer2, model.layer3 = model.layer2[:3], model.layer3[:3]
    model.layer4, model.fc = nn.Identity(), nn.Linear(64, 10)
    return model


def random_images(count: int) -> ImageSet:
    r"""So many random images in colour, of ten classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, 32, 32), generator=generator)
    names = tuple("0123456789")
    return ImageSet(pixels.byte(), torch.arange(count) % 10, names, "random")


def our_epoch(model: nn.Module, images: ImageSet) -> float:
    r"""The loss of an epoch of our loop."""
    optimizer, schedule = optimizer_of(RECIPE, model, len(images))
    epochs = fit(
        model.to(memory_format=torch.channels_last),
        images,
        optimizer,
        schedule,
        normalise=Normalise.of(images.images),
        objective=objective_of(RECIPE),
        teacher=no_teacher,
        generator=torch.Generator().manual_seed(0),
        epochs=range(1, 2),
        batch_size=RECIPE.batch_size,
        bank=bank_of(RECIPE, images),
        bfloat16=native_bfloat16(images.images.device),
    )
    return next(iter(epochs))["loss"]


def customary_epoch(model: nn.Module, batches: DataLoader) -> float:
    r"""The mean loss of an epoch of the customary loop."""
    optimizer, _ = optimizer_of(RECIPE, model, len(batches.dataset))
    model.train()
    total = 0.0
    for pixels, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(pixels), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(batches.dataset)


def compare(images: ImageSet, turns: int, workers: int) -> dict[str, float]:
    r"""
    Images a second of both loops, in turn.

    * `turns`: epochs of each; `workers`: processes of the customary loop

    Returns the medians `{"ours", "customary", "ratio"}`, the last one of the
    ratios of the turns.
    """
    pictures = Pictures(images, Normalise.of(images.images))
    loader = DataLoader(
        pictures, RECIPE.batch_size, shuffle=True, num_workers=workers
    )
    torch.manual_seed(0)
    model = resnet20()
    known = {"images": images, "loader": loader, "model": model}
    known |= {"deepcopy": deepcopy, "our_epoch": our_epoch}
    known |= {"customary_epoch": customary_epoch}
    threads = torch.get_num_threads()
    ours, customary = (
        benchmark.Timer(call, globals=known, num_threads=threads)
        for call in (
            "our_epoch(deepcopy(model), images)",
            "customary_epoch(deepcopy(model), loader)",
        )
    )
    # A Timer's first call is a warm-up that it does not count.
    rates = {"ours": [], "customary": []}
    for _ in range(turns):
        rates["ours"].append(len(images) / ours.timeit(1).mean)
        rates["customary"].append(len(images) / customary.timeit(1).mean)
    ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
    medians = {key: statistics.median(each) for key, each in rates.items()}
    return medians | {"ratio": statistics.median(ratios)}


def main(images: int = 5_120, turns: int = 5, workers: int = 2) -> None:
    """Compare our loop with the customary one."""
    engine.settle(alone=True)
    found = compare(random_images(images), turns, workers)
    print(
        f"images a second: ours {found['ours']:,.0f}, customary "
        f"{found['customary']:,.0f}; ratio {found['ratio']:.2f} "
        f"({turns} turns, {torch.get_num_threads()} threads)"
    )


if __name__ == "__main__":
    sys.exit(typer.run(main))
