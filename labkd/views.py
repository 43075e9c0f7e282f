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
is shown a view looks up what the teacher says of *that* view, and no teacher
runs during training. Caching one answer an image would pair the student's
crop with the answer to another one.

A long training does not need all 162. A *bank* holds $K$ views of each image,
drawn once and the same for every student: epoch $e$ shows view $e$, so that
$K$ epochs see $K$ different views, half of them mirrored, and a teacher is
asked $K$ times an image. The bank of all views is the special case from which
views are drawn at random. A table is stored with digests of the teacher's
weights, the images and the views, and refused when one of them has changed.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd import tensors
from labkd.files import reading

# The largest number in half precision.
LARGEST = 65_504.0


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
    the number of views is not the number of images, or one is out of range.
    """
    if views.shape != (len(images), 3):
        raise ValueError(
            f"views must have shape ({len(images)}, 3), got "
            f"{tuple(views.shape)}"
        )
    batch, _, height, width = images.shape
    # Outside its range an index would wrap, or show another view. On a GPU
    # the answer would have to be waited for.
    if views.device.type == "cpu" and batch:
        least, most = views.amin(0).tolist(), views.amax(0).tolist()
        if min(least) < 0 or most[2] > 1 or max(most[:2]) > 2 * padding:
            raise ValueError(
                f"views must lie in 0 .. {2 * padding}, 0 .. {2 * padding} "
                f"and 0 .. 1, got {least} to {most}"
            )
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


def every_view(padding: int = 4, *, mirror: bool = True) -> Tensor:
    r"""
    All views in the order of the table's second axis.

    * `padding`: $m \ge 0$, pixels on each side
    * `mirror`: whether mirror images are among them

    Returns int64 of shape (views, 3): top, left, mirrored or not.
    """
    offsets = torch.arange(2 * padding + 1)
    return torch.cartesian_prod(offsets, offsets, torch.arange(1 + mirror))


@dataclass(frozen=True)
class Bank:
    r"""
    The views that the images of a training set are shown in.

    * `views`: int64, shape (images, K, 3), as `draw_views` gives them
    * `padding`: $m \ge 0$, pixels on each side
    * `in_turn`: epoch 1 shows the first view of each image, epoch 2 the
      second, and so on, from the first again after the last; else the views
      are drawn at random
    """

    views: Tensor
    padding: int
    in_turn: bool

    @classmethod
    def every(
        cls,
        images: int,
        *,
        padding: int = 4,
        mirror: bool = True,
        device: str = "cpu",
    ) -> "Bank":
        r"""All views of so many images, drawn at random, on a device."""
        views = every_view(padding, mirror=mirror).to(device)
        return cls(views.expand(images, *views.shape), padding, in_turn=False)

    @classmethod
    def drawn(
        cls,
        images: int,
        count: int,
        *,
        padding: int = 4,
        mirror: bool = True,
        device: str = "cpu",
    ) -> "Bank":
        r"""
        So many views of each image, shown in turn, the same at every call.

        The crops are random. An image that is mirrored in one view is not in
        the next, so that two epochs in a row always show both. A bank of
        fewer views is the beginning of a larger one.

        * `images`, `count`: how many, at least 1
        * `mirror`: false for what is another thing in a mirror, such as text
        """
        generator = torch.Generator().manual_seed(0)
        mirrored = torch.randint(2, (images, 1), generator=generator)
        views = []
        for number in range(count):
            offsets = torch.randint(
                2 * padding + 1, (images, 2), generator=generator
            )
            alternate = (mirrored + number) % 2 * mirror
            views.append(torch.cat([offsets, alternate], dim=1))
        return cls(torch.stack(views, dim=1).to(device), padding, in_turn=True)

    def choose(
        self, batch: Tensor, epoch: int, generator: torch.Generator
    ) -> Tensor:
        r"""
        Which view of each image an epoch shows.

        * `batch`: indices of images, (batch,); `epoch`: from 1
        * `generator`: a CPU generator, for views that are drawn

        Returns int64 of shape (batch,), indices of the second axis of views.
        """
        if self.in_turn:
            return torch.full_like(batch, (epoch - 1) % self.views.shape[1])
        side = 2 * self.padding + 1
        top, left, mirrored = draw_views(
            len(batch), padding=self.padding, generator=generator
        ).unbind(1)
        sides = self.views.shape[1] // side**2  # 2 with mirror images
        return (top * side + left) * sides + mirrored * (sides - 1)

    def show(self, images: Tensor, indices: Tensor, columns: Tensor) -> Tensor:
        r"""
        The chosen view of each image.

        * `images`: of the whole set, (images, channels, height, width)
        * `indices`, `columns`: int64, (batch,), which image and which view

        Returns a tensor of shape (batch, channels, height, width).
        """
        views = self.views[indices, columns]
        return apply_views(images[indices], views, padding=self.padding)


def build_table(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    bank: Bank,
    *,
    columns: Iterable[int] | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    r"""
    The logits of a teacher for the views of a bank.

    * `predict`: uint8 images, (batch, channels, height, width), to logits,
      (batch, classes); the teacher in eval mode, without gradients
    * `images`: uint8, shape (images, channels, height, width)
    * `bank`: the views, of as many images
    * `columns`: some of the views of each image; all if left out
    * `progress`: wraps the columns, to draw a bar

    Returns float16 of shape (images, views, classes), on the CPU. Raises
    `ValueError` for logits that do not fit into half precision.
    """
    table = []
    if columns is None:
        columns = range(bank.views.shape[1])
    # A view at a time, for all images: the batches stay large, and the
    # views of the images themselves are never in memory together.
    for column in progress(columns):
        views = bank.views[:, column]
        logits = predict(apply_views(images, views, padding=bank.padding))
        # Written so that it fails for what is no number, too.
        if not (largest := logits.abs().max().item()) <= LARGEST:
            raise ValueError(
                f"a logit of {largest:.3g} does not fit into half precision, "
                f"which ends at {LARGEST:,.0f}: subtract each row's largest "
                "logit, which no softmax sees, or divide them all"
            )
        table.append(logits.to("cpu", torch.float16))
    return torch.stack(table, dim=1)


def look_up(table: Tensor, indices: Tensor, columns: Tensor) -> Tensor:
    r"""
    What the teacher says of the views that a batch is shown in.

    * `table`: from `build_table`
    * `indices`: int64, shape (batch,), which images
    * `columns`: int64, shape (batch,), which views, from `Bank.choose`

    Returns float32 logits of shape (batch, classes), where the table is.
    Raises `ValueError` for a negative index, which would count from the end.
    """
    indices, columns = indices.to(table.device), columns.to(table.device)
    # A GPU would have to be waited for; there it is left out.
    if table.device.type == "cpu" and len(indices):
        least = min(indices.min().item(), columns.min().item())
        if least < 0:
            raise ValueError(f"an index of {least} is negative")
    return table[indices, columns].float()


def save_table(
    path: Path,
    table: Tensor,
    teacher: nn.Module,
    images: Tensor,
    bank: Bank,
    *,
    precision: str = "float32",
) -> None:
    r"""
    Store a table with the digests of what it was made of.

    * `precision`: in which the teacher answered, for `precision_of`
    """
    made_of = _digests(teacher, images, bank) | {"precision": precision}
    tensors.write(path, {"logits": table}, made_of)


def precision_of(path: Path) -> str:
    r"""In which precision the teacher of a stored table answered."""
    return tensors.metadata_of(path).get("precision", "float32")


def load_table(
    path: Path, teacher: nn.Module, images: Tensor, bank: Bank
) -> Tensor:
    r"""
    A stored table, if it is this teacher's of these views of these images.

    * `path`: as given to `save_table`
    * `teacher`, `images`, `bank`: those that the table should be of

    Returns float16 logits of shape (images, views, classes). Raises
    `ValueError` when the teacher, the images or the views are others, or the
    file is damaged.
    """
    stored, made_of = tensors.read_with_metadata(path)
    for whose, digest in _digests(teacher, images, bank).items():
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


def _digests(teacher: nn.Module, images: Tensor, bank: Bank) -> dict[str, str]:
    weights = hashlib.sha256()
    for name, value in sorted(teacher.state_dict().items()):
        weights.update(name.encode())
        weights.update(_bytes(value))
    pixels = hashlib.sha256(str(tuple(images.shape)).encode())
    pixels.update(_bytes(images))
    # All images have all views: one of them says which.
    shown = bank.views if bank.in_turn else bank.views[:1]
    views = hashlib.sha256(f"{bank.padding} {tuple(shown.shape)}".encode())
    views.update(_bytes(shown))
    return {
        "weights": weights.hexdigest(),
        "images": pixels.hexdigest(),
        "views": views.hexdigest(),
    }


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()
