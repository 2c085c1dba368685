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
from rule_joins import PRODUCT, Joins

from croplayer.grid import BlockGrid
from croplayer.grid.planning import planned, read_plan

SOURCES = ("a", "b")
CORNER = (112.0, 24.0)
LARGEST_CHIP = 512
"""Edge of a chip as the settings have it by default; smaller where a block is."""
DEMO = {"preset": "tiny", "overlap_pixels": 32, "inference_chip_pixels": 256}
"""The demo's network, on its chips."""
CATALOGUE = Path(__file__).resolve().parents[1] / "config" / "products.yaml"


class RuleShard(Joins):
    """The stages of one shard, whose files all lie in `folder`; a method a rule."""

    def __init__(self, folder: Path, rows: int, columns: int, pixels: int) -> None:
        self.folder = folder
        self.grid = BlockGrid(0.05, pixels, 1.0)
        self.chip = min(LARGEST_CHIP, pixels)
        self.size = 0.05 * columns, 0.05 * rows
        west, north = CORNER
        self.region = shapely.box(west, north - self.size[1], west + self.size[0], north)
        self.plan = folder / "blocks.parquet"
        self.sources = SOURCES
        self.masks = dict.fromkeys(SOURCES, folder / "drawn.vrt")
        self.quality = {source: folder / f"constant_{source}.parquet" for source in SOURCES}

    @property
    def common(self) -> dict[str, Any]:
        """Blocks and grid, as the scripts read them."""
        return {"blocks": planned(read_plan(self.plan)), "grid": self.grid}

    def segmentation(self, **choice: Any):
        """Settings of the segmentation; as many threads as the rule has."""
        from croplayer.settings.segmentation import SegmentationSettings

        common = {"chip_pixels": self.chip, "device": "cpu", "precision": "fp32", "threads": 2}
        return SegmentationSettings(**common | choice)

    def inputs(self):
        """What writes the inputs."""
        from rule_inputs import Inputs

        return Inputs(self.folder, self.grid, CORNER, self.size)

    def prepare(self) -> None:
        self.inputs().write(self.segmentation(**DEMO), self.chip)

    def fetch_tiles(self) -> None:
        from fast_server import FastServer
        from tile_shard import source_at

        from croplayer.tiles.fetch import fetch_tiles

        for left in self.folder.glob("tiles.mbtiles*"):
            left.unlink()  # of a killed run: the whole shard is what is measured
        with FastServer(self.folder / "truth.mbtiles", 0.0) as server:
            fetch_tiles(
                source_name="a",
                source=source_at(server.url, requests_per_second=10_000),
                halo_pixels=self.chip,
                output=self.folder / "tiles.mbtiles",
                quota_file=self.folder / "quota.sqlite",
                **self.common,
            )

    def build_mosaic(self) -> None:
        from tile_shard import source_at

        from croplayer.settings.mosaic import MosaicSettings
        from croplayer.tiles.mosaic import build_mosaic

        build_mosaic(
            source_name="a",
            source=source_at("http://localhost"),
            tiles=self.folder / "tiles.mbtiles",
            mosaic=MosaicSettings(halo_pixels=self.chip),
            output=self.folder / "mosaic.tif",
            **self.common,
        )

    def assess_quality(self) -> None:
        from croplayer.quality.assess import assess_quality
        from croplayer.settings.quality import QualitySettings

        assess_quality(
            mosaic=self.folder / "mosaic.tif",
            source_name="a",
            model_dir=self.folder / "coverage",
            threads=1,
            settings=QualitySettings(device="cpu"),
            output=self.folder / "quality.parquet",
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

    def segment_shard(self, model: str = "light", **choice: Any) -> None:
        from light_network import register

        from croplayer.segmentation.inference import segment_shard

        register()
        segment_shard(
            mosaic=self.folder / "mosaic.tif",
            model_dir=self.folder / model,
            settings=self.segmentation(**choice),
            probability=self.folder / "probability.tif",
            mask=self.folder / "mask.tif",
            **self.common,
        )

    def segment_demo(self) -> None:
        """`segment_shard` with the network of the demo."""
        self.segment_shard("demo", **DEMO)

    def stand_in(self) -> None:
        self.inputs().stand_in(self.masks["a"], self.quality)

    def stand_in_map(self) -> None:
        self.inputs().stand_in_map(self.folder / "fields.vrt")

    def measure_features(self) -> None:
        from croplayer.blocks.features import measure_features

        measure_features(
            masks=self.masks,
            quality=self.quality,
            terrain=self.folder / "terrain.parquet",
            output=self.folder / "features.parquet",
            sources=SOURCES,
            threads=4,
            **self.common,
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
        from croplayer.comparison.shard import compare_shard
        from croplayer.settings.products import ProductRaster

        compare_shard(
            maps=[self.folder / "fields.vrt"],
            files=[self.folder / "product.tif"],
            name=PRODUCT,
            product=ProductRaster(**self.catalogue().products[PRODUCT].raster()),
            boundary=self.region,
            output=self.folder / PRODUCT / "shard.parquet",
            classes=self.folder / PRODUCT / "shard.json",
            **self.common,
        )

    def catalogue(self):
        """The catalogue of products."""
        from croplayer.comparison.catalogue import read_catalogue

        return read_catalogue(CATALOGUE)


def main() -> None:
    stage, folder, *numbers = sys.argv[1:]
    shard = RuleShard(Path(folder), *map(int, numbers))
    begin, cpu = time.perf_counter(), time.process_time()
    getattr(shard, stage)()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(json.dumps({"peak_mib": peak_mib(), "seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
