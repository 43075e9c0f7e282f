r"""
# Trained networks

The recorded teacher and two of its students come with the package, in half
precision, so that a chapter can distil without training a teacher first, and
ask a student without training it. Each is the network of one record, which
says how it was made and how good it is.
"""

import json
from pathlib import Path

import torch
from torch import nn

from labkd.extras import needs_extra
from labkd.resnet import ResNet
from labkd.vit import VisionTransformer

with needs_extra("course"):
    import safetensors.torch

WEIGHTS = Path(__file__).with_name("weights")
RESULTS = Path(__file__).with_name("results")
SHIPPED_SIZE = "overnight"
NAMES = (
    "teacher-resnet18-cifar10",
    "scratch-vit-cifar10",
    "soft-vit_from_resnet18-cifar10",
)


def pretrained(name: str) -> nn.Module:
    r"""
    A network that was trained for this course, in eval mode.

    It gives logits for images of 32 x 32 pixels in three colours, one of ten
    classes of CIFAR-10 in the order of `data.load`. Pixels in 0 .. 1 are
    normalised as in its training, with what it carries as `mean` and
    `deviation`, float32 of shape (3, 1, 1):

    ```python
    teacher = pretrained("teacher-resnet18-cifar10")
    logits = teacher((pixels - teacher.mean) / teacher.deviation)
    ```

    * `name`: one of `shipped.NAMES`, the recipe of its record

    Returns a network with float32 weights. Raises `ValueError` for another
    name, `FileNotFoundError` when its weights or its record are missing.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name}")
    record = json.loads(_there(RESULTS / name / f"{SHIPPED_SIZE}-seed0.json"))
    weights = _there(WEIGHTS / f"{name}.safetensors")
    network = _network(record["config"])
    network.load_state_dict(safetensors.torch.load(weights))
    for key, values in record["pixels"].items():
        # It moves to a GPU with the network, and is no weight of it.
        values = torch.tensor(values)[:, None, None]
        network.register_buffer(key, values, persistent=False)
    return network.eval()


def _there(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there: install labkd whole, or make it by "
            f"python -m labkd run NAME --size {SHIPPED_SIZE}"
        )
    return path.read_bytes()


def _network(settings: dict) -> nn.Module:
    if settings["architecture"] == "vit":
        keys = ("width", "patch_size", "depth", "heads", "mlp_ratio")
        sizes = {key: settings[key] for key in keys}
        return VisionTransformer(
            image_size=32, in_channels=3, num_classes=10, **sizes
        )
    return ResNet(settings["architecture"], width=settings["width"])
