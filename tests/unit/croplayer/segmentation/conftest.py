"""A labelled micro-province, a micro-model and a model whose answer is known."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
from micro_shape import MICRO_SHAPE
from rasterio.windows import Window
from scipy import ndimage
from torch.nn import functional as F

from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.settings.segmentation import Augmentation, SegmentationSettings

HALO = 64
STILL = Augmentation(
    d4=False, scale_min=1, scale_max=1, brightness=0, contrast=0, saturation=0, colour=0, haze=0
)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def grid() -> BlockGrid:
    return BlockGrid(block_degrees=0.05, pixels_per_block=96, shard_degrees=0.1)


@pytest.fixture(scope="session")
def micro() -> SegmentationSettings:
    """Settings under which everything takes seconds."""
    return SegmentationSettings(
        shape=MICRO_SHAPE,
        chip_pixels=64,
        overlap_pixels=16,
        batch_size=4,
        max_steps=6,
        learning_rate=3e-3,
        warmup_steps=2,
        loss_points=128,
        ema_decay=0.9,
        validate_every_steps=3,
        early_stopping_patience=None,
        precision="fp32",
        device="cpu",
        threads=1,
        loader_threads=0,
        seed=7,
    )


class LocalMean(SegmentationModel):
    """Cropland where the neighbourhood is green: sees context and needs no training."""

    def __init__(self, reach: int = 9) -> None:
        super().__init__((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        self.reach = reach
        self.weight = torch.nn.Parameter(torch.ones(1))

    @classmethod
    def from_settings(cls, settings):
        return cls()

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def config(self):
        return {"reach": self.reach}

    def forward(self, images):
        green = images[:, 1:2] - images[:, :1]
        return F.avg_pool2d(green, 2 * self.reach + 1, 1, self.reach) * 12 * self.weight

    def cropland_logits(self, outputs, size):
        return outputs.squeeze(1).float()

    def chip_losses(self, outputs, labels, valid, generator):
        loss = F.binary_cross_entropy_with_logits(outputs[:, 0], labels.float(), reduction="none")
        return {"pixel": (loss * valid).sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)}

    def embedding(self, images):
        return images.mean((2, 3))


class Province:
    """Rasters and labels of four by two blocks, made once."""

    def __init__(self, folder: Path, grid: BlockGrid) -> None:
        self.grid = grid
        corner = grid.parse_block_id("E11200N2400")
        self.blocks = [Block(corner.row - r, corner.col + c) for r in range(2) for c in range(4)]
        self.window = grid.shard_window(self.blocks).buffered(HALO)
        rng = np.random.default_rng(5)
        shape = (self.window.height, self.window.width)
        smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 7)
        self.truth = smooth > np.quantile(smooth, 0.55)
        speckle = rng.normal(0, 12, (*shape, 3))
        colour = np.where(self.truth[..., None], (120, 170, 60), (110, 90, 80))
        self.images = {
            "one": np.clip(colour + speckle, 0, 255).astype(np.uint8),
            "two": np.clip(colour * 0.8 + 40 + speckle[::-1], 0, 255).astype(np.uint8),
        }
        self.valid = np.ones(shape, dtype=bool)
        self.mosaics: dict[str, list[Path]] = {}
        for source, image in self.images.items():
            self.mosaics[source] = [
                self.write_mosaic(
                    folder / f"mosaic/{source}/{shard.shard_id}.tif", image, shard.blocks
                )
                for shard in grid.shards(self.blocks)
            ]
        self.polygons = folder / "polygons.parquet"
        self.extents = folder / "extents.parquet"
        self.write_labels(self.polygons, self.extents)

    def write_mosaic(self, path, image, blocks, halo=HALO, valid=None):
        window = self.grid.shard_window(blocks).buffered(halo)
        rows, cols = window.relative_to(self.window)
        there = (self.valid if valid is None else valid)[rows, cols]
        write_cog(
            path,
            [
                (
                    Window(0, 0, window.width, window.height),
                    image[rows, cols].transpose(2, 0, 1),
                    there,
                )
            ],
            height=window.height,
            width=window.width,
            bands=3,
            dtype="uint8",
            transform=self.grid.transform(window),
        )
        return path

    def write_labels(self, polygons: Path, extents: Path, **changes) -> None:
        from rasterio.features import shapes

        transform = self.grid.transform(self.window)
        found = [
            shapely.geometry.shape(geometry)
            for geometry, _ in shapes(
                self.truth.astype(np.uint8), mask=self.truth, transform=transform
            )
        ]
        write_table(gpd.GeoDataFrame(geometry=found, crs=4326), polygons)
        rows = [
            {
                "extent_id": f"x{number}",
                "split": "validation" if number in (2, 5) else "train",
                "source": "two" if number == 1 else "",
                "geometry": self.grid.polygon(block),
            }
            for number, block in enumerate(self.blocks[:7])
        ]
        table = gpd.GeoDataFrame(rows, crs=4326)
        for column, values in changes.items():
            table[column] = values
        write_table(table, extents)

    def arrays(self, window: PixelWindow, source: str = "one"):
        rows, cols = window.relative_to(self.window)
        return self.images[source][rows, cols], self.valid[rows, cols]


@pytest.fixture(scope="session")
def province(tmp_path_factory, grid) -> Province:
    return Province(tmp_path_factory.mktemp("province"), grid)


@pytest.fixture(scope="session")
def local_mean() -> LocalMean:
    return LocalMean()


@pytest.fixture(scope="session")
def local_mean_class() -> type[LocalMean]:
    return LocalMean


@pytest.fixture(scope="session")
def still() -> Augmentation:
    """No augmentation at all."""
    return STILL
