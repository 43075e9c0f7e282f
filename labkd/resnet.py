r"""
# Residual networks for small images

torchvision's ResNets begin with a 7 x 7 convolution of stride 2 and a
max-pool of stride 2: made for photographs of 224 pixels, they leave a
32-pixel image 8 x 8 positions before the first block has seen it. The
networks here have a 3 x 3 stem of stride 1 and no pool, as He et al. (2015),
section 4.2, use on CIFAR-10. Parameters have the names that they have in
torchvision, so that its weights load wherever the shapes agree.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    r"""
    Two 3 x 3 convolutions, and what came in is added.

    He, Zhang, Ren and Sun (2015), section 3.2, equation 1, figure 2:

    $$
    y = \operatorname{ReLU}\bigl(F(x) + x\bigr) .
    $$

    * `inputs`: channels that come in
    * `channels`: of both convolutions
    * `stride`: of the first one: 2 halves height and width
    * `shortcut`: makes the shape of $x$ that of $F(x)$ where they differ
    """

    expansion = 1

    def __init__(
        self,
        inputs: int,
        channels: int,
        stride: int = 1,
        shortcut: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, channels, stride=stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _convolution(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        r"""Features, (batch, channels, height / stride, width / stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        same = x if self.downsample is None else self.downsample(x)
        return self.relu(out + same)


class Bottleneck(nn.Module):
    r"""
    A 3 x 3 convolution between two of 1 x 1, for the deeper networks.

    He et al. (2015), section 4.1, figure 5. The outer two make a quarter of
    the channels and bring them back, so that the 3 x 3 one is cheap.

    Arguments are those of [`BasicBlock`](#BasicBlock); four times as many
    `channels` leave it.
    """

    expansion = 4

    def __init__(
        self,
        inputs: int,
        channels: int,
        stride: int = 1,
        shortcut: nn.Module | None = None,
    ) -> None:
        super().__init__()
        outputs = channels * self.expansion
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        # The stride is here, as in torchvision; in the paper it is in the
        # first, which then never sees three pixels of four.
        self.conv2 = _convolution(channels, channels, stride=stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        r"""Features, (batch, 4 channels, height / stride, width / stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        same = x if self.downsample is None else self.downsample(x)
        return self.relu(out + same)


LAYOUTS = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    r"""
    A residual network with the stem that small images need.

    He, Zhang, Ren and Sun (2015), section 3.3 and table 1; each block adds
    what it computes to what it was given,

    $$
    x_{l+1} = \operatorname{ReLU}\bigl(x_l + F_l(x_l)\bigr) .
    $$

    * `layout`: `resnet18`, `resnet34` or `resnet50`
    * `num_classes`: at least 1
    * `width`: channels after the stem, at least 1; 64 is the paper's
    * `in_channels`: 3 for colour, 1 for grey

    Raises `ValueError` for a layout that is not listed or a size below 1.
    """

    def __init__(
        self,
        layout: str = "resnet18",
        *,
        num_classes: int = 10,
        width: int = 64,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ValueError(
                f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}"
            )
        if min(num_classes, width, in_channels) < 1:
            raise ValueError(
                "num_classes, width and in_channels must be at least 1, got "
                f"{num_classes}, {width} and {in_channels}"
            )
        block, depths = LAYOUTS[layout]
        # The stem keeps every pixel: stride 1, no pool.
        self.conv1 = nn.Conv2d(
            in_channels, width, kernel_size=3, padding=1, bias=False
        )
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        # Four stages; each but the first halves the image and doubles the
        # channels, so that every stage costs about the same.
        inputs = width
        for stage, depth in enumerate(depths, start=1):
            planes = width * 2 ** (stage - 1)
            layer = _stage(block, inputs, planes, depth, halve=stage > 1)
            self.add_module(f"layer{stage}", layer)
            inputs = planes * block.expansion
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, num_classes)
        _initialise_residual(self)

    def forward(self, images: Tensor) -> Tensor:
        r"""
        Logits for a batch of normalised images.

        * `images`: floating point, shape (batch, channels, height, width)

        Returns logits of shape (batch, classes).
        """
        hidden = self.relu(self.bn1(self.conv1(images)))  # (b, width, h, w)
        hidden = self.layer1(hidden)  # (b, width, h, w)
        hidden = self.layer2(hidden)  # (b, 2 width, h/2, w/2)
        hidden = self.layer3(hidden)  # (b, 4 width, h/4, w/4)
        hidden = self.layer4(hidden)  # (b, 8 width, h/8, w/8)
        pooled = torch.flatten(self.avgpool(hidden), 1)
        return self.fc(pooled)  # (b, classes)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    # 3 x 3, without the bias, which the normalisation behind it would undo.
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def _stage(
    block: type[nn.Module], inputs: int, planes: int, depth: int, halve: bool
) -> nn.Sequential:
    outputs = planes * block.expansion
    stride = 2 if halve else 1
    shortcut = None
    # The shortcut is the identity wherever shapes allow; elsewhere a 1 x 1
    # convolution (He et al., section 3.3, option B).
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            _Shortcut(inputs, outputs, 1, stride=stride, bias=False),
            nn.BatchNorm2d(outputs),
        )
    first = block(inputs, planes, stride, shortcut)
    rest = [block(outputs, planes) for _ in range(depth - 1)]
    return nn.Sequential(first, *rest)


class _Shortcut(nn.Conv2d):
    # A 1 x 1 convolution with a stride, which reads one pixel in stride²,
    # as a choice of pixels and a convolution without one: the same function
    # under the same name. Asked for both at once, oneDNN computes wrong
    # weight gradients on processors with AVX2 and without AVX-512, when
    # there are fewer than 8 channels and they come last in memory (issue
    # 6035 there). Nothing warns of it.
    def forward(self, hidden: Tensor) -> Tensor:
        rows, columns = self.stride
        return F.conv2d(hidden[:, :, ::rows, ::columns], self.weight)


def _initialise_residual(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu"
            )
