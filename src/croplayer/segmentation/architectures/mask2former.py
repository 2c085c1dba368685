"""Mask2Former (Cheng et al. 2022) for cropland, on the implementation of transformers.

The semantic formulation with two classes, cropland and other: a chip has one target mask a class
that it holds. The loss is `croplayer.segmentation.matching`, which knows unlabelled pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from croplayer.segmentation import matching
from croplayer.segmentation.architectures.base import (
    CLASSES,
    CROPLAND,
    IMAGENET_MEAN,
    IMAGENET_STD,
    OTHER,
    SegmentationModel,
)
from croplayer.segmentation.architectures.published import from_transformers, quiet

if TYPE_CHECKING:
    from transformers import Mask2FormerConfig

    from croplayer.settings.architectures import Mask2FormerShape
    from croplayer.settings.segmentation import SegmentationSettings

_TINIEST = 1e-6
_QUERIES_AT_ONCE = 8


@dataclass(frozen=True)
class Mask2FormerOutputs:
    """What the network says of a batch, a list entry a decoder layer (the last one counts).

    class_logits : (batch, queries, 3): other, cropland, no object.
    mask_logits : (batch, queries, rows, columns) in the resolution of the mask features.
    """

    class_logits: list[Tensor]
    mask_logits: list[Tensor]


class Mask2Former(SegmentationModel):
    """Mask2Former with two classes: cropland and everything else."""

    def __init__(
        self,
        network_config: Mask2FormerConfig,
        *,
        finest_stride: int = 4,
        pixel_decoder_norm: str = "group",
        loss_points: int = 12544,
        network: nn.Module | None = None,
    ) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        from transformers import Mask2FormerForUniversalSegmentation

        self.finest_stride = finest_stride
        self.pixel_decoder_norm = pixel_decoder_norm
        self.loss_points = loss_points
        self.pretrained = network is not None
        with quiet():
            self.network = network or Mask2FormerForUniversalSegmentation(network_config)
        if finest_stride == 2:
            # The stem's convolution halves, its pooling halves again: without the pooling the
            # stem's own features are the map of stride 2 that the mask features need.
            self.encoder.embedder.pooler = nn.Identity()
        if pixel_decoder_norm == "batch":
            _normalise_by_batch(self.network.model.pixel_level_module.decoder)

    @property
    def encoder(self) -> nn.Module:
        """The backbone."""
        return self.network.model.pixel_level_module.encoder

    @classmethod
    def from_settings(cls, settings: SegmentationSettings) -> Mask2Former:
        """See `SegmentationModel.from_settings`; DependencyError for weights not to be had."""
        if settings.weights:
            from transformers import Mask2FormerForUniversalSegmentation

            network = from_transformers(
                Mask2FormerForUniversalSegmentation, settings.weights, "Mask2Former"
            )
            return cls(network.config, network=network, loss_points=settings.loss_points)
        shape = settings.network_shape
        return cls(
            network_config(shape),
            finest_stride=shape.finest_stride,
            pixel_decoder_norm=shape.pixel_decoder_norm,
            loss_points=settings.loss_points,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Mask2Former:
        """See `SegmentationModel.from_config`."""
        from transformers import Mask2FormerConfig

        with quiet():
            stored = Mask2FormerConfig.from_dict(dict(config["network"]))
        return cls(
            stored,
            finest_stride=config["finest_stride"],
            pixel_decoder_norm=config["pixel_decoder_norm"],
            loss_points=config["loss_points"],
        )

    def config(self) -> dict[str, Any]:
        """See `SegmentationModel.config`."""
        network = self.network.config.to_dict()
        # Names and versions of where it came from would change the file but not the model.
        for key in ("_name_or_path", "transformers_version", "torch_dtype", "dtype"):
            network.pop(key, None)
        return {
            "network": network,
            "finest_stride": self.finest_stride,
            "pixel_decoder_norm": self.pixel_decoder_norm,
            "loss_points": self.loss_points,
        }

    def encoder_parameters(self) -> list[nn.Parameter]:
        """See `SegmentationModel.encoder_parameters`."""
        return list(self.encoder.parameters()) if self.pretrained else []

    def forward(self, images: Tensor) -> Mask2FormerOutputs:
        """See `SegmentationModel.forward`; rows and columns are multiples of 32."""
        training = self.training
        result = self.network.model(
            pixel_values=self.normalised(images), output_hidden_states=training, return_dict=True
        )
        masks = result.masks_queries_logits
        predict = self.network.class_predictor
        if not training:
            norm = self.network.model.transformer_module.decoder.layernorm
            last = norm(result.transformer_decoder_last_hidden_state)
            return Mask2FormerOutputs([predict(last)], [masks[-1]])
        states = result.transformer_decoder_intermediate_states
        classes = [predict(state.transpose(0, 1)) for state in states]
        return Mask2FormerOutputs(classes, list(masks))

    def cropland_logits(self, outputs: Mask2FormerOutputs, size: tuple[int, int]) -> Tensor:
        """See `SegmentationModel.cropland_logits`.

        S_k = sum over the queries of P(class k) x sigmoid(mask), as in the usual semantic
        post-processing, whose argmax is the sign of the log-odds log S_cropland - log S_other. The
        masks are enlarged a few queries at a time and summed at once: memory does not hold a
        hundred queries in full resolution. (Merged before they are enlarged they would be cheaper
        still, but paths and hedges of one or two pixels between fields came out otherwise.)
        """
        weights = outputs.class_logits[-1].float().softmax(-1)[..., :2]
        scores: Tensor | float = 0.0
        for weight, mask in zip(
            weights.split(_QUERIES_AT_ONCE, dim=1),
            outputs.mask_logits[-1].split(_QUERIES_AT_ONCE, dim=1),
            strict=True,
        ):
            masks = F.interpolate(mask.float(), size=size, mode="bilinear", align_corners=False)
            scores = scores + torch.einsum("bqk,bqhw->bkhw", weight, masks.sigmoid_())
        scores = scores.clamp_min(_TINIEST).log()
        return scores[:, CROPLAND] - scores[:, OTHER]

    def chip_losses(
        self,
        outputs: Mask2FormerOutputs,
        labels: Tensor,
        valid: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """See `SegmentationModel.chip_losses`: class, mask and dice, summed over decoder layers."""
        points = matching.draw_points(
            labels, valid, matching.OVERSAMPLE * self.loss_points, generator
        )
        return matching.losses(
            outputs.class_logits, outputs.mask_logits, points, self.loss_points, len(CLASSES)
        )

    def embedding(self, images: Tensor) -> Tensor:
        """See `SegmentationModel.embedding`: the coarsest features of the backbone."""
        return self.encoder(self.normalised(images)).feature_maps[-1].float().mean(dim=(2, 3))


def network_config(shape: Mask2FormerShape) -> Mask2FormerConfig:
    """The transformers configuration of a model of this shape, two classes, no weights."""
    from transformers import Mask2FormerConfig, ResNetConfig, SwinConfig

    if shape.backbone == "resnet":
        half = shape.finest_stride == 2
        stages = ["stage1", "stage2", "stage3", "stage4"]
        backbone = ResNetConfig(
            layer_type="basic",
            embedding_size=shape.stem_width,
            hidden_sizes=list(shape.widths),
            depths=list(shape.depths),
            downsample_in_first_stage=half,
            out_features=["stem", *stages] if half else stages,
        )
    else:
        half = False
        backbone = SwinConfig(
            embed_dim=shape.widths[0],
            depths=list(shape.depths),
            num_heads=[max(width // 32, 1) for width in shape.widths],
            window_size=shape.window_cells,
            drop_path_rate=0.3 if sum(shape.depths) > 8 else 0.1,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )
    with quiet():
        return Mask2FormerConfig(
            backbone_config=backbone,
            feature_size=shape.feature_width,
            mask_feature_size=shape.feature_width,
            hidden_dim=shape.feature_width,
            encoder_feedforward_dim=shape.feedforward_width,
            dim_feedforward=2 * shape.feedforward_width,
            encoder_layers=shape.pixel_decoder_layers,
            # transformers counts the prediction from the bare queries as a layer.
            decoder_layers=shape.decoder_layers + 1,
            num_attention_heads=shape.attention_heads,
            num_queries=shape.queries,
            common_stride=shape.finest_stride,
            feature_strides=[2, 4, 8, 16, 32] if half else [4, 8, 16, 32],
            num_labels=len(CLASSES),
            id2label=dict(enumerate(CLASSES)),
            label2id={name: index for index, name in enumerate(CLASSES)},
        )


def _normalise_by_batch(decoder: nn.Module) -> None:
    """Replace the group normalisations of a pixel decoder that has no weights yet."""
    for block in decoder.modules():
        if isinstance(block, nn.Sequential):
            for index, layer in enumerate(block):
                if isinstance(layer, nn.GroupNorm):
                    block[index] = nn.BatchNorm2d(layer.num_channels)
