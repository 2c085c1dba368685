"""One stage of a generated shard; `rule_shard.py STAGE FOLDER ROWS COLUMNS PIXELS`: its memory.

The stages are those of the rules, in their order, each on what the ones before it left in FOLDER.
Each imports what its rule's script imports and no more, so that the memory is the rule's own. The
networks are untrained: what they answer is of no matter, but that they run.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import shapely
from memory import peak_mib

from croplayer.grid import BlockGrid
from croplayer.grid.planning import planned, read_plan

SOURCES = ("a", "b")
CORNER = (112.0, 24.0)
CHIP = 256
SEGMENTATION = {
    "preset": "tiny", "weights": None, "chip_pixels": 128, "overlap_pixels": 32,
    "inference_chip_pixels": CHIP, "device": "cpu", "precision": "fp32", "threads": 1,
}  # fmt: skip
CATALOGUE = Path(__file__).resolve().parents[1] / "config" / "products.yaml"


class RuleShard:
    """The stages of one shard, whose files all lie in `folder`; a method a rule."""

    def __init__(self, folder: Path, rows: int, columns: int, pixels: int) -> None:
        self.folder = folder
        self.grid = BlockGrid(0.05, pixels, 0.05 * max(rows, columns))
        self.size = 0.05 * columns, 0.05 * rows
        west, north = CORNER
        self.region = shapely.box(west, north - self.size[1], west + self.size[0], north)
        self.plan = folder / "blocks.parquet"
        self.masks = dict.fromkeys(SOURCES, folder / "mask.tif")
        self.quality = {source: folder / f"quality_{source}.parquet" for source in SOURCES}

    @property
    def common(self) -> dict[str, Any]:
        """Blocks and grid, as the scripts read them."""
        return {"blocks": planned(read_plan(self.plan)), "grid": self.grid}

    def inputs(self):
        """What writes the inputs."""
        from rule_inputs import Inputs

        return Inputs(self.folder, self.grid, CORNER, self.size)

    def prepare(self) -> None:
        from croplayer.settings.segmentation import SegmentationSettings

        self.inputs().write(SegmentationSettings(**SEGMENTATION))

    def build_mosaic(self) -> None:
        from croplayer.settings.mosaic import MosaicSettings
        from croplayer.settings.sources import RasterSource
        from croplayer.tiles.mosaic import build_mosaic

        build_mosaic(
            source_name="a",
            source=RasterSource(paths=(str(self.folder / "imagery.tif"),)),
            tiles=None,
            mosaic=MosaicSettings(halo_pixels=CHIP),
            output=self.folder / "mosaic.tif",
            **self.common,
        )

    def assess_quality(self) -> None:
        from croplayer.quality.assess import assess_quality
        from croplayer.settings.quality import QualitySettings

        for source, output in self.quality.items():
            assess_quality(
                mosaic=self.folder / "mosaic.tif",
                source_name=source,
                model_dir=self.folder / "coverage",
                threads=1,
                settings=QualitySettings(device="cpu"),
                output=output,
                **self.common,
            )

    def measure_terrain(self) -> None:
        from croplayer.settings.terrain import TerrainSettings
        from croplayer.terrain.measure import measure_terrain

        measure_terrain(
            dem=[self.folder / "dem.tif"],
            settings=TerrainSettings(dem=[]),
            output=self.folder / "terrain.parquet",
            **self.common,
        )

    def segment_shard(self) -> None:
        from croplayer.segmentation.inference import segment_shard
        from croplayer.settings.segmentation import SegmentationSettings

        segment_shard(
            mosaic=self.folder / "mosaic.tif",
            model_dir=self.folder / "segmentation",
            settings=SegmentationSettings(**SEGMENTATION),
            probability=self.folder / "probability.tif",
            mask=self.folder / "mask.tif",
            **self.common,
        )

    def draw_mask(self) -> None:
        """Fields in the place of what the untrained network answered: noise is no map."""
        self.inputs().draw_mask()

    def measure_features(self) -> None:
        from croplayer.blocks.features import measure_features

        measure_features(
            masks=self.masks,
            quality=self.quality,
            terrain=self.folder / "terrain.parquet",
            output=self.folder / "features.parquet",
            sources=SOURCES,
            threads=2,
            **self.common,
        )

    def classify_semantic(self) -> None:
        from croplayer.blocks.semantic import classify_semantic

        classify_semantic(
            features=[self.folder / "features.parquet"],
            model_dir=self.folder / "semantic",
            sources=SOURCES,
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
            sources=SOURCES,
            blocks=self.plan,
            output=self.folder / "options.parquet",
        )

    def integrate_shard(self) -> None:
        from croplayer.blocks.integrate import integrate_shard

        integrate_shard(
            masks=self.masks,
            options=self.folder / "options.parquet",
            boundary=self.region,
            sources=SOURCES,
            output=self.folder / "map.tif",
            **self.common,
        )

    def compare_shard(self) -> None:
        from croplayer.comparison.catalogue import read_catalogue
        from croplayer.comparison.shard import compare_shard
        from croplayer.settings.products import ProductRaster

        compare_shard(
            maps=[self.folder / "map.tif"],
            files=[self.folder / "product.tif"],
            name="esri",
            product=ProductRaster(**read_catalogue(CATALOGUE).products["esri"].raster()),
            boundary=self.region,
            output=self.folder / "comparison.parquet",
            classes=self.folder / "comparison.json",
            **self.common,
        )

    def export_counties(self) -> None:
        from croplayer.export.counties import export_counties
        from croplayer.settings.export import ExportSettings

        export_counties(
            maps=[self.folder / "map.tif"],
            counties=self.folder / "counties.gpkg",
            counties_fields=("county_id", "county", "city"),
            blocks=self.plan,
            grid=self.grid,
            settings=ExportSettings(),
            parquet=self.folder / "counties.parquet",
            archive=self.folder / "p.tar.gz",
            table=self.folder / "areas.csv",
        )


def main() -> None:
    stage, folder, *numbers = sys.argv[1:]
    shard = RuleShard(Path(folder), *map(int, numbers))
    begin = time.perf_counter()
    getattr(shard, stage)()
    print(json.dumps({"peak_mib": peak_mib(), "seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
