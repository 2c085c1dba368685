"""Tiles, beside the arrays that the rasters were written from."""

from __future__ import annotations

import io
import os
import time

import numpy as np
import pytest
from desk_province import GRID, PIXELS, SOURCES
from PIL import Image
from scipy import ndimage

from cropbase.atlas.sampling import RasterSet
from croplayer.desk.tiles import MASK_COLOURS, TILE, TileCutter


@pytest.fixture
def cutter(tiny):
    layers = {
        stage: {
            s: RasterSet.open((tiny.results / "tiny" / stage / s).glob("*.tif")) for s in SOURCES
        }
        for stage in ("mosaic", "mask")
    }
    return TileCutter(GRID, imagery=layers["mosaic"], masks=layers["mask"])


def pixels(picture) -> np.ndarray:
    """(rows, columns, 4) of a tile."""
    return np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGBA")).astype(int)


def canvas(tiny, cut, level=0):
    """The province's ground put together from tiles: (rows, columns, 4)."""
    col, row = (n >> level for n in tiny.origin)
    height, width = (n >> level for n in tiny.masks["google"].shape)
    x0, y0 = col // TILE, row // TILE
    x1, y1 = (col + width - 1) // TILE, (row + height - 1) // TILE
    rows = [
        np.concatenate([pixels(cut(level, x, y)[1]()) for x in range(x0, x1 + 1)], axis=1)
        for y in range(y0, y1 + 1)
    ]
    whole = np.concatenate(rows)
    top, left = row - y0 * TILE, col - x0 * TILE
    return whole[top : top + height, left : left + width]


@pytest.mark.parametrize("source", SOURCES)
def test_images_are_the_mosaic_pixel_by_pixel(tiny, cutter, source):
    shown = canvas(tiny, lambda *tile: cutter.imagery(source, *tile))
    known = tiny.masks[source] != 255
    assert (shown[..., 3] == np.where(known, 255, 0)).all()
    error = np.abs(shown[..., :3] - tiny.images[source].astype(int))[known]
    assert error.max() <= 6 and error.mean() < 1  # JPEG at quality 92


def test_a_coarser_level_shows_the_mean_of_four_pixels(tiny, cutter):
    shown = canvas(tiny, lambda *tile: cutter.imagery("google", *tile), level=1)
    image = tiny.images["google"].astype(float)
    height, width = image.shape[0] // 2, image.shape[1] // 2
    mean = image.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    assert np.abs(shown[..., :3] - mean)[40:, 40:].mean() < 1.5


@pytest.mark.parametrize(("index", "source"), list(enumerate(SOURCES)))
def test_masks_are_filled_or_outlined_in_the_colour_of_their_source(tiny, cutter, index, source):
    mask = tiny.masks[source]
    colour = [int(MASK_COLOURS[index][k : k + 2], 16) for k in (1, 3, 5)]
    crop, unknown = mask == 1, mask == 255
    filled = canvas(tiny, lambda *tile: cutter.mask(source, *tile, outline=False))
    assert (filled[crop] == [*colour, 255]).all()
    assert (filled[mask == 0][:, 3] == 0).all()
    assert (filled[unknown][:, 3] > 0).all() and (filled[unknown][:, 3] < 255).all()
    outlined = canvas(tiny, lambda *tile: cutter.mask(source, *tile, outline=True))
    # Cropland at most two steps (up, down, left, right) from what is none; beyond the province nothing
    # is. Tiles end inside the province: an outline that depended on them would show here.
    steps = ndimage.distance_transform_cdt(np.pad(crop, 2), metric="taxicab")[2:-2, 2:-2]
    edge = crop & (steps <= 2)
    assert 0 < edge.sum() < crop.sum()
    assert ((outlined[..., 3] == 255) == edge).all()


def test_tiles_end_inside_the_province(tiny):
    (col, row), size = tiny.origin, tiny.masks["google"].shape
    assert col // TILE != (col + size[1] - 1) // TILE or row // TILE != (row + size[0] - 1) // TILE


def test_a_tile_far_away_is_clear(cutter):
    assert (pixels(cutter.imagery("google", 0, 5, 5)[1]())[..., 3] == 0).all()


def test_the_cache_gives_the_same_and_notices_a_new_file(tiny, cutter):
    x, y = (n // TILE for n in tiny.origin)
    tag, cut = cutter.imagery("google", 0, x, y)
    assert cut() is cutter.imagery("google", 0, x, y)[1]()
    for path in (tiny.results / "tiny" / "mosaic" / "google").glob("*.tif"):
        os.utime(path, ns=(time.time_ns(), time.time_ns()))
    again, recut = cutter.imagery("google", 0, x, y)
    assert again != tag and recut() is not cut()


def test_the_cache_holds_no_more_than_it_may(tiny):
    layer = RasterSet.open((tiny.results / "tiny" / "mosaic" / "google").glob("*.tif"))
    small = TileCutter(GRID, imagery={"google": layer}, masks={}, cache_bytes=1)
    x, y = (n // TILE for n in tiny.origin)
    one = small.imagery("google", 0, x, y)[1]()
    assert small.imagery("google", 0, x, y)[1]() is not one
    assert small._cache._held == 0


def test_blocks_are_where_the_page_looks_for_them(open_desk, tiny):
    desk = open_desk()
    first = desk.places[tiny.ids[0]]
    assert first.pixels == (*tiny.origin, PIXELS, PIXELS)
    assert first.bounds == GRID.bounds(GRID.parse_block_id(tiny.ids[0]))
