r"""
# Features and relations

Logits are the last thing a network computes. A student can also be taught by
what comes before them, and here are three ways to compare it: the features
themselves (FitNets), the places where they are strong (attention transfer),
and how the images of a batch lie to one another (relational distillation).

**Features** are maps, (batch, channels, rows, columns); **embeddings** are one
vector an image, (batch, width). [`capture`](#capture) takes either of them
from a network, and [`token_grid`](#token_grid) makes maps of the tokens of a
Vision Transformer. The teacher is a constant everywhere: gradients reach the
student only, and the regressor.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkd.soft_targets import at_least_float32, check_floats, check_weight


@contextmanager
def capture(model: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    r"""
    What parts of a model put out while it runs.

    ```python
    with capture(student, "layer2") as seen:
        logits = student(images)
    features = seen["layer2"]  # (batch, channels, rows, columns)
    ```

    A forward hook is a function that PyTorch calls after a module has run,
    with the module, its inputs and its output. The hooks are gone when the
    block ends, also after an exception. A part that runs twice shows its
    second output, and one whose output is overwritten by the next part, an
    `nn.ReLU(inplace=True)`, shows what was written.

    * `model`: any module
    * `names`: of parts, as `model.named_modules()` has them

    Yields a dictionary that the forward pass fills: name to output, with its
    gradient. Raises `ValueError` for a name that the model does not have.
    """
    parts = dict(model.named_modules())
    for name in names:
        if name not in parts:
            raise ValueError(f"the model has no part {name!r}")
    seen: dict[str, Tensor] = {}
    handles = [
        parts[name].register_forward_hook(partial(_keep, seen, name))
        for name in names
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _keep(
    seen: dict[str, Tensor],
    name: str,
    module: nn.Module,
    inputs: tuple,
    output: Tensor,
) -> None:
    # What a hook returns would replace the output, so it returns nothing.
    seen[name] = output


def token_grid(tokens: Tensor, *, special_tokens: int = 1) -> Tensor:
    r"""
    The patches of a Vision Transformer as maps, the way an image is laid out.

    The class token, and the distillation token of a DeiT, belong to no place
    in the image. Left in, they shift every patch by one or two positions.

    * `tokens`: (batch, special_tokens + patches, width), row by row, as
      [`encode`](../labkd/vit.py#VisionTransformer) returns them or
      `capture(model, "blocks.3")` sees them
    * `special_tokens`: how many come first: 1 with a class token, 2 with a
      distillation token as well

    Returns features, (batch, width, rows, columns). Raises `ValueError` when
    the patches that remain do not make a square.
    """
    patches = tokens[:, special_tokens:]
    side = math.isqrt(patches.shape[1])
    if special_tokens < 0 or side == 0 or side**2 != patches.shape[1]:
        raise ValueError(
            f"{tokens.shape[1]} tokens without special_tokens="
            f"{special_tokens} make no square grid"
        )
    # A token becomes a column of channels, and the row of tokens a grid.
    return patches.transpose(1, 2).unflatten(2, (side, side))


class Regressor(nn.Module):
    r"""
    From the student's channels to the teacher's: a 1 x 1 convolution.

    Romero et al. (2015) put a regressor on the student, because a thinner
    network has fewer channels than its teacher. It is trained along with the
    student and thrown away afterwards.

    * `student_channels`, `teacher_channels`: at least 1
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            student_channels, teacher_channels, kernel_size=1
        )

    def forward(self, features: Tensor) -> Tensor:
        r"""Features of the teacher's channels, on the student's grid."""
        return self.convolution(features)


def hint_loss(student_features: Tensor, teacher_features: Tensor) -> Tensor:
    r"""
    Mean squared difference of two feature maps.

    Romero, Ballas, Kahou, Chassang, Gatta and Bengio (2015), FitNets, with
    $u$ the teacher's hint and $r$ the student's features after a
    [`Regressor`](#Regressor), $n$ numbers an image:

    $$
    \mathcal{L} = \frac{1}{n} \lVert u - r \rVert^2 ,
    $$

    averaged over the batch. The paper has $\tfrac12$ in place of
    $\tfrac1n$: the same loss with another learning rate.

    * `student_features`, `teacher_features`: floating point, one shape, with
      the batch first, finite

    Returns a scalar, at least float32. Raises `ValueError` for arguments
    outside these bounds.
    """
    check_floats("student_features", student_features)
    check_floats("teacher_features", teacher_features)
    # PyTorch would broadcast one to the other, and compare what does not
    # belong together.
    if student_features.shape != teacher_features.shape:
        raise ValueError(
            "student_features and teacher_features must share one shape, got "
            f"{tuple(student_features.shape)} and "
            f"{tuple(teacher_features.shape)}"
        )
    return F.mse_loss(
        at_least_float32(student_features),
        at_least_float32(teacher_features.detach()),
    )


def train_on_hints(
    student: nn.Module,
    teacher: nn.Module,
    regressor: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    student_layer: str,
    teacher_layer: str,
    epochs: int,
    learning_rate: float,
) -> None:
    r"""
    The first of FitNets' two stages: the student up to its guided layer.

    Romero et al. (2015) train in stages. First the part of the student that
    ends in `student_layer`, by the hint alone and without a label. Then all
    of the student, from where that leaves it, by soft targets: any loop with
    [`distillation_loss`](../labkd/soft_targets.py#distillation_loss). Code
    that adds the hint to the other losses from the start skips the first.

    * `regressor`: takes the student's features to the teacher's shape
    * `batches`: images and labels, the labels unused; gone through once an
      epoch
    * `student_layer`, `teacher_layer`: names as `capture` takes them, in the
      middle of the two networks
    """
    guided = [*student.parameters(), *regressor.parameters()]
    optimizer = torch.optim.Adam(guided, lr=learning_rate)
    teacher.eval()
    student.train()
    for _ in range(epochs):
        for images, _ in batches:
            with torch.no_grad(), capture(teacher, teacher_layer) as hints:
                teacher(images)
            with capture(student, student_layer) as seen:
                student(images)
            features = regressor(seen[student_layer])
            loss = hint_loss(features, hints[teacher_layer])
            # The layers behind the guided one have no part in the loss: they
            # get no gradient, and Adam leaves them alone.
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def attention_transfer_loss(
    student_features: Tensor, teacher_features: Tensor
) -> Tensor:
    r"""
    Difference in where two networks are active, whatever their channels.

    Zagoruyko and Komodakis (2017), activation-based attention: the squares of
    the features $A$ are summed over channels, and the map is a vector of unit
    length,

    $$
    Q = \sum_c A_c^2, \qquad
    \mathcal{L} = \frac{1}{n} \Bigl\lVert \frac{Q_s}{\lVert Q_s \rVert}
      - \frac{Q_t}{\lVert Q_t \rVert} \Bigr\rVert^2 ,
    $$

    with $n$ positions, averaged over the batch. This is the authors' code;
    their paper has the norm without the square. A mean over positions
    of unit vectors is small: the code weighs it by 1,000 against the
    cross-entropy, and adds such terms for several layers.

    * `student_features`, `teacher_features`: floating point,
      (batch, channels, rows, columns), finite; channels may differ, and so
      may rows and columns: maps are then averaged down to the coarser grid

    Returns a scalar, at least float32. Raises `ValueError` for arguments
    outside these bounds.
    """
    check_floats("student_features", student_features)
    check_floats("teacher_features", teacher_features)
    shapes = student_features.shape, teacher_features.shape
    if not len(shapes[0]) == len(shapes[1]) == 4:
        raise ValueError(
            "features must have shape (batch, channels, rows, columns), got "
            f"{tuple(shapes[0])} and {tuple(shapes[1])}"
        )
    _check_rows("features", student_features, teacher_features)
    grid = [min(sizes) for sizes in zip(*shapes, strict=True)][2:]
    return F.mse_loss(
        _attention(student_features, grid),
        _attention(teacher_features.detach(), grid),
    )


def _attention(features: Tensor, grid: list[int]) -> Tensor:
    energy = at_least_float32(features).pow(2).sum(dim=1)  # (b, rows, cols)
    energy = F.adaptive_avg_pool2d(energy, grid)
    return F.normalize(energy.flatten(1), dim=1)  # (batch, positions)


def relational_loss(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    *,
    distance_weight: float = 25.0,
    angle_weight: float = 50.0,
) -> Tensor:
    r"""
    Difference in how the images of a batch lie to one another.

    Park, Kim, Lu and Cho (2019), relational knowledge distillation. Two
    images have a distance, in units of the mean distance $\mu$ of the batch;
    three have an angle, here its cosine at $j$:

    $$
    d_{ij} = \frac{\lVert x_i - x_j \rVert}{\mu}, \qquad
    a_{ijk} = \Bigl\langle
      \frac{x_i - x_j}{\lVert x_i - x_j \rVert},
      \frac{x_k - x_j}{\lVert x_k - x_j \rVert} \Bigr\rangle .
    $$

    With $h$ for Huber's loss, which is $\tfrac12 u^2$ up to $|u| = 1$ and
    $|u| - \tfrac12$ beyond,

    $$
    \mathcal{L} = \frac{w_d}{N^2} \sum_{i,j} h(d^s_{ij} - d^t_{ij})
      + \frac{w_a}{N^3} \sum_{i,j,k} h(a^s_{ijk} - a^t_{ijk}) .
    $$

    As in the authors' code, whose weights these are for, the means run over
    all pairs and triples, though an image and itself add nothing. Where two
    images have one embedding, an angle there counts as 0.

    * `student_embeddings`, `teacher_embeddings`: floating point,
      (batch, width), finite, as many rows in both and at least 3: two points
      have one shape only; widths may differ
    * `distance_weight`, `angle_weight`: $w_d$ and $w_a$, at least 0

    Returns a scalar, at least float32. Memory grows with the cube of the
    batch. Raises `ValueError` for arguments outside these bounds.
    """
    check_weight("distance_weight", distance_weight)
    check_weight("angle_weight", angle_weight)
    check_floats("student_embeddings", student_embeddings)
    check_floats("teacher_embeddings", teacher_embeddings)
    if not student_embeddings.ndim == teacher_embeddings.ndim == 2:
        raise ValueError(
            "embeddings must have shape (batch, width), got "
            f"{tuple(student_embeddings.shape)} and "
            f"{tuple(teacher_embeddings.shape)}"
        )
    _check_rows("embeddings", student_embeddings, teacher_embeddings)
    if len(student_embeddings) < 3:
        raise ValueError(
            f"relations need at least 3 rows, got {len(student_embeddings)}"
        )
    distances, angles = _relations(student_embeddings)
    their_distances, their_angles = _relations(teacher_embeddings.detach())
    by_distance = F.huber_loss(distances, their_distances)
    by_angle = F.huber_loss(angles, their_angles)
    return distance_weight * by_distance + angle_weight * by_angle


def _relations(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    x = at_least_float32(embeddings)
    # From differences, and not from squares and products, which lose all
    # digits where two rows are close.
    steps = x[None] - x[:, None]  # (batch, batch, width): row j to row i
    # The slope of a square root is infinite at 0, that of this norm is 0.
    lengths = torch.linalg.vector_norm(steps, dim=2)  # (batch, batch)
    rows = len(x)
    mean = lengths.sum() / (rows * (rows - 1))
    # Divided by infinity, what has no length has no direction either, and no
    # gradient.
    distances = lengths / mean.masked_fill(mean == 0, math.inf)
    units = steps / lengths.masked_fill(lengths == 0, math.inf)[..., None]
    return distances, units @ units.transpose(1, 2)  # (b, b, b): j, i, k


def _check_rows(name: str, student: Tensor, teacher: Tensor) -> None:
    if len(student) != len(teacher):
        raise ValueError(
            f"student and teacher {name} must be of one batch, got "
            f"{len(student)} and {len(teacher)} rows"
        )
