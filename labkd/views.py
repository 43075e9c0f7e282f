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

When it is known which views there are, a teacher can be asked about all of
them once, and never again. The table of its logits is exact: a student that
draws a view looks up what the teacher says of *that* view, and no teacher
runs during training. Caching one answer an image would pair the student's
crop with the answer to another one. The table is stored with digests of the
teacher's weights and of the images, and refused when either has changed.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd import tensors
from labkd.files import reading


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


def every_view(padding: int = 4) -> Tensor:
    r"""
    All views in the order of the table's second axis.

    * `padding`: $m \ge 0$, pixels on each side

    Returns int64 of shape (views, 3): top, left, mirrored or not.
    """
    offsets = torch.arange(2 * padding + 1)
    return torch.cartesian_prod(offsets, offsets, torch.arange(2))


def build_table(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    padding: int = 4,
    views: Tensor | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    r"""
    The logits of a teacher for every view of every image.

    * `predict`: uint8 images, (batch, channels, height, width), to logits,
      (batch, classes); the teacher in eval mode, without gradients
    * `images`: uint8, shape (images, channels, height, width)
    * `padding`: of the views, in pixels
    * `views`: some rows of `every_view(padding)`; all if left out
    * `progress`: wraps the views, to draw a bar

    Returns float16 of shape (images, views, classes), on the CPU.
    """
    table = []
    # A view at a time, for all images: the batches stay large, and the
    # views of the images themselves are never in memory together.
    for view in progress(every_view(padding) if views is None else views):
        same = view.expand(len(images), 3)
        logits = predict(apply_views(images, same, padding=padding))
        table.append(logits.to("cpu", torch.float16))
    return torch.stack(table, dim=1)


def look_up(
    table: Tensor, indices: Tensor, views: Tensor, *, padding: int = 4
) -> Tensor:
    r"""
    What the teacher says of the views that a batch has drawn.

    * `table`: from `build_table`
    * `indices`: int64, shape (batch,), which images
    * `views`: int64, shape (batch, 3), from `views.draw_views`
    * `padding`: the same as the table's

    Returns float32 logits of shape (batch, classes), where the table is.
    Raises `ValueError` when the table is of another padding.
    """
    side = 2 * padding + 1
    if table.shape[1] != 2 * side**2:
        raise ValueError(
            f"padding {padding} has {2 * side**2} views, the table has "
            f"{table.shape[1]}"
        )
    column = (views[:, 0] * side + views[:, 1]) * 2 + views[:, 2]
    column, indices = column.to(table.device), indices.to(table.device)
    return table[indices, column].float()


def save_table(
    path: Path, table: Tensor, teacher: nn.Module, images: Tensor
) -> None:
    r"""Store a table with the digests of its teacher and its images."""
    tensors.write(path, {"logits": table}, _digests(teacher, images))


def load_table(path: Path, teacher: nn.Module, images: Tensor) -> Tensor:
    r"""
    A stored table, if it is this teacher's of these images.

    * `path`: as given to `save_table`
    * `teacher`, `images`: those that the table should be of

    Returns float16 logits of shape (images, views, classes). Raises
    `ValueError` when the teacher or the images are others, or the file is
    damaged.
    """
    stored, made_of = tensors.read_with_metadata(path)
    for whose, digest in _digests(teacher, images).items():
        if made_of.get(whose) != digest:
            raise ValueError(
                f"{path} is not a table of these {whose}: delete it to "
                "build it anew"
            )
    with reading(path, "delete it to build it anew"):
        table = stored["logits"]
        if table.ndim != 3 or len(table) != len(images):
            raise ValueError(f"shape {tuple(table.shape)}")
    return table


def _digests(teacher: nn.Module, images: Tensor) -> dict[str, str]:
    weights = hashlib.sha256()
    for name, value in sorted(teacher.state_dict().items()):
        weights.update(name.encode())
        weights.update(_bytes(value))
    pixels = hashlib.sha256(str(tuple(images.shape)).encode())
    pixels.update(_bytes(images))
    return {"weights": weights.hexdigest(), "images": pixels.hexdigest()}


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()
