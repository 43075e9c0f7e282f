r"""
# A linear probe

A network that was trained on millions of photographs already computes
features that separate ten classes of small ones. A linear probe leaves the
network as it is and trains one linear layer on what it puts out: the cheapest
teacher that there is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd.extras import needs_extra

with needs_extra("course"):
    from torchvision.models import (
        VisionTransformer,
        ViT_B_16_Weights,
        vit_b_16,
    )


class LinearProbe(nn.Module):
    r"""
    A frozen network and a linear layer on its features.

    Alain and Bengio (2017), section 3: with $h(x)$ the features, which are
    not trained,

    $$
    z = W h(x) + b .
    $$

    * `features`: puts out (batch, width); frozen, and in eval mode even
      while the probe is trained, so that its buffers stay as they are
    * `width`: of the features: 768 for ViT-B/16
    * `num_classes`: at least 1
    * `image_size`: pixels to a side that the features were made for; smaller
      and larger images are resized to it

    Raises `ValueError` for a size below 1.
    """

    def __init__(
        self,
        features: nn.Module,
        *,
        width: int,
        num_classes: int,
        image_size: int = 224,
    ) -> None:
        super().__init__()
        if min(width, num_classes, image_size) < 1:
            raise ValueError(
                "width, num_classes and image_size must be at least 1, got "
                f"{width}, {num_classes} and {image_size}"
            )
        self.features = features.requires_grad_(False).eval()
        self.image_size = image_size
        self.head = nn.Linear(width, num_classes)

    def train(self, mode: bool = True) -> "LinearProbe":
        r"""Puts the head in training mode; the features stay in eval mode."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        r"""Logits, (batch, classes), of pixels, (batch, 3, height, width)."""
        resized = F.interpolate(
            pixels,
            size=(self.image_size, self.image_size),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        # Without a graph: features are a third of the cost of training them.
        with torch.no_grad():
            seen = self.features(resized)  # (batch, width)
        return self.head(seen)


def imagenet_vit() -> VisionTransformer:
    r"""
    torchvision's ViT-B/16 with its weights of ImageNet, 330 MB, once.

    Raises `OSError` without a network, `RuntimeError` when the download is
    not what its name says, `pickle.UnpicklingError` when it holds more than
    tensors.
    """
    vit = vit_b_16()
    # The file is a pickle, and unpickling can run anything. So its digest is
    # checked, and only tensors are read.
    published = ViT_B_16_Weights.IMAGENET1K_V1.get_state_dict(
        check_hash=True, weights_only=True
    )
    vit.load_state_dict(published)
    return vit


def probe_of(vit: VisionTransformer, *, num_classes: int) -> LinearProbe:
    r"""
    A probe of one of torchvision's vision transformers.

    * `vit`: with its weights, such as `imagenet_vit()`; its head is taken off
    * `num_classes`: at least 1

    Returns the probe, whose head alone has gradients.
    """
    vit.heads = nn.Identity()
    return LinearProbe(
        vit,
        width=vit.hidden_dim,
        num_classes=num_classes,
        image_size=vit.image_size,
    )
