"""What the solutions of chapter 9, From ViT to CNN, claim."""

import torch
import torch.nn.functional as F
from scipy.optimize import brentq
from torch import nn
from torch.testing import assert_close
from torchvision import models

from labkd.data import load
from labkd.linear_probe import probe_of
from labkd.pixels import Normalise
from labkd.soft_targets import soften
from labkd.vit import VisionTransformer

torch.set_num_threads(1)


def exercise_1():
    # On a device of shapes without numbers.
    with torch.device("meta"):
        probe = probe_of(models.vit_l_16(), num_classes=100)
    trained = sum(p.numel() for p in probe.parameters() if p.requires_grad)
    assert trained == 1024 * 100 + 100 == 102_500
    torch.manual_seed(0)
    width, ranks = 1024, {}
    for images in (width + 1, width + 2):
        h = F.pad(torch.randn(images, width), (0, 1), value=1.0).double()
        ranks[images] = torch.linalg.matrix_rank(h).item()
    # Logits of any kind can be had of D + 1 images, and of one more not.
    assert ranks == {1025: 1025, 1026: 1025}
    return f"{trained:,} parameters, {ranks[1026]:,} images"


def exercise_2():
    one, two = torch.ones(2, 100, dtype=torch.bool)
    one[:10], two[10:20] = False, False
    a, b = one.double().mean(), two.double().mean()
    seen = (one == two).double().mean()
    chance = a * b + (1 - a) * (1 - b)
    assert_close(
        torch.stack([seen, chance]), torch.tensor([0.8, 0.82]).double()
    )
    kappa = ((seen - chance) / (1 - chance)).item()
    assert abs(kappa + 1 / 9) < 1e-9
    # With the same mistakes, 90 is all that any way to combine them reaches.
    either = (one | two).double().mean().item()
    assert either == 1 and (one | one).double().mean() == b
    return f"kappa = {kappa:.4f}; one of the two knows on {either:.0%}"


def train(model, images, labels):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, fused=True)
    for batch in torch.randint(600, (60, 50)):
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval().requires_grad_(False)


def exercise_3():
    torch.manual_seed(0)
    data = load("digits", "train").take(torch.randperm(1200))
    images = Normalise.of(data.images)(data.images)
    sizes = {"image_size": 8, "patch_size": 4, "in_channels": 1, "depth": 2}
    sizes |= {"width": 32, "heads": 4, "mlp_ratio": 2.0, "num_classes": 10}
    cnn = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(6 * 4 * 4, 10)),
    )
    of_vit, of_cnn = (
        train(model, images, data.labels)(images[600:])
        for model in (VisionTransformer(**sizes), cnn)
    )

    def nats(logits):
        return torch.special.entr(soften(logits, 4.0)).sum(1).mean().item()

    factor = brentq(lambda c: nats(c * of_vit) - nats(of_cnn), 0.01, 100)
    before = nats(of_vit) - nats(of_cnn)
    assert abs(nats(factor * of_vit) - nats(of_cnn)) < 1e-3 < abs(before)
    assert torch.equal((factor * of_vit).argmax(1), of_vit.argmax(1))
    return f"{before:+.2f} nats apart, equal with the ViT's times {factor:.2f}"


if __name__ == "__main__":
    for n in range(1, 4):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
