"""The interface of a segmentation architecture, and the registry of those that exist.

Training loop, inference engine and storage know architectures through this interface alone. A new
one is a module with one subclass of `SegmentationModel`, and one line in `_ARCHITECTURES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cropbase.errors import InputError

if TYPE_CHECKING:
    from croplayer.settings.segmentation import SegmentationSettings

OTHER, CROPLAND = 0, 1
CLASSES = ("other", "cropland")

# What published weights were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_PACKAGE = "croplayer.segmentation.architectures"
_ARCHITECTURES = {
    "mask2former": f"{_PACKAGE}.mask2former:Mask2Former",
    "segformer": f"{_PACKAGE}.segformer:SegFormer",
    "pidnet": f"{_PACKAGE}.pidnet:PidNet",
    "pspnet": f"{_PACKAGE}.pspnet:PspNet",
}


class SegmentationModel(nn.Module, ABC):
    """A network that tells cropland from everything else, pixel by pixel.

    Images are float32 (batch, 3, rows, columns), red, green, blue in 0-1; the model normalises
    them itself with its buffers `mean` and `std` (3,). Pixels without imagery hold `mean`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def normalised(self, images: Tensor) -> Tensor:
        """Images less `mean`, in units of `std`: what the network itself takes."""
        return (images - self.mean[:, None, None]) / self.std[:, None, None]

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: SegmentationSettings) -> SegmentationModel:
        """A new model, random or from published weights, as the settings say."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> SegmentationModel:
        """The model that `config` describes, without weights; needs no network."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Everything `from_config` needs, as plain JSON values."""

    @abstractmethod
    def forward(self, images: Tensor) -> Any:
        """Outputs of the architecture's own kind, for `cropland_logits` and `chip_losses`."""

    @abstractmethod
    def cropland_logits(self, outputs: Any, size: tuple[int, int]) -> Tensor:
        """Log-odds of cropland, float32 (batch, rows, columns) = `size`."""

    @abstractmethod
    def chip_losses(
        self, outputs: Any, labels: Tensor, valid: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The weighted parts of the training loss of each chip, fp32; the loss is their sum.

        Parameters
        ----------
        outputs : what `forward` gave.
        labels : int64 (batch, rows, columns), 0 other, 1 cropland; meaningless where not `valid`.
        valid : bool (batch, rows, columns); pixels that may enter the loss.
        generator : source of randomness, on the device of the outputs.

        Returns
        -------
        name -> float32 (batch,); 0 for a chip without a valid pixel.
        """

    @abstractmethod
    def embedding(self, images: Tensor) -> Tensor:
        """Encoder features of each chip averaged over it, float32 (batch, channels)."""

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that came with published weights and learn at a lower rate; may be empty."""
        return []

    def parameter_groups(
        self, learning_rate: float, weight_decay: float, encoder_factor: float
    ) -> list[dict[str, Any]]:
        """Groups for AdamW: the encoder slower, no decay of norms, biases and embeddings."""
        encoder = {id(p) for p in self.encoder_parameters()}
        plain = {
            id(p)
            for module in self.modules()
            if isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.BatchNorm2d | nn.Embedding)
            for p in module.parameters(recurse=False)
        }
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad:
                decays = parameter.ndim > 1 and id(parameter) not in plain
                groups.setdefault((id(parameter) in encoder, decays), []).append(parameter)
        return [
            {
                "params": members,
                "lr": learning_rate * (encoder_factor if in_encoder else 1.0),
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (in_encoder, decays), members in sorted(groups.items(), key=lambda item: item[0])
        ]


def _architecture(name: str) -> type[SegmentationModel]:
    if name not in _ARCHITECTURES:
        raise InputError(
            f"segmentation architecture {name!r} is unknown",
            allowed=", ".join(sorted(_ARCHITECTURES)),
        )
    module, _, attribute = _ARCHITECTURES[name].partition(":")
    return getattr(import_module(module), attribute)


def build_model(settings: SegmentationSettings) -> SegmentationModel:
    """The model that the settings ask for; random weights follow torch's global seed.

    Raises DependencyError if published weights are asked for and cannot be had.
    """
    return _architecture(settings.architecture).from_settings(settings)


def rebuild_model(architecture: str, config: dict[str, Any]) -> SegmentationModel:
    """The model of a stored `config`, to load stored weights into."""
    return _architecture(architecture).from_config(config)
