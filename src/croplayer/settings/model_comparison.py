"""Key `model_comparison`: segmentation models side by side (Table 6 of the paper)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cropbase.config import Section
from croplayer.settings.segmentation import ModelChoice, SegmentationSettings

BASELINE = "pixel_baseline"
NAME = r"[a-z][a-z0-9_]*"

ModelName = Annotated[str, Field(pattern=f"^{NAME}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class PixelBaselineSettings(Section):
    """The pixel classifier that a network must beat: XGBoost on colour and texture."""

    reaches_pixels: tuple[float, ...] = Field(
        (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
        min_length=1,
        description="sizes of the surroundings that are described: standard deviations of "
        "Gaussians, pixels",
    )
    pixels_per_extent: int = Field(
        6000, ge=10, description="labelled pixels drawn of each training extent"
    )
    trees: int = Field(300, ge=1, le=5000, description="boosted trees")
    depth: int = Field(6, ge=1, le=15, description="greatest depth of a tree")
    learning_rate: float = Field(0.1, gt=0, le=1, description="share that each tree adds")


class ComparedModel(ModelChoice):
    """One network of the comparison."""

    learning_rate: float | None = Field(
        None, gt=0, le=0.1, description="peak learning rate; null takes that of `segmentation`"
    )


class ModelComparisonSettings(Section):
    """Which models are compared, on which split, with which budget.

    All have the province's `segmentation` settings but for their network. The model after the last
    step counts: nothing is chosen on the extents that measure it.
    """

    models: dict[ModelName, ComparedModel] = Field(
        default_factory=dict, description="networks by the name they have in the table"
    )
    pixel_baseline: PixelBaselineSettings | None = Field(
        PixelBaselineSettings(), description="the pixel classifier beside them; null for none"
    )
    seeds: tuple[Seed, ...] = Field(
        (0, 1, 2), min_length=1, description="seeds: weights, chips and augmentation of a run"
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=50,
        description="folds of the labelled extents, each held out once; extents nearer than "
        "labels.leakage_metres stay together; null holds out the validation extents of the labels",
    )
    max_steps: int = Field(500, ge=1, description="training steps of every network")
    batch_size: int = Field(8, ge=1, description="chips a training step of every network")
    boundary_tolerance_pixels: float = Field(
        2.0, gt=0, description="distance up to which two boundaries agree, pixels"
    )
    plate_extents: int = Field(4, ge=1, le=20, description="held-out extents shown as pictures")

    @model_validator(mode="after")
    def _consistent(self) -> ModelComparisonSettings:
        if self.pixel_baseline is not None and BASELINE in self.models:
            raise ValueError(f"the name {BASELINE} is that of the pixel classifier")
        if not self.contestants:
            raise ValueError("neither a network nor the pixel classifier: nothing is compared")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"a seed is listed twice: {self.seeds}")
        return self

    @property
    def contestants(self) -> list[str]:
        """Names of all that are compared, the baseline last."""
        return [*self.models, *([BASELINE] if self.pixel_baseline else [])]

    def run_settings(
        self, model: str, seed: int, segmentation: SegmentationSettings
    ) -> SegmentationSettings:
        """The settings under which a network of the comparison is trained."""
        given = self.models[model].model_dump(exclude_none=True)
        budget = {
            "max_steps": self.max_steps,
            "batch_size": self.batch_size,
            "epochs": None,
            # Once, at the end: then the model of the last step is the one that is kept.
            "validate_every_steps": self.max_steps,
            "early_stopping_patience": None,
            "pretrained_model": None,
            "weights": None,
            "shape": None,
            "seed": seed,
        }
        return SegmentationSettings(**(segmentation.model_dump() | budget | given))
