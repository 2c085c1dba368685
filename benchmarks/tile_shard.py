"""A shard of generated tiles, each unlike the others, and a source that leads to them."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles.coverage import covering_tiles
from croplayer.tiles.ledger import create_schema

NAME = "scene"
ZOOM = 16
GRID = BlockGrid(0.05, 2304, 1.0)
_PATCH = 16
"""Edge in pixels of the patches that say which tile it is."""


def shard_blocks(side: int) -> list[Block]:
    """side x side blocks at 24 degrees north; about 90 tiles a block."""
    first = GRID.block_at(112.02, 24.02)
    return [Block(first.row + r, first.col + c) for r in range(side) for c in range(side)]


def places_of(blocks: list[Block]) -> list[tuple[int, int]]:
    """(x, y) of the tiles under blocks."""
    xs, ys = covering_tiles(TileMatrix(ZOOM, 256), "wgs84", GRID, blocks, 0)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def write_truth(
    path: Path, places: list[tuple[int, int]], *, seed: int, squares: bool = False
) -> dict:
    """Write an MBTiles file of JPEG tiles (some 20 kB each); returns {(x, y): its bytes}.

    With `squares` they are of one colour each 32 pixels, so that rasters of them are small, and
    have their bytes from a comment.
    """
    rng = np.random.default_rng(seed)
    edge, resampling = (8, Image.Resampling.NEAREST) if squares else (32, Image.Resampling.BICUBIC)
    noise = rng.integers(0, 256, (8, edge, edge, 3), dtype=np.uint8)
    grounds = [np.asarray(Image.fromarray(part).resize((256, 256), resampling)) for part in noise]
    comment = rng.bytes(16_000) if squares else b""
    tiles = {(x, y): _tile(grounds[(x + 3 * y) % 8], x, y, comment) for x, y in places}
    with closing(sqlite3.connect(path)) as database:
        create_schema(database, "main")
        for (x, y), data in tiles.items():
            database.execute("INSERT INTO images VALUES (?, ?)", (f"{x}/{y}", data))
            south = (1 << ZOOM) - 1 - y
            database.execute("INSERT INTO map VALUES (?, ?, ?, ?)", (ZOOM, x, south, f"{x}/{y}"))
        database.commit()
    return tiles


def _tile(ground: np.ndarray, x: int, y: int, comment: bytes) -> bytes:
    """JPEG of a ground with the bits of x and y as black and white patches along its edges."""
    pixels = ground.copy()
    for k in range(16):
        edge = slice(k * _PATCH, (k + 1) * _PATCH)
        pixels[:_PATCH, edge] = 255 * (x >> k & 1)
        pixels[-_PATCH:, edge] = 255 * (y >> k & 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85, comment=comment)
    return buffer.getvalue()


def source_at(url: str, **manners: Any) -> XyzSource:
    """The source of the tiles on a server of this machine."""
    return XyzSource(
        url=f"{url}/{NAME}/{{z}}/{{x}}/{{y}}.jpg",
        zoom=ZOOM,
        terms_accepted=True,
        generated=True,
        **manners,
    )


def stored_tiles(path: Path) -> dict[tuple[int, int], bytes]:
    """{(x, y): bytes} of an MBTiles file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT tile_column, tile_row, tile_data FROM tiles")
        return {(x, (1 << ZOOM) - 1 - row): bytes(data) for x, row, data in rows}
