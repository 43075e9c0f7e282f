r"""
# The customary loop

Most programs that train on small images have this loop: a data set that
hands out one image at a time, transforms from torchvision, a `DataLoader`
with worker processes, float32, channels first. It is here to be measured
against, by the benchmark; nothing of the course
trains with it.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from labkd.data import ImageSet
from labkd.pixels import Normalise


class Pictures(Dataset):
    r"""
    Images as torchvision's data sets hand them out: one by one, by Pillow.

    * `data`: images in colour; `normalise`: from the same statistics
    * `padding`: pixels on each side, before the random crop
    """

    def __init__(
        self, data: ImageSet, normalise: Normalise, *, padding: int
    ) -> None:
        pixels = data.images.permute(0, 2, 3, 1).contiguous().cpu()
        self.pixels, self.labels = pixels.numpy(), data.labels.tolist()
        mean, deviation = normalise.mean, normalise.deviation
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(pixels.shape[1:3], padding=padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean.tolist(), deviation.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        return self.transform(picture), self.labels[index]


def batches_of(
    data: ImageSet,
    normalise: Normalise,
    *,
    padding: int,
    batch_size: int,
    workers: int,
) -> DataLoader:
    r"""
    The images of an epoch in random order, from worker processes.

    * `data`, `normalise`, `padding`: as `Pictures` takes them
    * `workers`: how many processes; 0 for none but this one
    """
    return DataLoader(
        Pictures(data, normalise, padding=padding),
        batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=data.images.device.type == "cuda",
    )


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> float:
    r"""
    Train on the batches of an epoch.

    * `batches`: normalised pixels and labels; `device`: of the model

    Returns the mean loss of the images.
    """
    model.train()
    total, count = 0.0, 0
    for pixels, labels in batches:
        pixels = pixels.to(device, non_blocking=True)
        labels = labels.to(device, non_blocking=True)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(pixels), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count
