"""Settings of the cropland segmentation: model, training and inference."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from cropbase.config import Section
from croplayer.settings.architectures import Architecture, Shape, shape_of_architecture
from croplayer.settings.presets import PRESETS, Preset, check_preset


class ModelChoice(Section):
    """Which network, of which size, and what it starts from."""

    architecture: Architecture = Field("mask2former", description="segmentation architecture")
    preset: Preset = Field(
        "base",
        description="size of a model built from configuration: tiny trains from nothing in minutes "
        "on a CPU; base and large are published sizes (Swin-T and Swin-L; MiT-B2 and MiT-B5; "
        "PIDNet-M and PIDNet-L; ResNet-50 and ResNet-101), and so are the architecture's own "
        "names. Not used where `shape` is given, or `weights` that bring their size",
    )
    shape: Shape | None = Field(
        None, description="an explicit size of the architecture, instead of `preset`"
    )
    weights: str | None = Field(
        None,
        description="published weights to start from. mask2former, segformer: a Hugging Face name "
        "such as facebook/mask2former-swin-tiny-ade-semantic or nvidia/mit-b2, or a local folder; "
        "they bring their size. pspnet: a timm name such as resnet50.a1_in1k, or a file or folder "
        "of such weights; pidnet: a file of the authors' weights; both go with the preset of that "
        "size. null builds from nothing",
    )

    @field_validator("shape", mode="before")
    @classmethod
    def _own_shape(cls, value: object, info: ValidationInfo) -> object:
        return shape_of_architecture(value, info.data.get("architecture"))

    @model_validator(mode="after")
    def _known_preset(self) -> ModelChoice:
        check_preset(self.architecture, self.preset)
        return self

    @property
    def network_shape(self) -> Shape:
        """The size of a network built from these settings: `shape`, or that of `preset`."""
        return self.shape or PRESETS[self.architecture][self.preset]


class Augmentation(Section):
    """Random changes of the training chips. Every one is off at 0 (or at scale 1)."""

    d4: bool = Field(True, description="quarter turns and mirror images (aerial images have no up)")
    scale_min: float = Field(0.75, gt=0.2, le=1.0, description="smallest zoom factor")
    scale_max: float = Field(1.33, ge=1.0, lt=5.0, description="largest zoom factor")
    brightness: float = Field(0.2, ge=0, lt=1, description="largest relative change of brightness")
    contrast: float = Field(0.2, ge=0, lt=1, description="largest relative change of contrast")
    saturation: float = Field(
        0.3, ge=0, le=1, description="largest relative change of saturation (season)"
    )
    colour: float = Field(
        0.08, ge=0, lt=0.5, description="largest relative gain of a single band (sensor, season)"
    )
    haze: float = Field(
        0.3, ge=0, lt=1, description="largest share of a bright veil mixed into the chip"
    )
    noise: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        description="largest standard deviation of pixel noise, share of full scale",
    )


class SegmentationSettings(ModelChoice):
    """Which network tells cropland, how it is trained, how it is run over a province.

    The defaults are those of a real province in zoom 16 on one GPU.
    """

    pretrained_model: Path | None = Field(
        None,
        description="folder of a model trained for another province, to train on from; to take it "
        "unchanged name the province in `models.segmentation`",
    )

    chip_pixels: int = Field(
        512, ge=64, le=2048, multiple_of=32, description="edge of a chip in training"
    )
    inference_chip_pixels: int | None = Field(
        None,
        ge=64,
        le=4096,
        multiple_of=32,
        description="edge of a chip in inference, which may be larger: more surroundings, fewer "
        "seams; the mosaic's halo must reach as far; null takes chip_pixels",
    )
    overlap_pixels: int | None = Field(
        None,
        ge=0,
        description="overlap of neighbouring chips in inference, blended; at most half a chip; "
        "null takes a quarter of a chip",
    )
    threshold: float = Field(
        0.5, gt=0, lt=1, description="cropland where the probability reaches this"
    )

    batch_size: int = Field(
        8, ge=1, description="chips a training step, of all devices together; they must divide it"
    )
    pass_chips: int | None = Field(
        None,
        ge=1,
        description="chips of a training step that pass the network together; the gradients of a "
        "step's passes add up; null takes all of them on a GPU, and 4 on a CPU, where the passes "
        "run side by side on the threads",
    )
    inference_batch_size: int | None = Field(
        None,
        ge=1,
        description="chips a forward pass in inference; null takes 32 on a GPU, and on a CPU as "
        "many as its caches hold",
    )
    acceleration: Literal["auto", "none", "cuda_graphs", "compile"] = Field(
        "auto",
        description="how a GPU runs the network in inference: kernel after kernel (none), as a "
        "captured CUDA graph, or compiled by torch.compile (the first shard of a job waits "
        "minutes); auto captures a graph where the network allows it. Without effect on a CPU",
    )
    max_steps: int = Field(20000, ge=1, description="training steps at most")
    epochs: float | None = Field(
        None,
        gt=0,
        description="passes over the labelled area (chips drawn x chip area / labelled pixels); "
        "the smaller of this and max_steps ends the training; null leaves max_steps alone",
    )
    learning_rate: float = Field(1e-4, gt=0, le=0.1, description="peak learning rate of AdamW")
    encoder_learning_rate_factor: float = Field(
        0.1,
        gt=0,
        le=1,
        description="learning rate of a pretrained encoder relative to the rest; an encoder built "
        "from nothing learns at the full rate",
    )
    weight_decay: float = Field(0.05, ge=0, lt=1, description="decoupled weight decay of AdamW")
    warmup_steps: int = Field(500, ge=0, description="steps of linear warm-up")
    schedule: Literal["cosine", "polynomial", "constant"] = Field(
        "polynomial",
        description="course of the learning rate after the warm-up, down to 1 % of the peak",
    )
    gradient_clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    cropland_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the chips centred on cropland; the others on something else",
    )
    negative_share: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="share of the chips drawn from extents without any cropland, which teach what "
        "only looks like it; null draws them as often as their area asks for; without effect "
        "where there are none",
    )
    loss_points: int = Field(
        12544, ge=64, description="valid pixels of a chip in which the mask loss is taken"
    )
    ema_decay: float | None = Field(
        0.999, gt=0, lt=1, description="exponential moving average of the weights; null for none"
    )
    validate_every_steps: int = Field(
        500,
        ge=1,
        description="steps between two validations (and between two resumable checkpoints)",
    )
    early_stopping_patience: int | None = Field(
        10,
        ge=1,
        description="validations without a better IoU before training stops; null for never",
    )
    augmentation: Augmentation = Field(
        default_factory=Augmentation, description="random changes of the training chips"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="auto runs the network in bf16 where the hardware computes in it (GPU, CPU "
        "with avx512_bf16 or amx); matcher, loss and weights stay in fp32",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the network runs")
    devices: int = Field(
        1,
        ge=1,
        description="GPUs (or processes on a CPU) that train together, each on its part of a "
        "batch; inference takes one device a shard, and the workflow runs shards side by side",
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads; null takes those of the machine"
    )
    loader_threads: int = Field(
        4,
        ge=0,
        le=64,
        description="threads that prepare training chips, or read imagery, ahead of a GPU; on a "
        "CPU one at most reads ahead; 0 for none",
    )
    tensorboard: bool = Field(
        False,
        description="also write TensorBoard event files beside the checkpoint; needs the package "
        "tensorboard",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of weights, chips and augmentation")

    @model_validator(mode="after")
    def _consistent(self) -> SegmentationSettings:
        if self.overlap > self.inference_chip // 2:
            raise ValueError(
                f"overlap_pixels = {self.overlap_pixels} is more than half of a chip of "
                f"{self.inference_chip} pixels"
            )
        if self.batch_size % self.devices:
            raise ValueError(
                f"batch_size = {self.batch_size} cannot be shared out evenly among devices = "
                f"{self.devices}"
            )
        if self.weights and self.pretrained_model:
            raise ValueError("give weights or pretrained_model, not both")
        return self

    @property
    def inference_chip(self) -> int:
        """Edge of a chip in inference, pixels."""
        return self.inference_chip_pixels or self.chip_pixels

    @property
    def overlap(self) -> int:
        """Overlap of neighbouring chips in inference, pixels."""
        if self.overlap_pixels is None:
            return self.inference_chip // 4
        return self.overlap_pixels

    @property
    def stride_pixels(self) -> int:
        """Distance of neighbouring chips in inference, pixels."""
        return self.inference_chip - self.overlap
