"""`labels`: the files that people edit, and how strictly they are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cropbase.config import Section

CROPLAND_CLASSES = (
    "cropland",
    "paddy",
    "irrigated_dry",
    "terraces",
    "fallow",
    "greenhouse",
    "scattered_trees",
)
"""The kinds of cropland of the paper's Table 2, and plain `cropland`."""

OTHER_CLASSES = ("orchard", "woodland", "bare_land", "grassland")
"""The confusing kinds of non-cropland of Table 2."""


KEYS = ("cropland", "extents", "coverage", "semantic", "options", "corrections")
"""The keys of the label files."""


class LabelSettings(Section):
    """Label files of a province and the checks they pass before anything is trained on them."""

    rounds: Path | None = Field(
        None,
        description="Folder of the rounds of active learning, one immutable folder each;"
        " `python -m croplayer.active.rounds add PROVINCE` adds to it",
    )
    round: int | None = Field(
        None,
        ge=1,
        description="With labels.rounds: the round whose frozen labels the run uses; null: the"
        " label files as they are now. Without: only the number of the round, null meaning 1",
    )
    cropland: Path | None = Field(
        None,
        description="Vector file (shapefile, GeoPackage, GeoJSON, GeoParquet) of cropland polygons,"
        " or a folder of such files; optional attributes: class, source, polygon_id, annotator,"
        " labelled_at",
    )
    extents: Path | None = Field(
        None,
        description="Vector file (or folder) of the areas labelled completely; attributes extent_id"
        " and split (train or validation), optional: sample, source, annotator, labelled_at",
    )
    coverage: Path | None = Field(
        None,
        description="Table (CSV, GeoPackage or GeoParquet file, or a folder) of coverage types:"
        " block_id, source, coverage_type; optional: annotator, labelled_at",
    )
    semantic: Path | None = Field(
        None,
        description="Table (or folder) of semantic classes: block_id, source, semantic_class;"
        " optional: annotator, labelled_at",
    )
    options: Path | None = Field(
        None,
        description="Table (or folder) of integration options: block_id, option;"
        " optional: annotator, labelled_at",
    )
    corrections: Path | None = Field(
        None,
        description="Table (or folder) of manual corrections, which win over the model:"
        " block_id, option, reason; optional: annotator, labelled_at",
    )
    cropland_classes: tuple[str, ...] = Field(
        CROPLAND_CLASSES, min_length=1, description="Values of `class` that are cropland"
    )
    other_classes: tuple[str, ...] = Field(
        OTHER_CLASSES,
        description="Values of `class` that are known and not cropland: such polygons are listed in"
        " the report and never become cropland",
    )
    repair: bool = Field(
        False,
        description="Mend invalid geometries (make_valid) and accept overlaps (only the union is"
        " learned), listing each in the report, instead of refusing the file",
    )
    on_overlap: Literal["refuse", "warn"] = Field(
        "refuse",
        description="What to do where cropland polygons overlap by more than overlap_tolerance_m2",
    )
    overlap_tolerance_m2: float = Field(
        100.0,
        ge=0,
        description="Overlap of two polygons, square metres, up to which it is only a warning",
    )
    min_area_m2: float = Field(
        20.0, ge=0, description="Polygons smaller than this many square metres are called slivers"
    )
    leakage_metres: float = Field(
        0.0,
        ge=0,
        description="Least distance between training and validation extents, metres;"
        " 0: they may touch but not overlap",
    )

    @model_validator(mode="after")
    def _classes_are_disjoint(self) -> LabelSettings:
        both = sorted(set(self.cropland_classes) & set(self.other_classes))
        if both:
            raise ValueError(f"classes both in cropland_classes and in other_classes: {both}")
        return self

    def files(self) -> dict[str, Path]:
        """The label files that are configured, by key, in a fixed order."""
        return {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}
