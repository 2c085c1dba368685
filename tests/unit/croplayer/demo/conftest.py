"""A small generated province, made once for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from croplayer.demo.generate import generate_province
from croplayer.grid import BlockGrid
from croplayer.settings.demo import DemoSettings

SMALL = {
    "seed": 10,
    "blocks_wide": 6,
    "blocks_high": 4,
    "margin_pixels": 64,
    "zoom": 12,
    "cloudy_blocks": (2, 1),
    "snow_blocks": 1,
    "nodata_blocks": (1, 1),
    "train_extents": 6,
    "validation_extents": 3,
    "extent_pixels": 56,
}


@dataclass(frozen=True)
class Small:
    folder: Path
    settings: DemoSettings
    grid: BlockGrid


def make(folder: Path, **changes: object) -> Small:
    settings = DemoSettings(**{**SMALL, **changes})
    grid = BlockGrid(0.05, 144, 0.2)
    generate_province(folder, settings=settings, grid=grid)
    return Small(folder, settings, grid)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small province, read only."""
    return make(tmp_path_factory.mktemp("generated_province"))


@pytest.fixture(scope="session")
def remake():
    """The function that generates the small province with other settings."""
    return make
