"""What the architectures have in common that predict the classes of every cell at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from croplayer.segmentation.architectures import pixel_losses
from croplayer.segmentation.architectures.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SegmentationModel,
)


@dataclass(frozen=True)
class DenseOutputs:
    """Log-odds of cropland (batch, 1, rows, columns), in the network's own resolution.

    auxiliary : those of an inner layer, in training alone.
    edges : log-odds of an edge between cropland and other, in training alone.
    """

    logits: Tensor
    auxiliary: Tensor | None = None
    edges: Tensor | None = None


class DenseModel(SegmentationModel):
    """An architecture whose outputs are `DenseOutputs`; its loss is the cross-entropy."""

    auxiliary_weight = 0.4

    def __init__(self) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)

    def cropland_logits(self, outputs: DenseOutputs, size: tuple[int, int]) -> Tensor:
        """See `SegmentationModel.cropland_logits`."""
        return enlarge(outputs.logits, size)

    def chip_losses(
        self,
        outputs: DenseOutputs,
        labels: Tensor,
        valid: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """See `SegmentationModel.chip_losses`: `pixel`, and `auxiliary` where there is one."""
        size = tuple(labels.shape[-2:])
        losses = {"pixel": pixel_losses.cross_entropy(enlarge(outputs.logits, size), labels, valid)}
        if outputs.auxiliary is not None:
            inner = enlarge(outputs.auxiliary, size)
            losses["auxiliary"] = self.auxiliary_weight * pixel_losses.cross_entropy(
                inner, labels, valid
            )
        return losses


def enlarge(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(batch, 1, rows, columns) to float32 (batch, *size), bilinear."""
    return F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False).squeeze(1)


def resized_like(maps: Tensor, like: Tensor) -> Tensor:
    """(batch, channels, ...) in the rows and columns of `like`, bilinear."""
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


def pooled(features: Tensor) -> Tensor:
    """float32 (batch, channels): mean over the cells of (batch, channels, rows, columns)."""
    return features.float().mean(dim=(2, 3))


def all_but(network: nn.Module, *heads: nn.Module) -> list[nn.Parameter]:
    """The parameters of a network that are in none of its `heads`."""
    apart = {id(p) for head in heads for p in head.parameters()}
    return [p for p in network.parameters() if id(p) not in apart]
