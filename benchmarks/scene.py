"""What the benchmarks of the segmentation run on: GENERATED fields, and models trained on them.

A model with random weights answers near its threshold everywhere, where a mask tells nothing; so
every comparison of masks is made with weights that were trained, on the scene itself.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.windows import Window
from scipy.spatial import cKDTree

from cropbase.rasters import write_cog
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.segmentation.architectures import SegmentationModel, build_model
from croplayer.segmentation.loop import Trainer
from croplayer.segmentation.ranks import make_fabric
from croplayer.segmentation.sampling import ChipSampler
from croplayer.segmentation.windows import LabelledWindow
from croplayer.settings.segmentation import SegmentationSettings

SEED = 20
PATCH = 1024
_PALETTE = np.array([[120, 165, 70], [160, 150, 90], [95, 80, 60], [70, 100, 60], [130, 125, 120]])


def fields(pixels: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (pixels, pixels, 3) of fields, woods and paved ground, and where cropland is."""
    rng = np.random.default_rng(seed)
    count = max(pixels * pixels // 2500, 8)
    centres = rng.uniform(0, pixels, (count, 2))
    centres[:, 1] *= 0.5  # fields are longer than wide
    rows, cols = np.mgrid[:pixels, :pixels]
    places = np.column_stack([rows.ravel(), cols.ravel() * 0.5])
    distance, owner = cKDTree(centres).query(places, k=2)
    kind = rng.choice(len(_PALETTE), count, p=[0.3, 0.2, 0.15, 0.2, 0.15])
    colour = _PALETTE[kind] + rng.normal(0, 8, (count, 3))
    image = colour[owner[:, 0]]
    edge = distance[:, 1] - distance[:, 0] < 2
    image[edge] = 0.6 * image[edge] + 0.4 * np.array([90, 85, 75])
    image = image.reshape(pixels, pixels, 3) + rng.normal(0, 7, (pixels, pixels, 3))
    cropland = ((kind[owner[:, 0]] < 3) & ~edge).reshape(pixels, pixels)
    return np.clip(image, 0, 255).astype(np.uint8), cropland


def trained(settings: SegmentationSettings, steps: int) -> SegmentationModel:
    """A model of these settings after a short training on the scene."""
    short = settings.model_copy(
        update={
            "max_steps": steps,
            "warmup_steps": steps // 10,
            "validate_every_steps": steps,
            "ema_decay": None,
        }
    )
    torch.manual_seed(SEED)
    model = build_model(short)
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            model,
            sampler(short, model),
            lambda _: {"iou": 0.0},
            short,
            make_fabric(short),
            total_steps=steps,
            checkpoint=Path(folder) / "state.pt",
            fingerprint="",
        ).run()
    return model.eval()


def sampler(settings: SegmentationSettings, model: SegmentationModel) -> ChipSampler:
    """Chips of the scene with their labels."""
    rgb, cropland = fields(PATCH)
    window = LabelledWindow(
        "generated", "scene", "train", rgb, np.ones(cropland.shape, dtype=bool),
        cropland.astype(np.uint8), PixelWindow(0, 0, PATCH, PATCH),
    )  # fmt: skip
    return ChipSampler([window], settings, tuple(model.mean.tolist()))


class Shard:
    """A mosaic of generated fields on disk: `edge` x `edge` blocks with a halo.

    The scene's patch is repeated over the shard, each time in another shade.
    """

    def __init__(self, folder: Path, edge: int, pixels_per_block: int, halo: int) -> None:
        self.grid = BlockGrid(0.05, pixels_per_block, 1.0)
        corner = self.grid.parse_block_id("E11200N2400")
        self.blocks = [
            Block(corner.row + row, corner.col + col) for row in range(edge) for col in range(edge)
        ]
        self.window = self.grid.shard_window(self.blocks)
        self.mosaic = folder / "mosaic.tif"
        self._covered = self.window.buffered(halo)
        write_cog(
            self.mosaic,
            self._patches(),
            height=self._covered.height,
            width=self._covered.width,
            bands=3,
            dtype="uint8",
            transform=self.grid.transform(self._covered),
            threads=os.cpu_count() or 1,
        )

    def _patches(self) -> Iterator[tuple[Window, np.ndarray, np.ndarray]]:
        rgb, _ = fields(PATCH)
        rng = np.random.default_rng(SEED)
        bands = rgb.transpose(2, 0, 1)
        for row in range(0, self._covered.height, PATCH):
            for col in range(0, self._covered.width, PATCH):
                height = min(PATCH, self._covered.height - row)
                width = min(PATCH, self._covered.width - col)
                shade = rng.uniform(0.9, 1.1, (3, 1, 1))
                part = np.clip(bands[:, :height, :width] * shade, 0, 255).astype(np.uint8)
                yield Window(col, row, width, height), part, np.ones(part.shape[1:], dtype=bool)


def row(
    case: str, ours: float, peer: float | None, unit: str, bar: float | None, **more: Any
) -> dict:
    """A row of results; `ratio` is the peer's figure by ours, unless `more` has it."""
    ratio = more.pop("ratio", None if peer is None else peer / ours)
    passed = more.pop("passed", bar is None or (ratio is not None and ratio >= bar))
    return {
        "case": case, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, "bar": bar,
        "passed": bool(passed), **more, "seed": SEED, "versions": versions(),
        "hardware": hardware(),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of what computes."""
    names = ("torch", "transformers", "numpy", "rasterio")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def hardware() -> str:
    """The machine, and its GPU if there is one."""
    cores = f"{platform.machine()}, {os.cpu_count()} cores"
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {cores}"
    return cores
