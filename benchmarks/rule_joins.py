"""The stages that join the shards of a province, here one; see `rule_shard.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

from croplayer.grid import BlockGrid

TITLE = "A generated shard"
NOTE = "Generated data: no real place"
PRODUCT = "esri"
COUNTY_FIELDS = ("county_id", "county", "city")


class Joins:
    """Stages on the files of a shard; a method a rule."""

    folder: Path
    plan: Path
    grid: BlockGrid
    region: shapely.Polygon
    sources: Sequence[str]

    def catalogue(self) -> Any:
        raise NotImplementedError

    def by_source(self, name: str) -> dict[str, list[Path]]:
        """A file in the place of both sources."""
        return {source: [self.folder / name] for source in self.sources}

    def classify_semantic(self) -> None:
        from croplayer.blocks.semantic import classify_semantic

        classify_semantic(
            features=[self.folder / "features.parquet"],
            model_dir=self.folder / "semantic",
            sources=self.sources,
            blocks=self.plan,
            output=self.folder / "classes.parquet",
        )

    def choose_options(self) -> None:
        from croplayer.blocks.integration import choose_options

        choose_options(
            features=[self.folder / "features.parquet"],
            semantic=self.folder / "classes.parquet",
            model_dir=self.folder / "integration",
            corrections=None,
            sources=self.sources,
            blocks=self.plan,
            output=self.folder / "options.parquet",
        )

    def validate_blocks(self) -> None:
        from croplayer.validation.block import validate_blocks

        validate_blocks(
            semantic=self.folder / "classes.parquet",
            semantic_card=self.folder / "semantic" / "card.json",
            features=[self.folder / "features.parquet"],
            options=self.folder / "options.parquet",
            sources=self.sources,
            maps=[self.folder / "fields.vrt"],
            grid=self.grid,
            output=self.folder / "block.json",
        )

    def validate_province(self) -> None:
        from croplayer.validation.province import validate_province

        validate_province(
            maps=[self.folder / "fields.vrt"],
            masks=self.by_source("drawn.vrt"),
            blocks=self.plan,
            boundary=self.region,
            counties=self.folder / "counties.gpkg",
            grid=self.grid,
            official_area_ha=1e5,
            output=self.folder / "province.json",
            blocks_output=self.folder / "block_areas.parquet",
        )

    def summarise_comparison(self) -> None:
        from croplayer.comparison.summary import summarise_comparison
        from croplayer.settings.comparison import ComparisonSettings

        catalogue = self.catalogue()
        summarise_comparison(
            blocks=self.plan,
            tables=[self.folder / PRODUCT / "shard.parquet"],
            classes=[self.folder / PRODUCT / "shard.json"],
            terrain=[self.folder / "terrain.parquet"],
            province_json=self.folder / "province.json",
            products={PRODUCT: catalogue.products[PRODUCT]},
            own_definition=catalogue.own_definition,
            settings=ComparisonSettings(),
            groups_csv=None,
            output=self.folder / "summary",
        )

    def export_counties(self) -> None:
        from croplayer.export.counties import export_counties
        from croplayer.settings.export import ExportSettings

        export_counties(
            maps=[self.folder / "fields.vrt"],
            counties=self.folder / "counties.gpkg",
            counties_fields=COUNTY_FIELDS,
            blocks=self.plan,
            grid=self.grid,
            settings=ExportSettings(),
            parquet=self.folder / "counties.parquet",
            archive=self.folder / "p.tar.gz",
            table=self.folder / "areas.csv",
        )

    def tabulate_blocks(self) -> None:
        from croplayer.report.block_table import tabulate_blocks

        tabulate_blocks(
            blocks=self.plan,
            features=[self.folder / "features.parquet"],
            semantic=self.folder / "classes.parquet",
            options=self.folder / "options.parquet",
            areas=self.folder / "block_areas.parquet",
            sources=self.sources,
            province=TITLE,
            output=self.folder / "known.parquet",
        )

    def plot_overview(self) -> None:
        from croplayer.report.maps import plot_overview

        plot_overview(
            mosaics=self.by_source("mosaic.tif"),
            masks=self.by_source("mask.tif"),
            maps=[self.folder / "map.tif"],
            boundary=self.folder / "boundary.gpkg",
            counties=self.folder / "counties.gpkg",
            counties_fields=COUNTY_FIELDS,
            output=self.folder / "overview.png",
            title=TITLE,
            note=NOTE,
        )

    def plot_quality(self) -> None:
        from croplayer.report.block_values import plot_quality

        plot_quality(
            blocks=[self.folder / "known.parquet"],
            mosaics=self.by_source("mosaic.tif"),
            output=self.folder / "quality.png",
            title=TITLE,
            note=NOTE,
        )
