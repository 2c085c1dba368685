"""Blocks, shards and pixels of one global grid in EPSG:4326.

Everything is counted in whole numbers from the north-west corner of the world (180 W, 90 N): rows
southward, columns eastward. Block edges are whole hundredths of a degree, so ids, bounds and pixel
windows are exact, and two runs, two shards or two machines never disagree by a rounding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import numpy as np
import shapely
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError

_ID = re.compile(r"^([EW])(\d{5})([NS])(\d{4})$")
ID_PATTERN = r"[EW]\d{5}[NS]\d{4}"
"""Regular expression of block and shard ids, for wildcard constraints."""


@dataclass(frozen=True, order=True)
class PixelWindow:
    """A rectangle of pixels of the global pixel grid (row and column of its north-west pixel)."""

    row: int
    col: int
    height: int
    width: int

    def buffered(self, pixels: int) -> PixelWindow:
        """The window grown by `pixels` on each side."""
        return PixelWindow(
            self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels
        )

    def relative_to(self, outer: PixelWindow) -> tuple[slice, slice]:
        """(rows, columns) slices of this window in an array that covers `outer`.

        Raises InputError if this window is not inside `outer`.
        """
        top, left = self.row - outer.row, self.col - outer.col
        inside = (
            top >= 0
            and left >= 0
            and top + self.height <= outer.height
            and left + self.width <= outer.width
        )
        if not inside:
            raise InputError(f"pixel window {self} is not inside {outer}")
        return slice(top, top + self.height), slice(left, left + self.width)

    def union(self, other: PixelWindow) -> PixelWindow:
        """The smallest window that holds both."""
        row, col = min(self.row, other.row), min(self.col, other.col)
        bottom = max(self.row + self.height, other.row + other.height)
        right = max(self.col + self.width, other.col + other.width)
        return PixelWindow(row, col, bottom - row, right - col)


@dataclass(frozen=True, order=True)
class Block:
    """One cell of the global grid. `row` counts southward from 90 N, `col` eastward from 180 W."""

    row: int
    col: int


@dataclass(frozen=True)
class Shard:
    """A square of blocks: the unit of one job and one file. Holds only planned blocks, sorted."""

    shard_id: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class BlockGrid:
    """The global grid of blocks and of the pixels inside them.

    Parameters
    ----------
    block_degrees : edge of a block; a whole number of hundredths of a degree that divides 180.
    pixels_per_block : pixels along the edge of a block (2304 at zoom 16: nine 256 px tiles).
    shard_degrees : edge of a shard; a whole number of blocks.
    """

    block_degrees: float = 0.05
    pixels_per_block: int = 2304
    shard_degrees: float = 1.0

    def __post_init__(self) -> None:
        hundredths = self.block_degrees * 100
        if abs(hundredths - round(hundredths)) > 1e-9 or round(hundredths) < 1:
            raise InputError(
                "grid.block_degrees is not a whole number of hundredths of a degree",
                given=self.block_degrees,
                allowed="0.01, 0.02, 0.05, 0.1, ...",
            )
        if 18000 % round(hundredths):
            raise InputError(
                "grid.block_degrees does not divide 180 degrees",
                given=self.block_degrees,
                allowed="0.01, 0.02, 0.05, 0.1, ...",
            )
        ratio = self.shard_degrees * 100 / round(hundredths)
        if abs(ratio - round(ratio)) > 1e-9 or round(ratio) < 1:
            raise InputError(
                "grid.shard_degrees is not a whole number of blocks",
                given=self.shard_degrees,
                allowed=f"multiples of grid.block_degrees = {self.block_degrees}",
            )

    # ------------------------------------------------------------------ sizes
    @cached_property
    def block_hundredths(self) -> int:
        """Edge of a block in hundredths of a degree."""
        return round(self.block_degrees * 100)

    @cached_property
    def blocks_per_shard(self) -> int:
        """Blocks along the edge of a full shard."""
        return round(self.shard_degrees * 100 / self.block_hundredths)

    @cached_property
    def rows(self) -> int:
        """Block rows of the world."""
        return 18000 // self.block_hundredths

    @cached_property
    def cols(self) -> int:
        """Block columns of the world."""
        return 36000 // self.block_hundredths

    @property
    def pixel_degrees(self) -> float:
        """Edge of a pixel in degrees."""
        return self.block_hundredths / (100 * self.pixels_per_block)

    # ------------------------------------------------------------------ blocks
    def block_id(self, block: Block) -> str:
        """Id from the south-west corner in hundredths of a degree, e.g. E11205N2410."""
        return _corner_id(
            block.col * self.block_hundredths - 18000,
            9000 - (block.row + 1) * self.block_hundredths,
        )

    def parse_block_id(self, block_id: str) -> Block:
        """The block of an id. Raises InputError for a malformed id or a corner off this grid."""
        west, south = _parse_corner(block_id)
        row, row_rest = divmod(9000 - south, self.block_hundredths)
        col, col_rest = divmod(west + 18000, self.block_hundredths)
        if row_rest or col_rest or not (1 <= row <= self.rows and 0 <= col < self.cols):
            raise InputError(
                f"block id {block_id!r} is not on the grid of {self.block_degrees} degrees"
            )
        return Block(row - 1, col)

    def bounds(self, block: Block) -> tuple[float, float, float, float]:
        """(west, south, east, north) of a block in degrees."""
        h = self.block_hundredths
        return (
            (block.col * h - 18000) / 100,
            (9000 - (block.row + 1) * h) / 100,
            ((block.col + 1) * h - 18000) / 100,
            (9000 - block.row * h) / 100,
        )

    def polygon(self, block: Block) -> BaseGeometry:
        """The block as a polygon, EPSG:4326."""
        return shapely.box(*self.bounds(block))

    def block_at(self, lon: float, lat: float) -> Block:
        """The block that holds a point (its west and north edges belong to it)."""
        h = self.block_hundredths
        return Block(floor((9000 - lat * 100) / h), floor((lon * 100 + 18000) / h))

    def blocks_touching(self, polygon: BaseGeometry) -> list[Block]:
        """All blocks that share area with `polygon` (EPSG:4326), sorted by row and column.

        Raises InputError if the polygon is empty, invalid or leaves the grid.
        """
        check_region(polygon)
        west, south, east, north = polygon.bounds
        h = self.block_hundredths
        row0, row1 = floor((9000 - north * 100) / h), ceil((9000 - south * 100) / h)
        col0, col1 = floor((west * 100 + 18000) / h), ceil((east * 100 + 18000) / h)
        row0, col0 = max(row0, 0), max(col0, 0)
        row1, col1 = min(row1, self.rows), min(col1, self.cols)
        grid_rows, grid_cols = np.mgrid[row0:row1, col0:col1]
        grid_rows, grid_cols = grid_rows.ravel(), grid_cols.ravel()
        boxes = shapely.box(
            (grid_cols * h - 18000) / 100,
            (9000 - (grid_rows + 1) * h) / 100,
            ((grid_cols + 1) * h - 18000) / 100,
            (9000 - grid_rows * h) / 100,
        )
        shapely.prepare(polygon)
        # A block that only touches the border shares no area with the province.
        hit = shapely.intersects(polygon, boxes) & ~shapely.touches(polygon, boxes)
        return [Block(int(r), int(c)) for r, c in zip(grid_rows[hit], grid_cols[hit], strict=True)]

    # ------------------------------------------------------------------ shards
    def shard_id(self, block: Block) -> str:
        """Id of the shard that holds a block: its south-west corner, written as a block id."""
        n = self.blocks_per_shard
        row, col = block.row // n, block.col // n
        h = self.block_hundredths * n
        return _corner_id(col * h - 18000, 9000 - (row + 1) * h)

    def shards(self, blocks: Iterable[Block]) -> list[Shard]:
        """Group blocks into shards, both sorted."""
        groups: dict[str, list[Block]] = {}
        for block in sorted(blocks):
            groups.setdefault(self.shard_id(block), []).append(block)
        return [Shard(name, tuple(groups[name])) for name in sorted(groups)]

    # ------------------------------------------------------------------ pixels
    def block_window(self, block: Block) -> PixelWindow:
        """The pixels of a block on the global pixel grid."""
        p = self.pixels_per_block
        return PixelWindow(block.row * p, block.col * p, p, p)

    def shard_window(self, blocks: Iterable[Block]) -> PixelWindow:
        """The pixels of the bounding rectangle of `blocks` (no halo)."""
        blocks = list(blocks)
        first = self.block_window(blocks[0])
        for block in blocks[1:]:
            first = first.union(self.block_window(block))
        return first

    def transform(self, window: PixelWindow) -> Affine:
        """GDAL transform (EPSG:4326) of an array that covers `window`."""
        size = self.pixel_degrees
        # Reckoned in whole numbers first: no error grows along the row.
        per = 100 * self.pixels_per_block
        west = (window.col * self.block_hundredths - 180 * per) / per
        north = (90 * per - window.row * self.block_hundredths) / per
        return Affine(size, 0.0, west, 0.0, -size, north)

    def window_bounds(self, window: PixelWindow) -> tuple[float, float, float, float]:
        """(west, south, east, north) of a pixel window in degrees."""
        start = self.transform(window)
        end = self.transform(
            PixelWindow(window.row + window.height, window.col + window.width, 0, 0)
        )
        return start.c, end.f, end.c, start.f


def check_region(polygon: BaseGeometry) -> None:
    """Raise InputError unless `polygon` is a valid, non-empty region inside the global grid."""
    if polygon is None or polygon.is_empty:
        raise InputError("the region is empty")
    if polygon.geom_type not in ("Polygon", "MultiPolygon"):
        raise InputError("the region is not a polygon", given=polygon.geom_type)
    if not polygon.is_valid:
        raise InputError(
            "the region has an invalid geometry",
            given=shapely.is_valid_reason(polygon),
            remedy="repair it (QGIS: Fix geometries; shapely.make_valid) and save it again",
        )
    west, south, east, north = polygon.bounds
    if west < -180 or east > 180 or south < -85 or north > 85:
        raise InputError(
            "the region leaves the grid",
            given=f"west {west:.4f}, south {south:.4f}, east {east:.4f}, north {north:.4f}",
            allowed="longitude -180 to 180, latitude -85 to 85 (web-map tiles end there), degrees",
            remedy="check that the coordinates are longitude and latitude in EPSG:4326",
        )


def _corner_id(west: int, south: int) -> str:
    """Id of a corner given in hundredths of a degree."""
    return f"{'E' if west >= 0 else 'W'}{abs(west):05d}{'N' if south >= 0 else 'S'}{abs(south):04d}"


def _parse_corner(text: str) -> tuple[int, int]:
    found = _ID.match(text)
    if not found:
        raise InputError(
            f"block id {text!r} is malformed",
            allowed="the south-west corner in hundredths of a degree, e.g. E11205N2410",
        )
    east, west, north, south = found.groups()
    return int(west) * (1 if east == "E" else -1), int(south) * (1 if north == "N" else -1)
