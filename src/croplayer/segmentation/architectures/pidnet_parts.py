"""The parts that a PIDNet is built of (Xu et al. 2023, section 3 and figures 4 to 6).

Maps are (batch, channels, rows, columns). "Pre-activated" convolutions come after their own
normalisation and ReLU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from croplayer.segmentation.architectures.dense import resized_like
from croplayer.segmentation.architectures.normalisation import FewChipsBatchNorm2d

# Kernel and stride of the pooling pyramid; the last level is the mean of the whole map.
PYRAMID = ((5, 2), (9, 4), (17, 8))


def conv_norm(channels: int, width: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution, then normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
        FewChipsBatchNorm2d(width),
    )


def pre_activated(channels: int, width: int, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    """Normalisation, ReLU, then convolution."""
    return nn.Sequential(
        FewChipsBatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, width, kernel, 1, kernel // 2, groups=groups, bias=False),
    )


class Residual(nn.Module):
    """A residual block: two 3 x 3 convolutions, or a bottleneck that ends in twice its width.

    `activate` puts a ReLU behind the sum; the last block of a stage has none, because branches are
    fused before it.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        bottleneck: bool = False,
        stride: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.width = 2 * width if bottleneck else width
        if bottleneck:
            self.steps = nn.ModuleList(
                [
                    conv_norm(channels, width),
                    conv_norm(width, width, 3, stride),
                    conv_norm(width, self.width),
                ]
            )
        else:
            self.steps = nn.ModuleList(
                [conv_norm(channels, width, 3, stride), conv_norm(width, width, 3)]
            )
        same = stride == 1 and channels == self.width
        self.shortcut = nn.Identity() if same else conv_norm(channels, self.width, 1, stride)
        self.activate = activate

    def forward(self, maps: Tensor) -> Tensor:
        """Sum of the block's way and the shortcut."""
        way = maps
        for step in self.steps[:-1]:
            way = step(way).relu()
        total = self.steps[-1](way) + self.shortcut(maps)
        return total.relu() if self.activate else total


def stage(
    channels: int, width: int, blocks: int, *, stride: int = 1, bottleneck: bool = False
) -> nn.Sequential:
    """Residual blocks; the first takes the stride, and bottlenecks, as published, stay bare."""
    layers: list[Residual] = []
    for index in range(blocks):
        layers.append(
            Residual(
                layers[-1].width if layers else channels,
                width,
                stride=1 if layers else stride,
                bottleneck=bottleneck,
                activate=not bottleneck and index < blocks - 1,
            )
        )
    return nn.Sequential(*layers)


class Head(nn.Module):
    """A prediction a cell: one 3 x 3 convolution, then one of 1 x 1, both pre-activated."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.hidden = pre_activated(channels, width, 3)
        self.norm = FewChipsBatchNorm2d(width)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (batch, 1, rows, columns)."""
        return self.last(self.norm(self.hidden(maps)).relu())


class PixelAttention(nn.Module):
    """Pag: branch P takes from branch I where the two agree (equations 4 and 5)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.detail = conv_norm(channels, width)
        self.context = conv_norm(channels, width)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        """Fused maps in the resolution of `detail`; `context` may be coarser."""
        match = self.detail(detail) * resized_like(self.context(context), detail)
        share = match.sum(1, keepdim=True).sigmoid()
        return (1 - share) * detail + share * resized_like(context, detail)


class BoundaryFusion(nn.Module):
    """Bag: branch P where branch D sees an edge, branch I inside (equations 6 and 7)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.last = pre_activated(channels, channels, 3)

    def forward(self, detail: Tensor, context: Tensor, edge: Tensor) -> Tensor:
        """Fused maps; all three have one shape."""
        share = edge.sigmoid()
        return self.last(share * detail + (1 - share) * context)


class LightBoundaryFusion(nn.Module):
    """Light Bag: the same choice with two 1 x 1 convolutions in place of one of 3 x 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail = conv_norm(channels, channels)
        self.context = conv_norm(channels, channels)

    def forward(self, detail: Tensor, context: Tensor, edge: Tensor) -> Tensor:
        """Fused maps; all three have one shape."""
        share = edge.sigmoid()
        return self.detail(detail + (1 - share) * context) + self.context(context + share * detail)


class Pyramid(nn.Module):
    """Pooling pyramid: means of growing reach beside the map itself, then a shortcut around all.

    Parallel (PAPPM) every level adds the finest one and a grouped convolution works on all at once;
    serial (DAPPM, Hong et al. 2021) each level adds the one before it.
    """

    def __init__(self, channels: int, width: int, out: int, *, serial: bool) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(kernel, stride, kernel // 2) for kernel, stride in PYRAMID]
        self.pools = nn.ModuleList([*pools, nn.AdaptiveAvgPool2d(1)])
        count = len(self.pools)
        self.finest = pre_activated(channels, width)
        self.levels = nn.ModuleList([pre_activated(channels, width) for _ in range(count)])
        if serial:
            self.process = nn.ModuleList([pre_activated(width, width, 3) for _ in range(count)])
        else:
            self.process = pre_activated(count * width, count * width, 3, groups=count)
        self.serial = serial
        self.merge = pre_activated((count + 1) * width, out)
        self.shortcut = pre_activated(channels, out)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, out, rows, columns)."""
        finest = self.finest(maps)
        coarse = [
            resized_like(level(pool(maps)), maps)
            for pool, level in zip(self.pools, self.levels, strict=True)
        ]
        if self.serial:
            parts = [finest]
            for process, level in zip(self.process, coarse, strict=True):
                parts.append(process(parts[-1] + level))
        else:
            levels = torch.cat([finest + level for level in coarse], dim=1)
            parts = [finest, self.process(levels)]
        return self.merge(torch.cat(parts, dim=1)) + self.shortcut(maps)
