"""PSPNet (Zhao et al. 2017) for cropland, on segmentation-models-pytorch and timm's ResNets.

As published: a ResNet whose late stages are dilated in place of their strides, pyramid pooling into
1, 2, 3 and 6 cells, and an auxiliary loss at the third stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from croplayer.segmentation.architectures.dense import DenseModel, DenseOutputs, pooled
from croplayer.segmentation.architectures.normalisation import suit_few_chips
from croplayer.segmentation.architectures.published import from_timm, load_encoder
from croplayer.settings.architectures import PspNetShape

if TYPE_CHECKING:
    from croplayer.settings.segmentation import SegmentationSettings

# timm's names of plain ResNets; depths and widths are given apart from them.
_BLOCKS = {"basic": "resnet18", "bottleneck": "resnet50"}


class PspNet(DenseModel):
    """PSPNet: dilated ResNet, pyramid pooling."""

    def __init__(self, shape: PspNetShape) -> None:
        super().__init__()
        from segmentation_models_pytorch import PSPNet
        from segmentation_models_pytorch.base import SegmentationHead
        from segmentation_models_pytorch.base.modules import Conv2dReLU

        self.shape = shape
        self.auxiliary_weight = shape.auxiliary_weight
        self.pretrained = False
        self.network = PSPNet(
            encoder_name=f"tu-{_BLOCKS[shape.block]}",
            encoder_weights=None,
            encoder_depth=5,
            psp_out_channels=shape.pyramid_width,
            psp_dropout=shape.dropout,
            upsampling=1,
            layers=shape.depths,
            channels=shape.widths,
            output_stride=max(shape.output_stride, 8),
        )
        if shape.output_stride == 4:
            self.encoder.model.maxpool = nn.Identity()
        third = self.encoder.out_channels[-2]
        self.auxiliary_head = nn.Sequential(
            Conv2dReLU(third, third // 4, kernel_size=3, padding=1, use_norm="batchnorm"),
            SegmentationHead(third // 4, 1, kernel_size=1),
        )
        suit_few_chips(self)

    @property
    def encoder(self) -> nn.Module:
        """The residual network."""
        return self.network.encoder

    @classmethod
    def from_settings(cls, settings: SegmentationSettings) -> PspNet:
        """See `SegmentationModel.from_settings`.

        Raises DependencyError for weights not to be had, InputError for those of another size.
        """
        model = cls(settings.network_shape)
        if settings.weights:
            load_encoder(model.encoder.model, from_timm(settings.weights))
            model.pretrained = True
        return model

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PspNet:
        """See `SegmentationModel.from_config`."""
        return cls(PspNetShape(**config))

    def config(self) -> dict[str, Any]:
        """See `SegmentationModel.config`."""
        return self.shape.model_dump(mode="json")

    def encoder_parameters(self) -> list[nn.Parameter]:
        """See `SegmentationModel.encoder_parameters`."""
        return list(self.encoder.parameters()) if self.pretrained else []

    def forward(self, images: Tensor) -> DenseOutputs:
        """See `SegmentationModel.forward`; any rows and columns from 32 on."""
        features = self.encoder(self.normalised(images))
        logits = self.network.segmentation_head(self.network.decoder(features))
        return DenseOutputs(logits, self.auxiliary_head(features[-2]) if self.training else None)

    def embedding(self, images: Tensor) -> Tensor:
        """See `SegmentationModel.embedding`: the last stage of the residual network."""
        return pooled(self.encoder(self.normalised(images))[-1])
