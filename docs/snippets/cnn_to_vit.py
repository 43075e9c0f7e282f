"""A ResNet-18 teaches a Vision Transformer on CIFAR-10: the whole program.

python cnn_to_vit.py           with a GPU; downloads CIFAR-10 first
python cnn_to_vit.py --quick   random images, to see that every line runs

Needs torch, torchvision and matplotlib. Leaves the weights of three networks
and the plot curves.png where it is run.
"""

import argparse

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import CIFAR10, FakeData
from torchvision.models import resnet18


def load_images(folder, quick):
    shifted = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
        ]
    )
    plain = transforms.ToTensor()
    if quick:
        training = FakeData(200, (3, 32, 32), 10, transform=shifted)
        watched = test = FakeData(200, (3, 32, 32), 10, transform=plain)
    else:
        training = CIFAR10(
            folder, train=True, transform=shifted, download=True
        )
        watched = CIFAR10(folder, train=True, transform=plain)
        test = CIFAR10(folder, train=False, transform=plain)
    # The last tenth of the training images is for validation.
    cut = len(training) * 9 // 10
    held_out = range(cut, len(training))
    return Subset(training, range(cut)), Subset(watched, held_out), test


def normalised(network):
    mean, deviation = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)
    return nn.Sequential(transforms.Normalize(mean, deviation), network)


def new_teacher():
    model = resnet18(num_classes=10)
    # Made for 224 pixels: the first layers must not shrink 32 to 8.
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return normalised(model)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, tokens):
        x = self.norm1(tokens)
        tokens = tokens + self.attention(x, x, x, need_weights=False)[0]
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    def __init__(self, patch_size=4, width=128, depth=4, heads=4):
        super().__init__()
        patches = (32 // patch_size) ** 2
        self.projection = nn.Conv2d(3, width, patch_size, stride=patch_size)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(
            0.02 * torch.randn(1, 1 + patches, width)
        )
        blocks = [Block(width, heads) for _ in range(depth)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        patches = self.projection(images).flatten(2).transpose(1, 2)
        first = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens[:, 0]))


def train_on_labels(model, batches, validation, epochs, learning_rate, device):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, epochs * len(batches), cycle_momentum=False
    )
    curve = []
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        curve.append(accuracy(model, validation, device))
    return curve


def train_on_soft_labels(
    model, teacher, batches, validation, epochs, learning_rate, device
):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, epochs * len(batches), cycle_momentum=False
    )
    teacher.eval()
    curve = []
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            with torch.no_grad():
                teacher_logits = teacher(images)
            loss = distillation_loss(model(images), teacher_logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        curve.append(accuracy(model, validation, device))
    return curve


def distillation_loss(
    student_logits, teacher_logits, labels, temperature=2.0, soft_weight=0.9
):
    log_q = F.log_softmax(student_logits / temperature, dim=1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    hard = F.cross_entropy(student_logits, labels)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


@torch.no_grad()
def accuracy(model, batches, device):
    model.eval()
    right = total = 0
    for images, labels in batches:
        predicted = model(images.to(device)).argmax(dim=1).cpu()
        right += (predicted == labels).sum().item()
        total += len(labels)
    return right / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data", help="folder of CIFAR-10")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    training, watched, test = load_images(options.data, options.quick)
    batches = DataLoader(training, 128, shuffle=True, num_workers=2)
    validation = DataLoader(watched, 500, num_workers=2)
    epochs = 1 if options.quick else options.epochs
    shown = range(1, epochs + 1)

    torch.manual_seed(0)
    teacher = new_teacher().to(device)
    train_on_labels(teacher, batches, validation, epochs, 1e-3, device)
    torch.manual_seed(1)
    by_labels = normalised(VisionTransformer()).to(device)
    curve = train_on_labels(
        by_labels, batches, validation, epochs, 1e-3, device
    )
    plt.plot(shown, curve, "o--", label="labels")
    torch.manual_seed(1)  # the same initial values and crops
    by_teacher = normalised(VisionTransformer()).to(device)
    curve = train_on_soft_labels(
        by_teacher, teacher, batches, validation, epochs, 1e-3, device
    )
    plt.plot(shown, curve, "o-", label="soft labels")

    plt.axhline(accuracy(teacher, validation, device), label="teacher")
    plt.xlabel("epoch")
    plt.ylabel("validation accuracy")
    plt.legend()
    plt.savefig("curves.png")
    networks = {"teacher": teacher, "by_labels": by_labels}
    networks["by_teacher"] = by_teacher
    for name, network in networks.items():
        right = accuracy(network, DataLoader(test, 500), device)
        print(f"{name}: {right:.1%} of the test images")
        torch.save(network.state_dict(), f"{name}.pt")


if __name__ == "__main__":
    main()
