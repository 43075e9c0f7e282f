"""A linear probe: only its head learns, and nothing else moves."""

import pickle

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, ViT_B_16_Weights

from labkd.linear_probe import LinearProbe, imagenet_vit, probe_of


def small_vit():
    torch.manual_seed(0)
    return VisionTransformer(
        image_size=16,
        patch_size=8,
        num_layers=1,
        num_heads=2,
        hidden_dim=12,
        mlp_dim=24,
        dropout=0.5,
    )


def test_only_the_head_learns():
    probe = probe_of(small_vit(), num_classes=10).train()
    before = {k: v.clone() for k, v in probe.state_dict().items()}
    learning = [p for p in probe.parameters() if p.requires_grad]
    assert [p.shape for p in learning] == [(10, 12), (10,)]
    optimizer = torch.optim.SGD(probe.parameters(), lr=1.0, weight_decay=0.1)
    logits = probe(torch.randn(4, 3, 8, 8))
    nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    optimizer.step()
    moved = {
        name
        for name, value in probe.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved == {"head.weight", "head.bias"}


def test_buffers_stay_as_they_are_in_training():
    features = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten())
    probe = LinearProbe(features, width=48, num_classes=2, image_size=4)
    before = features[0].running_mean.clone()
    probe.train()(3 + torch.randn(4, 3, 4, 4))
    assert torch.equal(features[0].running_mean, before)
    assert probe.training and probe.head.training and not features.training


def test_equals_the_network_with_another_head():
    vit = small_vit().eval()
    pixels = torch.randn(3, 3, 16, 16)
    probe = probe_of(small_vit(), num_classes=10).eval()
    vit.heads = nn.Linear(12, 10)
    vit.heads.load_state_dict(probe.head.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(probe(pixels), vit(pixels))


def test_small_images_are_enlarged():
    features = nn.Flatten()
    probe = LinearProbe(features, width=192, num_classes=2, image_size=8)
    seen = []
    features.register_forward_hook(lambda *call: seen.append(call[1][0]))
    probe(torch.full((1, 3, 4, 4), 0.5))
    assert seen[0].shape == (1, 3, 8, 8)
    torch.testing.assert_close(seen[0], torch.full((1, 3, 8, 8), 0.5))


@pytest.mark.parametrize("name", ["width", "num_classes", "image_size"])
def test_sizes_below_one_are_refused(name):
    sizes = {"width": 4, "num_classes": 2, "image_size": 8} | {name: 0}
    with pytest.raises(ValueError, match="must be at least 1, got .*0"):
        LinearProbe(nn.Identity(), **sizes)


def test_downloaded_weights_cannot_run_code(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (print, ("sprung",))

    # Where a download of torchvision's would lie.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    name = ViT_B_16_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save({"heads.head.bias": Trap()}, folder / name)
    with pytest.raises(pickle.UnpicklingError):
        imagenet_vit()
