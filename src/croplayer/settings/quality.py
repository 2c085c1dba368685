"""Settings of the image quality stage: the coverage-type network and its training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cropbase.config import Section


class QualitySettings(Section):
    """How the coverage type of a block is learned and told."""

    architecture: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = Field(
        "resnet50", description="torchvision ResNet that tells the coverage type"
    )
    weights: str = Field(
        "DEFAULT",
        min_length=1,
        description="weights that training starts from: a torchvision name (`IMAGENET1K_V1`, "
        "`IMAGENET1K_V2`, `DEFAULT`: the newest), a file (.pth, .pt or .safetensors), or `none`",
    )
    width: int = Field(
        64,
        ge=8,
        le=64,
        multiple_of=8,
        description="channels of the network's first stage; 64 is the published ResNet, 16 a small "
        "one for a CPU (then without published weights)",
    )
    image_pixels: int = Field(
        448, ge=32, le=4096, description="edge to which the image of a block is reduced, pixels"
    )
    input_pixels: int = Field(
        224, ge=32, le=1024, description="edge of one view that the network sees, pixels"
    )
    min_crop_share: float = Field(
        0.5,
        gt=0.1,
        le=1,
        description="edge of the smallest view as a share of the block's edge: training crops lie "
        "between it and the whole block; prediction averages the whole block and, below 1, four "
        "corner views of at least half an edge",
    )
    crops_per_image: int = Field(
        4, ge=1, le=64, description="random crops of each labelled image in an epoch"
    )
    colour_jitter: float = Field(
        0.1, ge=0, lt=1, description="random change of brightness and contrast, share (0: none)"
    )
    held_out_share: float = Field(
        0.2,
        gt=0,
        lt=0.9,
        description="share of the labelled blocks kept from training, for testing",
    )
    class_balance: Literal["sampler", "weights", "none"] = Field(
        "sampler",
        description="against class imbalance: `sampler` draws every class equally often, `weights` "
        "weighs the loss by inverse frequency, `none`",
    )
    epochs: int = Field(30, ge=1, le=1000, description="passes over the labelled images at most")
    patience_epochs: int = Field(
        6, ge=1, description="stop when the training loss has not fallen by 1 % for so many epochs"
    )
    batch_size: int = Field(32, ge=2, le=1024, description="views in a training step")
    learning_rate: float = Field(
        3e-4, gt=0, le=1, description="highest learning rate of AdamW (warm-up, then cosine)"
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="weight decay of AdamW")
    label_smoothing: float = Field(0.05, ge=0, lt=0.5, description="label smoothing of the loss")
    nodata_below: float = Field(
        0.05,
        ge=0,
        le=1,
        description="a block with a smaller share of valid pixels is `nodata` without asking the "
        "network",
    )
    seed: int = Field(0, ge=0, description="seed of the split, the crops and the first weights")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where the network runs; `auto` takes a GPU if there is one"
    )

    @model_validator(mode="after")
    def _consistent(self) -> QualitySettings:
        if self.width != 64 and self.weights != "none" and not self.weights_are_a_file:
            raise ValueError(
                "published weights need width 64: set weights to 'none' or width to 64"
            )
        if self.image_pixels < self.input_pixels:
            raise ValueError("image_pixels must be at least input_pixels")
        return self

    @property
    def weights_are_a_file(self) -> bool:
        """True if `weights` names a file and not a published set."""
        return self.weights.endswith((".pth", ".pt", ".safetensors"))
