"""A network that costs next to nothing, so that what a run of the engine takes is the engine's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from croplayer.segmentation.architectures import base
from croplayer.settings.segmentation import SegmentationSettings

NAME = "light"
STRIDE = 8


class LightNetwork(base.SegmentationModel):
    """One convolution whose stride is its edge; it can be run and not be trained."""

    def __init__(self) -> None:
        super().__init__(base.IMAGENET_MEAN, base.IMAGENET_STD)
        self.layer = nn.Conv2d(3, 1, STRIDE, stride=STRIDE)

    @classmethod
    def from_settings(cls, settings: SegmentationSettings) -> LightNetwork:
        return cls()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LightNetwork:
        return cls()

    def config(self) -> dict[str, Any]:
        return {}

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(self.normalised(images))

    def cropland_logits(self, outputs: Tensor, size: tuple[int, int]) -> Tensor:
        return nn.functional.interpolate(outputs, size=size, mode="nearest")[:, 0]

    def chip_losses(
        self, outputs: Any, labels: Tensor, valid: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        raise NotImplementedError

    def embedding(self, images: Tensor) -> Tensor:
        return self.forward(images).mean(dim=(2, 3))


def register() -> None:
    """Make the network known in this process, so that its files can be read."""
    base._ARCHITECTURES[NAME] = f"{__name__}:{LightNetwork.__name__}"
