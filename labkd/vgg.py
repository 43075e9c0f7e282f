r"""
# Plain convolutional networks

Simonyan and Zisserman (2015) built networks out of one kind of layer, the
3 x 3 convolution, in blocks that end with a max-pool. The two networks here
are the large and the small CNN of labml's annotated tutorial on Hinton's
distillation: blocks of the same kind, normalised after each convolution, and
33 times as many parameters in one as in the other.

Five pools of stride 2 leave one position of a 32-pixel image; smaller images
have to be enlarged first.
"""

import torch
from torch import Tensor, nn

# Channels of the convolutions, a row a block.
LARGE = (
    (64, 64),
    (128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (512, 512, 512),
)
SMALL = ((32, 32), (64, 64), (128,), (128,), (128,))
SIDE = 32


class PlainCNN(nn.Module):
    r"""
    Blocks of 3 x 3 convolutions, each block half the side of the last.

    Simonyan and Zisserman (2015), section 2.1, with the batch normalisation
    of Ioffe and Szegedy (2015), section 3, after every convolution, and one
    linear layer in place of three.

    * `blocks`: channels of the convolutions, a row a block, five rows
    * `num_classes`, `in_channels`: at least 1
    * `dropout`: in 0 .. 1, the share of its input that every convolution
      loses in training
    * `running_statistics`: keep the means and variances of training for
      evaluation; without them, as in labml's code, a prediction depends on
      the other images of its batch

    Raises `ValueError` for numbers outside these bounds.
    """

    def __init__(
        self,
        blocks: tuple[tuple[int, ...], ...],
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        dropout: float = 0.0,
        running_statistics: bool = True,
    ) -> None:
        super().__init__()
        if min(num_classes, in_channels) < 1 or not 0 <= dropout <= 1:
            raise ValueError(
                "num_classes and in_channels must be at least 1 and dropout "
                f"in 0 .. 1, got {num_classes}, {in_channels} and {dropout}"
            )
        if len(blocks) != 5:
            raise ValueError(f"blocks must have 5 rows, got {len(blocks)}")
        layers: list[nn.Module] = []
        before = in_channels
        for block in blocks:
            for channels in block:
                layers += [
                    nn.Dropout(dropout),
                    nn.Conv2d(before, channels, 3, padding=1),
                    nn.BatchNorm2d(
                        channels, track_running_stats=running_statistics
                    ),
                    nn.ReLU(inplace=True),
                ]
                before = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(before, num_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        r"""
        Logits, (batch, classes), of pixels, (batch, channels, 32, 32).

        Raises `ValueError` for images of another size.
        """
        if pixels.shape[-2:] != (SIDE, SIDE):
            raise ValueError(
                f"images must be {SIDE} x {SIDE}, got "
                f"{pixels.shape[-2]} x {pixels.shape[-1]}"
            )
        maps = self.features(pixels)  # (batch, channels, 1, 1)
        return self.head(torch.flatten(maps, 1))


def large_cnn(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    dropout: float = 0.1,
    running_statistics: bool = True,
) -> PlainCNN:
    r"""
    The teacher of labml's tutorial: 14,728,266 parameters.

    Arguments and errors are those of [`PlainCNN`](#PlainCNN).
    """
    return PlainCNN(
        LARGE,
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        running_statistics=running_statistics,
    )


def small_cnn(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    running_statistics: bool = True,
) -> PlainCNN:
    r"""
    The student of labml's tutorial: 437,034 parameters, no dropout.

    Arguments and errors are those of [`PlainCNN`](#PlainCNN).
    """
    return PlainCNN(
        SMALL,
        num_classes=num_classes,
        in_channels=in_channels,
        running_statistics=running_statistics,
    )
