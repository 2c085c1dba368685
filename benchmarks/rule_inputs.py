"""What the stages of a generated shard read: imagery, elevation, a product, counties, models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import torch
from block_masks import generated_fields
from rasterio.transform import from_bounds
from rasterio.windows import Window

from cropbase.atomic import write_json
from cropbase.rasters import write_cog
from croplayer.blocks import integration, semantic
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks
from croplayer.quality.coverage import CLASSES
from croplayer.quality.model import CoverageModel, CoverageNet, save_model
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model
from croplayer.settings.segmentation import SegmentationSettings

SEED = 20


class Inputs:
    """Writes the inputs of a shard to a folder: its north-west corner and its size in degrees."""

    def __init__(
        self, folder: Path, grid: BlockGrid, corner: tuple[float, float], size: tuple[float, float]
    ) -> None:
        self.folder, self.grid, self.corner, self.size = folder, grid, corner, size
        (west, north), (width, height) = corner, size
        self.region = shapely.box(west, north - height, west + width, north)

    def write(self, segmentation: SegmentationSettings) -> None:
        """Write imagery, elevation, a product, counties, the plan and the models."""
        counties = gpd.GeoDataFrame(
            {"county_id": ["1"], "county": ["C"], "city": ["D"]}, geometry=[self.region], crs=4326
        )
        counties.to_file(self.folder / "counties.gpkg")
        # The region ends a little within its blocks, so that rounding plans no block beside them.
        region = self.region.buffer(-1e-6)
        plan_blocks(
            province="p",
            region=region,
            counties=counties,
            grid=self.grid,
            output=self.folder / "blocks.parquet",
        )
        field = generated_fields(1024, seed=SEED).astype(np.uint8)
        self._raster("imagery", self.grid.pixels_per_block, 3, 60 + 120 * field, "uint8")
        self._raster("dem", 180, 1, 100 + 10.0 * field[:256, :256], "float32")
        self._raster("product", 600, 1, 5 - 3 * field, "uint8")
        torch.manual_seed(SEED)
        coverage = CoverageModel(
            net=CoverageNet("resnet50", 64).eval(), architecture="resnet50", width=64,
            image_pixels=512, input_pixels=224, min_crop_share=0.5, trained=(True,) * len(CLASSES),
        )  # fmt: skip
        save_model(coverage, self.folder / "coverage")
        network = build_model(segmentation)
        storage.save_weights(network, self.folder / "segmentation")
        storage.save_description(
            network,
            segmentation.architecture,
            segmentation.chip_pixels,
            self.folder / "segmentation",
        )
        for design, answer in ((semantic.DESIGN, "TP"), (integration.DESIGN, "both")):
            folder = self.folder / design.task
            card = {"features": design.features, "classes": design.classes, "kind": "constant"}
            write_json(folder / "card.json", card | {"classes_present": [answer]})

    def _raster(self, name: str, pixels: int, bands: int, tile: np.ndarray, dtype: str) -> None:
        """A raster of so many pixels a block that repeats a tile with noise, and a margin."""
        margin = 0.05
        width, height = (round((size + 2 * margin) / 0.05 * pixels) for size in self.size)
        bounds = (
            self.region.bounds[0] - margin, self.region.bounds[1] - margin,
            self.region.bounds[2] + margin, self.region.bounds[3] + margin,
        )  # fmt: skip
        rng, step = np.random.default_rng(SEED), min(tile.shape)

        def windows() -> Iterator[tuple[Window, np.ndarray]]:
            for row in range(0, height, step):
                for col in range(0, width, step):
                    h, w = min(step, height - row), min(step, width - col)
                    part = np.repeat(tile[np.newaxis, :h, :w], bands, axis=0)
                    if bands == 3:
                        part = part + rng.integers(0, 40, part.shape, dtype=np.uint8)
                    yield Window(col, row, w, h), part.astype(dtype)

        write_cog(
            self.folder / f"{name}.tif", windows(), height=height, width=width, bands=bands,
            dtype=dtype, transform=from_bounds(*bounds, width, height), compression="lzw",
        )  # fmt: skip

    def draw_mask(self) -> None:
        """Fields in the place of what the untrained network answered: noise is no map."""
        with rasterio.open(self.folder / "mask.tif") as dataset:
            height, width, transform = dataset.height, dataset.width, dataset.transform
        field = generated_fields(min(2304, max(height, width)), seed=SEED).astype(np.uint8)
        step = field.shape[0]

        def windows() -> Iterator[tuple[Window, np.ndarray]]:
            for row in range(0, height, step):
                for col in range(0, width, step):
                    h, w = min(step, height - row), min(step, width - col)
                    yield Window(col, row, w, h), field[np.newaxis, :h, :w]

        write_cog(
            self.folder / "mask.tif", windows(), height=height, width=width, bands=1,
            dtype="uint8", transform=transform, nodata=255,
        )  # fmt: skip
