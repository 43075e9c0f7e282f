r"""
# Views of an image

Training on CIFAR-10 shows each image under small changes: four pixels of
padding on every side, a random crop back to the old size, and a mirror image
half of the time. With padding $m$ there are only

$$
2 \, (2m + 1)^2
$$

such views, 162 for $m = 4$. A view is therefore three integers, drawn here
apart from the pixels: whoever holds them can show the *same* view to teacher
and student, or look it up in a table.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_views(
    count: int, *, padding: int = 4, generator: torch.Generator
) -> Tensor:
    r"""
    Random views: top offset, left offset and mirrored or not.

    * `count`: how many, at least 0
    * `padding`: $m \ge 0$, pixels on each side
    * `generator`: a CPU generator; the same state gives the same views

    Returns int64 of shape (count, 3), uniform over the $2 (2m + 1)^2$ views.
    """
    offsets = torch.randint(2 * padding + 1, (count, 2), generator=generator)
    mirrored = torch.randint(2, (count, 1), generator=generator)
    return torch.cat([offsets, mirrored], dim=1)  # (count, 3)


def apply_views(images: Tensor, views: Tensor, *, padding: int = 4) -> Tensor:
    r"""
    The given view of each image, a whole batch at once.

    * `images`: any dtype, shape (batch, channels, height, width)
    * `views`: int64, shape (batch, 3), from `draw_views`
    * `padding`: the same $m$ as there; the border is filled with zeros

    Returns a tensor of the images' shape and dtype. Raises `ValueError` when
    the number of views is not the number of images.
    """
    if views.shape != (len(images), 3):
        raise ValueError(
            f"views must have shape ({len(images)}, 3), got "
            f"{tuple(views.shape)}"
        )
    batch, _, height, width = images.shape
    views = views.to(images.device)
    padded = F.pad(images, (padding,) * 4)
    rows = views[:, :1] + torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device).expand(batch, width)
    # A mirror image reads its columns from right to left.
    mirrored = views[:, 2:] == 1  # (batch, 1)
    columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns + views[:, 1:2]  # (batch, width)
    item = torch.arange(batch, device=images.device)[:, None, None]
    # Two index tensors around a slice put the channels last; move them back.
    cropped = padded.permute(0, 2, 3, 1)[
        item, rows[:, :, None], columns[:, None, :]
    ]
    return cropped.permute(0, 3, 1, 2)  # (batch, channels, height, width)
