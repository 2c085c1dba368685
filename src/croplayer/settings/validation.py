"""Key `validation`: thresholds of the three levels and of the stopping rule."""

from __future__ import annotations

from pydantic import Field

from cropbase.config import Section


class ValidationSettings(Section):
    """The three levels of validation and when to stop (paper, sections 3.2.3 and 3.2.4)."""

    pixel_iou: float = Field(
        0.85, ge=0, le=1, description="least IoU of either source on the validation extents"
    )
    block_correctness: float = Field(
        0.85,
        ge=0,
        le=1,
        description="share of semantically correct blocks that either source must exceed",
    )
    area_agreement: float = Field(
        0.80,
        ge=0,
        le=1,
        description="least agreement of either source's area with the official one, "
        "min(ratio, 1 / ratio)",
    )
    area_tolerance: float = Field(
        0.10, gt=0, lt=1, description="deviation from the official area that counts as consistent"
    )
    supplementary_rounds: int = Field(
        3,
        ge=0,
        description="rounds of further labels after which a province of poor imagery may stop "
        "below the thresholds",
    )
    poor_imagery_share: float = Field(
        0.10,
        ge=0,
        le=1,
        description="a province whose share of blocks that are cloudy, snowy or without data in "
        "both sources reaches this, now and in every supplementary round that was recorded, is one "
        "of persistently poor imagery; 0: every province",
    )
    bootstrap_repeats: int = Field(
        2000,
        ge=100,
        le=100_000,
        description="resamplings of extents and blocks for the intervals",
    )
    bootstrap_seed: int = Field(0, ge=0, description="seed of the resampling")
