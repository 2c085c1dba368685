"""PIDNet (Xu et al. 2023) for cropland, written from its paper.

Three branches leave a common stem: P keeps the detail, I gathers context down to a 64th of the
resolution, D looks for edges. P takes from I by pixel attention, and in the end the edges that D
sees decide between P and I in every cell. In training the middle of P is supervised too, and D by
edges drawn from the labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from croplayer.segmentation.architectures import pixel_losses
from croplayer.segmentation.architectures.dense import (
    DenseModel,
    DenseOutputs,
    all_but,
    enlarge,
    pooled,
    resized_like,
)
from croplayer.segmentation.architectures.normalisation import FewChipsBatchNorm2d
from croplayer.segmentation.architectures.pidnet_parts import (
    BoundaryFusion,
    Head,
    LightBoundaryFusion,
    PixelAttention,
    Pyramid,
    Residual,
    conv_norm,
    stage,
)
from croplayer.segmentation.architectures.pidnet_weights import own_weights
from croplayer.segmentation.architectures.published import KEY, load_encoder
from croplayer.settings.architectures import PidNetShape
from croplayer.weights import read_weights

if TYPE_CHECKING:
    from croplayer.settings.segmentation import SegmentationSettings

# Section 3.4 of the paper: weights of the losses, and where an edge is sure.
AUXILIARY_WEIGHT, EDGE_WEIGHT = 0.4, 20.0
SURE_EDGE = 0.8
# Hard pixels: those whose label has a lower probability, and at least this share of a chip.
SURE, LEAST_HARD = 0.9, 1 / 16
EDGE_REACH_PIXELS = 2
_MAY_START_AFRESH = (
    "mean",
    "std",
    "detail.",
    "squeeze.",
    "attend.",
    "edges.",
    "differ.",
    "pyramid.",
    "fuse.",
    "head.",
    "auxiliary_head.",
    "edge_head.",
)


class PidNet(DenseModel):
    """PIDNet: three branches for detail (P), context (I) and edges (D)."""

    auxiliary_weight = AUXILIARY_WEIGHT

    def __init__(self, shape: PidNetShape) -> None:
        super().__init__()
        self.shape = shape
        self.pretrained = False
        self._build_context()
        self._build_detail()
        self._build_edges()
        width = shape.width
        self.pyramid = Pyramid(16 * width, shape.pyramid_width, 4 * width, serial=shape.heavy)
        self.fuse = (BoundaryFusion if shape.heavy else LightBoundaryFusion)(4 * width)
        self.head = Head(4 * width, shape.head_width)
        self.auxiliary_head = Head(2 * width, shape.head_width)
        self.edge_head = Head(2 * width, width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _build_context(self) -> None:
        """Stem and branch I, in strides 8, 16, 32 and 64 where the finest stride is 8."""
        shape, width = self.shape, self.shape.width
        first, second = {8: (2, 2), 4: (2, 1), 2: (1, 1)}[shape.finest_stride]
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, first, 1),
            FewChipsBatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, second, 1),
            FewChipsBatchNorm2d(width),
            nn.ReLU(),
        )
        self.context = nn.ModuleList(
            [
                stage(width, width, shape.branch_blocks),
                stage(width, 2 * width, shape.branch_blocks, stride=2),
                stage(2 * width, 4 * width, shape.integral_blocks, stride=2),
                stage(4 * width, 8 * width, shape.integral_blocks, stride=2),
                stage(8 * width, 8 * width, 2, stride=2, bottleneck=True),
            ]
        )

    def _build_detail(self) -> None:
        """Branch P, which stays in the finest stride, and its attention to branch I."""
        width, blocks = self.shape.width, self.shape.branch_blocks
        self.detail = nn.ModuleList(
            [
                stage(2 * width, 2 * width, blocks),
                stage(2 * width, 2 * width, blocks),
                Residual(2 * width, 2 * width, bottleneck=True, activate=False),
            ]
        )
        self.squeeze = nn.ModuleList(
            [conv_norm(4 * width, 2 * width), conv_norm(8 * width, 2 * width)]
        )
        self.attend = nn.ModuleList([PixelAttention(2 * width, width) for _ in range(2)])

    def _build_edges(self) -> None:
        """Branch D, which stays in the finest stride, and what it takes from branch I."""
        width, heavy = self.shape.width, self.shape.heavy
        third = 2 * width if heavy else width
        fourth = (
            Residual(third, 2 * width, activate=False)
            if heavy
            else Residual(third, width, bottleneck=True, activate=False)
        )
        self.edges = nn.ModuleList(
            [
                Residual(2 * width, third, activate=False),
                fourth,
                Residual(2 * width, 2 * width, bottleneck=True, activate=False),
            ]
        )
        self.differ = nn.ModuleList(
            [conv_norm(4 * width, third, 3), conv_norm(8 * width, 2 * width, 3)]
        )

    @classmethod
    def from_settings(cls, settings: SegmentationSettings) -> PidNet:
        """See `SegmentationModel.from_settings`; InputError for weights that do not fit."""
        model = cls(settings.network_shape)
        if settings.weights:
            state = read_weights(Path(settings.weights).expanduser(), KEY)
            # A network pretrained on pictures lacks some parts and has a classifier of its own.
            load_encoder(model, own_weights(state), optional=_MAY_START_AFRESH)
            model.pretrained = True
        return model

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PidNet:
        """See `SegmentationModel.from_config`."""
        return cls(PidNetShape(**config))

    def config(self) -> dict[str, Any]:
        """See `SegmentationModel.config`."""
        return self.shape.model_dump(mode="json")

    def encoder_parameters(self) -> list[nn.Parameter]:
        """See `SegmentationModel.encoder_parameters`: all but the heads."""
        if not self.pretrained:
            return []
        return all_but(self, self.head, self.auxiliary_head, self.edge_head)

    def forward(self, images: Tensor) -> DenseOutputs:
        """See `SegmentationModel.forward`; any rows and columns."""
        maps = self.context[0](self.stem(self.normalised(images)))
        maps = self.context[1](maps.relu()).relu()
        detail, edge = self.detail[0](maps), self.edges[0](maps)
        maps = self.context[2](maps).relu()
        detail = self.attend[0](detail, self.squeeze[0](maps))
        edge = edge + resized_like(self.differ[0](maps), edge)
        middle = detail
        maps = self.context[3](maps).relu()
        detail = self.attend[1](self.detail[1](detail.relu()), self.squeeze[1](maps))
        edge = self.edges[1](edge.relu())
        edge = edge + resized_like(self.differ[1](maps), edge)
        seen = edge
        detail, edge = self.detail[2](detail.relu()), self.edges[2](edge.relu())
        context = resized_like(self.pyramid(self.context[4](maps)), detail)
        logits = self.head(self.fuse(detail, context, edge))
        if not self.training:
            return DenseOutputs(logits)
        return DenseOutputs(logits, self.auxiliary_head(middle), self.edge_head(seen))

    def chip_losses(
        self,
        outputs: DenseOutputs,
        labels: Tensor,
        valid: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """See `SegmentationModel.chip_losses`: the four losses of equation 8.

        `auxiliary` (cross-entropy in the middle of P), `edge` (balanced cross-entropy of D),
        `pixel` (cross-entropy over the hard pixels) and `boundary` (cross-entropy where D is sure
        of an edge).
        """
        size = tuple(labels.shape[-2:])
        logits, seen = enlarge(outputs.logits, size), enlarge(outputs.edges, size)
        inner = enlarge(outputs.auxiliary, size)
        edges = pixel_losses.edges_of(labels, valid, EDGE_REACH_PIXELS)
        sure = valid & (seen.detach().sigmoid() > SURE_EDGE)
        return {
            "pixel": pixel_losses.hard_cross_entropy(logits, labels, valid, SURE, LEAST_HARD),
            "auxiliary": self.auxiliary_weight * pixel_losses.cross_entropy(inner, labels, valid),
            "edge": EDGE_WEIGHT * pixel_losses.balanced_edge_loss(seen, edges, valid),
            "boundary": pixel_losses.cross_entropy(logits, labels, sure),
        }

    def embedding(self, images: Tensor) -> Tensor:
        """See `SegmentationModel.embedding`: the coarsest maps of branch I."""
        maps = self.context[0](self.stem(self.normalised(images))).relu()
        for part in self.context[1:4]:
            maps = part(maps).relu()
        return pooled(self.context[4](maps))
