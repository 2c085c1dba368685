"""SegFormer (Xie et al. 2021) for cropland, on the implementation of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from croplayer.segmentation.architectures.dense import DenseModel, DenseOutputs, pooled
from croplayer.segmentation.architectures.normalisation import suit_few_chips
from croplayer.segmentation.architectures.published import from_transformers, quiet

if TYPE_CHECKING:
    from transformers import SegformerConfig

    from croplayer.settings.architectures import SegFormerShape
    from croplayer.settings.segmentation import SegmentationSettings

_ORIGIN_KEYS = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures")


class SegFormer(DenseModel):
    """SegFormer: hierarchical transformer encoder, decoder of linear layers."""

    def __init__(self, network_config: SegformerConfig, *, network: nn.Module | None = None):
        super().__init__()
        from transformers import SegformerForSemanticSegmentation

        self.pretrained = network is not None
        with quiet():
            self.network = network or SegformerForSemanticSegmentation(network_config)
        suit_few_chips(self.network)
        # The log-odds of cropland are all that two classes need.
        old = self.network.decode_head.classifier
        self.network.decode_head.classifier = nn.Conv2d(old.in_channels, 1, 1)

    @property
    def encoder(self) -> nn.Module:
        """The transformer's four stages."""
        return self.network.segformer

    @classmethod
    def from_settings(cls, settings: SegmentationSettings) -> SegFormer:
        """See `SegmentationModel.from_settings`; DependencyError for weights not to be had."""
        if settings.weights:
            from transformers import SegformerForSemanticSegmentation

            network = from_transformers(
                SegformerForSemanticSegmentation, settings.weights, "SegFormer"
            )
            return cls(network.config, network=network)
        return cls(network_config(settings.network_shape))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SegFormer:
        """See `SegmentationModel.from_config`."""
        from transformers import SegformerConfig

        with quiet():
            return cls(SegformerConfig.from_dict(dict(config["network"])))

    def config(self) -> dict[str, Any]:
        """See `SegmentationModel.config`."""
        network = self.network.config.to_dict()
        return {"network": {k: v for k, v in network.items() if k not in _ORIGIN_KEYS}}

    def encoder_parameters(self) -> list[nn.Parameter]:
        """See `SegmentationModel.encoder_parameters`."""
        return list(self.encoder.parameters()) if self.pretrained else []

    def forward(self, images: Tensor) -> DenseOutputs:
        """See `SegmentationModel.forward`; any rows and columns from 32 on."""
        return DenseOutputs(self.network(pixel_values=self.normalised(images)).logits)

    def embedding(self, images: Tensor) -> Tensor:
        """See `SegmentationModel.embedding`: the coarsest features of the encoder."""
        result = self.encoder(pixel_values=self.normalised(images))
        return pooled(result.last_hidden_state)


def network_config(shape: SegFormerShape) -> SegformerConfig:
    """The transformers configuration of a model of this shape, without weights."""
    from transformers import SegformerConfig

    with quiet():
        return SegformerConfig(
            depths=list(shape.depths),
            hidden_sizes=list(shape.widths),
            num_attention_heads=list(shape.attention_heads),
            strides=[shape.finest_stride, 2, 2, 2],
            sr_ratios=[8, 4, 2, 1],
            decoder_hidden_size=shape.decoder_width,
            drop_path_rate=shape.drop_path_rate,
            classifier_dropout_prob=shape.decoder_dropout,
            num_labels=2,
        )
