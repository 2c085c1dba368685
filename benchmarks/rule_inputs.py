"""What the stages of a generated shard read: tiles, elevation, a product, counties, models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
import torch
from block_masks import generated_fields
from block_shard import constant_table
from light_network import NAME, LightNetwork
from rasterio.transform import from_bounds
from rasterio.windows import Window
from tile_shard import ZOOM, write_truth

from cropbase.atomic import write_json
from cropbase.rasters import write_cog
from cropbase.tables import write_table
from cropbase.webmercator import TileMatrix
from croplayer.blocks import integration, semantic
from croplayer.blocks.tables import QUALITY_FEATURES
from croplayer.grid import Block, BlockGrid
from croplayer.grid.planning import plan_blocks, planned, read_plan
from croplayer.quality.coverage import CLASSES
from croplayer.quality.model import CoverageModel, CoverageNet, save_model
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model
from croplayer.settings.segmentation import SegmentationSettings
from croplayer.tiles.coverage import covering_tiles

SEED = 20
COUNTY_BLOCKS = 10
"""Edge of a county, blocks: China has one county for 140 blocks."""
MOSAIC = """<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>EPSG:4326</SRS>
<GeoTransform>{place}</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><NoDataValue>255</NoDataValue>{parts}</VRTRasterBand>
</VRTDataset>"""
PART = """<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>
<SrcRect xOff="0" yOff="0" xSize="{edge}" ySize="{edge}"/>
<DstRect xOff="{col}" yOff="{row}" xSize="{edge}" ySize="{edge}"/></SimpleSource>"""


class Inputs:
    """Writes the inputs of a shard to a folder: its north-west corner and its size in degrees."""

    def __init__(
        self, folder: Path, grid: BlockGrid, corner: tuple[float, float], size: tuple[float, float]
    ) -> None:
        self.folder, self.grid, self.corner, self.size = folder, grid, corner, size
        (west, north), (width, height) = corner, size
        self.region = shapely.box(west, north - height, west + width, north)

    def write(self, demo: SegmentationSettings, halo_pixels: int) -> None:
        """Write tiles, elevation, a product, counties, the plan and the models.

        `demo` is the segmentation of the demo; the light network's is written beside it.
        """
        counties = self._counties()
        counties.to_file(self.folder / "counties.gpkg")
        # The region ends a little within its blocks, so that rounding plans no block beside them.
        region = self.region.buffer(-1e-6)
        gpd.GeoDataFrame(geometry=[region], crs=4326).to_file(self.folder / "boundary.gpkg")
        plan = plan_blocks(
            province="p",
            region=region,
            counties=counties,
            grid=self.grid,
            output=self.folder / "blocks.parquet",
        )
        xs, ys = covering_tiles(
            TileMatrix(ZOOM, 256), "wgs84", self.grid, planned(plan), halo_pixels
        )
        places = list(zip(xs.tolist(), ys.tolist(), strict=True))
        write_truth(self.folder / "truth.mbtiles", places, seed=SEED, squares=True)
        field = generated_fields(1024, seed=SEED).astype(np.uint8)
        self._raster("dem", 180, 100 + 10.0 * field[:256, :256], "float32")
        self._raster("product", 600, 5 - 3 * field, "uint8")
        torch.manual_seed(SEED)
        coverage = CoverageModel(
            net=CoverageNet("resnet50", 64).eval(), architecture="resnet50", width=64,
            image_pixels=512, input_pixels=224, min_crop_share=0.5, trained=(True,) * len(CLASSES),
        )  # fmt: skip
        save_model(coverage, self.folder / "coverage")
        for name, network in ((demo.architecture, build_model(demo)), (NAME, LightNetwork())):
            folder = self.folder / (name if name == NAME else "demo")
            storage.save_weights(network, folder)
            storage.save_description(network, name, demo.chip_pixels, folder)
        for design, answer in ((semantic.DESIGN, "TP"), (integration.DESIGN, "both")):
            folder = self.folder / design.task
            card = {"features": design.features, "classes": design.classes, "kind": "constant"}
            card |= {"classes_present": [answer], "test_rows": 0, "test": None, "warnings": []}
            write_json(folder / "card.json", card)

    def _counties(self) -> gpd.GeoDataFrame:
        """Counties of ten by ten blocks, and what is left at the edges."""
        west, south, east, north = self.region.bounds
        edge = COUNTY_BLOCKS * self.grid.block_degrees
        parts = [
            shapely.box(x, max(y - edge, south), min(x + edge, east), y)
            for y in np.arange(north, south + 1e-9, -edge)
            for x in np.arange(west, east - 1e-9, edge)
        ]
        names = [str(k) for k in range(len(parts))]
        return gpd.GeoDataFrame(
            {"county_id": names, "county": names, "city": "C"}, geometry=parts, crs=4326
        )

    def _raster(self, name: str, pixels: int, tile: np.ndarray, dtype: str) -> None:
        """A raster of so many pixels a block that repeats a tile, and a margin."""
        margin = 0.05
        width, height = (round((size + 2 * margin) / 0.05 * pixels) for size in self.size)
        bounds = (
            self.region.bounds[0] - margin, self.region.bounds[1] - margin,
            self.region.bounds[2] + margin, self.region.bounds[3] + margin,
        )  # fmt: skip
        step = min(tile.shape)

        def windows() -> Iterator[tuple[Window, np.ndarray]]:
            for row in range(0, height, step):
                for col in range(0, width, step):
                    h, w = min(step, height - row), min(step, width - col)
                    yield Window(col, row, w, h), tile[np.newaxis, :h, :w].astype(dtype)

        write_cog(
            self.folder / f"{name}.tif", windows(), height=height, width=width, bands=1,
            dtype=dtype, transform=from_bounds(*bounds, width, height), compression="lzw",
        )  # fmt: skip

    def stand_in(self, mask: Path, quality: dict[str, Path]) -> None:
        """Fields in the place of a network's mask, and a constant quality of every source."""
        self._repeat(generated_fields(self.grid.pixels_per_block, seed=SEED), mask)
        ids = [self.grid.block_id(block) for block in self._blocks()]
        for path in quality.values():
            write_table(constant_table(ids, QUALITY_FEATURES), path)

    def stand_in_map(self, path: Path) -> None:
        """A final map with fields in a quarter of each block."""
        edge = self.grid.pixels_per_block
        field = generated_fields(edge, seed=SEED)
        field[edge // 2 :] = field[:, edge // 2 :] = False
        self._repeat(field, path)

    def _blocks(self) -> list[Block]:
        return planned(read_plan(self.folder / "blocks.parquet"))

    def _repeat(self, field: np.ndarray, path: Path) -> None:
        """A virtual raster that repeats a block over the shard: 0, 1.

        Its readers decode as many pixels as of a file of its own.
        """
        whole = self.grid.shard_window(self._blocks())
        transform, edge = self.grid.transform(whole), self.grid.pixels_per_block
        source = path.with_suffix(".tif")
        write_cog(
            source, [(Window(0, 0, edge, edge), field[np.newaxis].astype(np.uint8))],
            height=edge, width=edge, bands=1, dtype="uint8", transform=transform, nodata=255,
        )  # fmt: skip
        parts = "".join(
            PART.format(name=source.name, edge=edge, row=row, col=col)
            for row in range(0, whole.height, edge)
            for col in range(0, whole.width, edge)
        )
        place = ", ".join(map(str, transform.to_gdal()))
        path.write_text(
            MOSAIC.format(width=whole.width, height=whole.height, parts=parts, place=place),
            encoding="ascii",
        )
