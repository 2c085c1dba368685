"""Three blocks with fields and extents, generated, for tests of the import of labels."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from croplayer.grid import Block, BlockGrid

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=96, shard_degrees=0.2)
BLOCKS = [Block(1300, 5850), Block(1300, 5851), Block(1301, 5850)]
WEST, SOUTH, EAST, NORTH = GRID.bounds(BLOCKS[0])
TRAIN, VALIDATION, NEGATIVE = (GRID.polygon(block) for block in BLOCKS)


def part(x0, y0, x1, y1, block=BLOCKS[0]) -> shapely.Polygon:
    """A rectangle in fractions of a block."""
    west, south, east, north = GRID.bounds(block)
    w, h = east - west, north - south
    return shapely.box(west + x0 * w, south + y0 * h, west + x1 * w, south + y1 * h)


def fields() -> gpd.GeoDataFrame:
    shapes = [
        part(0.1, 0.1, 0.4, 0.4),
        part(0.4, 0.1, 0.7, 0.4),
        part(0.2, 0.2, 0.8, 0.8, BLOCKS[1]),
    ]
    return gpd.GeoDataFrame({"class": ["paddy", None, "terraces"]}, geometry=shapes, crs=4326)


def extents() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"extent_id": ["a", "b", "c"], "split": ["train", "validation", "train"]},
        geometry=[TRAIN, VALIDATION, NEGATIVE],
        crs=4326,
    )


def refused(case, error, *args, **settings) -> str:
    """The message of the refusal; asserts that nothing at all was written."""
    with pytest.raises(error) as caught:
        case(*args, **settings)
    assert type(caught.value) is error
    assert list(case.folder.glob("**/*")) == []
    assert "what to do" in str(caught.value)
    return str(caught.value)
