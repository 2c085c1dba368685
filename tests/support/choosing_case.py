"""A generated province of two shards and two sources, mapped by an untrained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import torch
from micro_shape import MICRO_SHAPE
from rasterio.windows import Window

from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.active.choosing.choose import choose_blocks
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.planning import plan_blocks
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model
from croplayer.settings.active import ActiveSettings
from croplayer.settings.segmentation import SegmentationSettings

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=64, shard_degrees=0.2)
BLOCKS = [Block(row, col) for row in range(1316, 1320) for col in range(5846, 5853)]
SOURCES = ("a", "b")
HALO = 16
MODEL_FOLDER = "segmentation/model"
MODEL = SegmentationSettings(
    shape=MICRO_SHAPE,
    chip_pixels=64,
    device="cpu",
    precision="fp32",
    threads=1,
)


@dataclass
class Case:
    """Files of the province, where the workflow would put them under `home`."""

    home: Path

    def files(self, stage: str, suffix: str = ".tif") -> dict[str, list[Path]]:
        """source -> files of its shards."""
        return {s: sorted((self.home / stage / s).glob(f"*{suffix}")) for s in SOURCES}

    def inputs(self) -> dict:
        """What `choose_blocks` reads."""
        return {
            "blocks": self.home / "plan/blocks.parquet",
            "probability": self.files("probability"),
            "masks": self.files("mask"),
            "mosaics": self.files("mosaic"),
            "model_dir": self.home / MODEL_FOLDER,
            "quality": self.files("quality", ".parquet"),
            "terrain": sorted((self.home / "terrain").glob("*.parquet")),
            "semantic": self.home / "semantic/classes.parquet",
            "extents": self.home / "labels/extents.parquet",
            "grid": GRID,
            "segmentation": MODEL,
            "label_round": 1,
        }

    def outputs(self, name: str = "choosing") -> dict[str, Path]:
        """What `choose_blocks` writes."""
        names = {
            "scores": "scores.parquet",
            "chosen": "chosen.gpkg",
            "table": "chosen.csv",
            "suggested": "suggested_extents.gpkg",
        }
        return {key: self.home / name / file for key, file in names.items()}

    def choose(self, settings: ActiveSettings, name: str = "choosing", **changes):
        """Run `choose_blocks`."""
        return choose_blocks(
            **self.inputs() | {"settings": settings} | self.outputs(name) | changes
        )


def make_case(home: Path, seed: int = 0) -> Case:
    """Write the province: the first block is labelled, the second has no usable imagery."""
    case = Case(home)
    rng = np.random.default_rng(seed)
    region = shapely.union_all([GRID.polygon(block) for block in BLOCKS])
    counties = gpd.GeoDataFrame(
        {"county_id": ["1"], "county": ["C"], "city": ["D"]}, geometry=[region], crs=4326
    )
    plan_blocks(
        province="p", region=region, counties=counties, grid=GRID,
        output=home / "plan/blocks.parquet",
    )  # fmt: skip
    ids = [GRID.block_id(block) for block in BLOCKS]
    for shard in GRID.shards(BLOCKS):
        window = GRID.shard_window(shard.blocks)
        for source in SOURCES:
            _write_rasters(home, shard.shard_id, source, window, rng)
    kinds = {source: ["planting"] * len(ids) for source in SOURCES}
    for source in SOURCES:
        kinds[source][1] = "cloudy"
    kinds["b"][2] = "snow_ice"
    slopes = pd.DataFrame({"block_id": ids, "slope": np.linspace(0, 20, len(ids))})
    for shard in GRID.shards(BLOCKS):
        inside = np.isin(ids, [GRID.block_id(block) for block in shard.blocks])
        write_table(slopes[inside], home / f"terrain/{shard.shard_id}.parquet")
        for source in SOURCES:
            quality = pd.DataFrame(
                {"block_id": ids, "source": source, "coverage_type": kinds[source]}
            )
            write_table(quality[inside], home / f"quality/{source}/{shard.shard_id}.parquet")
    alarm = rng.dirichlet(np.ones(4), 2 * len(ids))
    semantic = pd.DataFrame(alarm, columns=["p_tp", "p_fp", "p_noise", "p_artifacts"])
    semantic.insert(0, "block_id", np.repeat(ids, 2))
    semantic.insert(1, "source", list(SOURCES) * len(ids))
    write_table(semantic, home / "semantic/classes.parquet")
    done = gpd.GeoDataFrame(
        {"extent_id": ["x"], "split": ["train"]}, geometry=[GRID.polygon(BLOCKS[0])], crs=4326
    )
    write_table(done, home / "labels/extents.parquet")
    torch.manual_seed(seed)
    model = build_model(MODEL)
    storage.save_weights(model, home / MODEL_FOLDER)
    storage.save_description(model, "mask2former", 64, home / MODEL_FOLDER)
    return case


def _write_rasters(home: Path, shard: str, source: str, window: PixelWindow, rng) -> None:
    """Mosaic with halo, probability, and the mask at a half; a corner has no imagery."""
    wide = window.buffered(HALO)
    rgb = rng.integers(0, 255, (3, wide.height, wide.width), dtype=np.uint8)
    write_raster(
        home / f"mosaic/{source}/{shard}.tif", rgb, wide, valid=np.ones(rgb.shape[1:], bool)
    )
    stored = rng.integers(0, 251, (1, window.height, window.width), dtype=np.uint8)
    stored[0, :8, :8] = 255
    write_raster(home / f"probability/{source}/{shard}.tif", stored, window, nodata=255)
    mask = np.where(stored == 255, 255, stored >= 125).astype(np.uint8)
    write_raster(home / f"mask/{source}/{shard}.tif", mask, window, nodata=255)


def write_raster(
    path: Path,
    values: np.ndarray,
    window: PixelWindow,
    *,
    nodata: int | None = None,
    valid: np.ndarray | None = None,
) -> None:
    """A COG (bands, rows, columns) on the pixels of `window`."""
    part = Window(0, 0, window.width, window.height)
    write_cog(
        path,
        [(part, values) if valid is None else (part, values, valid)],
        height=window.height,
        width=window.width,
        bands=len(values),
        dtype="uint8",
        transform=GRID.transform(window),
        nodata=nodata,
    )
