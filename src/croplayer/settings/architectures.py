"""Sizes of the segmentation networks: one section an architecture, and the named ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cropbase.config import Section

Architecture = Literal["mask2former", "segformer", "pidnet", "pspnet"]


class Mask2FormerShape(Section):
    """The size of a Mask2Former (Cheng et al. 2022) built from configuration."""

    backbone: Literal["resnet", "swin"] = Field(
        "swin", description="kind of the encoder: resnet (basic blocks) or swin"
    )
    depths: tuple[int, int, int, int] = Field(
        (2, 2, 6, 2), description="layers of each of the four encoder stages"
    )
    widths: tuple[int, int, int, int] = Field(
        (96, 192, 384, 768),
        description="channels of each of the four encoder stages; swin doubles from the first one",
    )
    stem_width: int = Field(64, ge=8, description="channels of the stem (resnet only)")
    finest_stride: Literal[2, 4] = Field(
        4,
        description="pixels a cell of the finest feature map, in which masks are predicted; 2 "
        "needs backbone resnet and keeps narrow fields apart in coarse imagery",
    )
    window_cells: int = Field(
        7, ge=2, description="attention window of swin, cells of a feature map"
    )
    pixel_decoder_norm: Literal["group", "batch"] = Field(
        "group",
        description="normalisation in the pixel decoder: group as published; batch is faster on a "
        "CPU, and keeps the mean level of a chip, which 32 groups of few channels would remove",
    )
    feature_width: int = Field(
        256, ge=32, multiple_of=32, description="channels of the pixel decoder and of the queries"
    )
    feedforward_width: int = Field(
        1024, ge=32, description="hidden width of the feed-forward layers"
    )
    attention_heads: int = Field(8, ge=1, description="attention heads; must divide feature_width")
    pixel_decoder_layers: int = Field(
        6,
        ge=1,
        le=12,
        description="layers of multi-scale deformable attention in the pixel decoder",
    )
    decoder_layers: int = Field(
        9, ge=1, le=18, description="layers of the transformer decoder (masked attention)"
    )
    queries: int = Field(100, ge=2, le=400, description="queries; each proposes one mask")

    @model_validator(mode="after")
    def _consistent(self) -> Mask2FormerShape:
        if self.feature_width % self.attention_heads:
            raise ValueError(
                f"attention_heads = {self.attention_heads} must divide "
                f"feature_width = {self.feature_width}"
            )
        if self.finest_stride == 2 and self.backbone != "resnet":
            raise ValueError("finest_stride 2 is only there for backbone resnet")
        if self.backbone == "swin":
            first = self.widths[0]
            if self.widths != (first, 2 * first, 4 * first, 8 * first):
                raise ValueError(
                    f"widths of swin double from stage to stage: {first}, {2 * first}, "
                    f"{4 * first}, {8 * first} would be right"
                )
        return self


class SegFormerShape(Section):
    """The size of a SegFormer (Xie et al. 2021) built from configuration."""

    depths: tuple[int, int, int, int] = Field(
        (3, 4, 6, 3), description="layers of each of the four encoder stages"
    )
    widths: tuple[int, int, int, int] = Field(
        (64, 128, 320, 512), description="channels of each of the four encoder stages"
    )
    attention_heads: tuple[int, int, int, int] = Field(
        (1, 2, 5, 8), description="attention heads of each stage; must divide its width"
    )
    finest_stride: Literal[2, 4] = Field(
        4, description="pixels a cell of the first stage, in which logits are predicted"
    )
    decoder_width: int = Field(768, ge=16, description="channels of the decoder")
    drop_path_rate: float = Field(
        0.1, ge=0, lt=1, description="share of the encoder's branches left out in training"
    )
    decoder_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of the decoder's values left out in training"
    )

    @model_validator(mode="after")
    def _consistent(self) -> SegFormerShape:
        for width, heads in zip(self.widths, self.attention_heads, strict=True):
            if width % heads:
                raise ValueError(f"attention_heads = {heads} must divide width = {width}")
        return self


class PidNetShape(Section):
    """The size of a PIDNet (Xu et al. 2023) built from configuration."""

    width: int = Field(32, ge=8, description="channels of the stem; the stages have multiples")
    branch_blocks: int = Field(
        2,
        ge=1,
        le=6,
        description="residual blocks of the first two stages and of the stages of branch P",
    )
    integral_blocks: int = Field(
        3, ge=1, le=8, description="residual blocks of stages 3 and 4 of branch I"
    )
    heavy: bool = Field(
        False,
        description="the large variant's aggregation: serial pyramid pooling (DAPPM), full Bag, "
        "wider branch D; else the parallel and light ones (PAPPM, light Bag)",
    )
    pyramid_width: int = Field(96, ge=8, description="channels of a branch of the pyramid pooling")
    head_width: int = Field(128, ge=8, description="hidden channels of the heads")
    finest_stride: Literal[2, 4, 8] = Field(
        8, description="pixels a cell of branches P and D, in which logits are predicted"
    )


class PspNetShape(Section):
    """The size of a PSPNet (Zhao et al. 2017) built from configuration."""

    block: Literal["basic", "bottleneck"] = Field(
        "bottleneck", description="residual blocks of the ResNet: bottleneck from ResNet-50 on"
    )
    depths: tuple[int, int, int, int] = Field(
        (3, 4, 6, 3), description="blocks of each of the four encoder stages"
    )
    widths: tuple[int, int, int, int] = Field(
        (64, 128, 256, 512),
        description="channels of each of the four encoder stages; a bottleneck gives four times "
        "as many",
    )
    output_stride: Literal[4, 8, 16, 32] = Field(
        8,
        description="pixels a cell of the last stage, in which logits are predicted: later stages "
        "are dilated in place of their strides; 4 also leaves the stem's pooling out",
    )
    pyramid_width: int = Field(512, ge=16, description="channels after the pyramid pooling")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels left out in training")
    auxiliary_weight: float = Field(
        0.4, ge=0, le=1, description="weight of the auxiliary loss at the third stage"
    )


Shape = Mask2FormerShape | SegFormerShape | PidNetShape | PspNetShape

SHAPES: dict[str, type[Shape]] = {
    "mask2former": Mask2FormerShape,
    "segformer": SegFormerShape,
    "pidnet": PidNetShape,
    "pspnet": PspNetShape,
}
"""Architecture -> the section that describes its size."""


def shape_of_architecture(value: object, architecture: str | None) -> object:
    """Check a `shape` key against the architecture beside it, so that errors name its own keys."""
    if value is None or architecture not in SHAPES:
        return value
    if isinstance(value, Section) and not isinstance(value, SHAPES[architecture]):
        raise ValueError(
            f"a {type(value).__name__} is no size of {architecture}: "
            f"give a {SHAPES[architecture].__name__}"
        )
    return SHAPES[architecture].model_validate(value)
