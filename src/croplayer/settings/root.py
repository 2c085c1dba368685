"""The whole configuration of a province, composed of one section a top-level key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from cropbase.atlas.settings import ReportSettings
from cropbase.config import Section
from croplayer.settings.active import ActiveSettings
from croplayer.settings.comparison import ComparisonSettings
from croplayer.settings.demo import DemoSettings
from croplayer.settings.desk import DeskSettings
from croplayer.settings.export import ExportSettings
from croplayer.settings.grid import GridSettings, PlanSettings
from croplayer.settings.integration import IntegrationSettings
from croplayer.settings.labels import LabelSettings
from croplayer.settings.model_comparison import ModelComparisonSettings
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.province import ProvinceSettings
from croplayer.settings.quality import QualitySettings
from croplayer.settings.segmentation import SegmentationSettings
from croplayer.settings.semantic import SemanticSettings
from croplayer.settings.sources import Source
from croplayer.settings.terrain import TerrainSettings
from croplayer.settings.validation import ValidationSettings

NAME_PATTERN = r"[a-z][a-z0-9_]*"
"""Names of provinces and sources: they are folder names and wildcards."""


def _is_name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError("allowed are lower-case letters, digits and _, beginning with a letter")
    return text


Name = Annotated[str, AfterValidator(_is_name)]


class ModelSettings(Section):
    """Take a stage's model from another province instead of training one here."""

    coverage: Name | None = Field(
        None, description="province whose coverage-type model is used; null: train here"
    )
    segmentation: Name | None = Field(
        None, description="province whose segmentation model is used; null: train here"
    )
    semantic: Name | None = Field(
        None, description="province whose semantic-correctness model is used; null: train here"
    )
    integration: Name | None = Field(
        None, description="province whose integration model is used; null: train here"
    )


class Settings(Section):
    """All keys of `config/default.yaml` overlaid by one province's file."""

    province: ProvinceSettings = Field(description="the region, its counties, official figures")
    grid: GridSettings = Field(GridSettings(), description="blocks, pixels and shards")
    plan: PlanSettings = Field(PlanSettings(), description="rates behind the preview")
    sources: dict[Name, Source] = Field(
        min_length=1,
        max_length=2,
        description="imagery: the first source is A, the second B; one alone ends at its own mask",
    )
    mosaic: MosaicSettings = Field(MosaicSettings(), description="tiles to the block grid")
    models: ModelSettings = Field(ModelSettings(), description="models shared between provinces")
    quality: QualitySettings = Field(QualitySettings(), description="coverage types, thin clouds")
    terrain: TerrainSettings = Field(description="elevation model and its derivatives")
    labels: LabelSettings = Field(description="what people labelled and interpreted")
    segmentation: SegmentationSettings = Field(
        SegmentationSettings(), description="cropland segmentation"
    )
    model_comparison: ModelComparisonSettings | None = Field(
        None, description="segmentation models side by side; null: none are compared"
    )
    active: ActiveSettings = Field(
        ActiveSettings(), description="active learning: what to label next"
    )
    semantic: SemanticSettings = Field(SemanticSettings(), description="semantic correctness")
    integration: IntegrationSettings = Field(
        IntegrationSettings(), description="integration of the two sources"
    )
    validation: ValidationSettings = Field(
        ValidationSettings(), description="three levels, and when to stop"
    )
    comparison: ComparisonSettings = Field(
        ComparisonSettings(), description="existing products, and the reference sample"
    )
    export: ExportSettings = Field(ExportSettings(), description="county files")
    report: ReportSettings = Field(ReportSettings(), description="the standalone report")
    desk: DeskSettings = Field(DeskSettings(), description="the review desk")
    demo: DemoSettings | None = Field(
        None, description="the generated province; null everywhere else"
    )
    data_root: Path = Field(
        Path("data"),
        description="folder of the user's own data, written {data_root} in other paths; the "
        "environment variable CROPLAYER_DATA_ROOT wins over it",
    )
