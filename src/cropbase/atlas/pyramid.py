"""Pyramids of Web Mercator tiles beside a page: `<layer>/<zoom>/<x>/<y>.webp`.

The deepest zoom is drawn from the data, every other one averaged from the four tiles below, so the
data are read once. How deep it goes is a matter of bytes: see `choose_zoom`.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropbase.atlas.sampling import Frame
from cropbase.errors import InputError
from cropbase.figures import Extent
from cropbase.webmercator import TileMatrix

log = logging.getLogger(__name__)

TILE = 256
SAMPLES = 8
"""Tiles of a layer that are drawn to reckon what a zoom costs."""
QUALITY = 80
_FILL = 0.8
"""Share of the budget that the reckoning may fill: it rests on a sample."""
_WIDEST = 2 * TILE
"""Pixels of the map's longer edge at the coarsest zoom, at most."""

Tile = tuple[int, int]
"""(x, y) of a tile."""


@dataclass(frozen=True)
class TileLayer:
    """One map to be cut into tiles.

    Parameters
    ----------
    key : its folder's name.
    draw : the tile of a frame, (256, 256, 4) uint8 RGBA, None where nothing is to be seen.
    lossless : classes keep their colours; photographs become smaller with losses.
    """

    key: str
    draw: Callable[[Frame], np.ndarray | None]
    lossless: bool = True


@dataclass(frozen=True)
class Pyramid:
    """What was written.

    Parameters
    ----------
    zooms : the coarsest and the deepest zoom.
    tiles : layer -> zoom -> tiles that are there.
    size_bytes : of all files together.
    """

    zooms: tuple[int, int]
    tiles: dict[str, dict[int, frozenset[Tile]]]
    size_bytes: int

    def index(self) -> dict[str, Any]:
        """Which tiles there are, for a page that must not ask for others: layer -> zoom ->
        [first x, first y, columns, rows, bits of the rectangle in base64]."""
        return {
            key: {str(zoom): _bits(tiles) for zoom, tiles in levels.items() if tiles}
            for key, levels in self.tiles.items()
        }


def tiles_over(boxes: np.ndarray, zoom: int) -> frozenset[Tile]:
    """Tiles of a zoom that share area with any of `boxes`, (n, 4) west, south, east, north."""
    matrix = TileMatrix(zoom, TILE)
    west, south, east, north = np.asarray(boxes, dtype=np.float64).T
    # A box that ends where a tile begins does not reach into it.
    first_x = np.floor(matrix.x(west) / TILE + 1e-9).astype(int)
    last_x = np.ceil(matrix.x(east) / TILE - 1e-9).astype(int) - 1
    first_y = np.floor(matrix.y(north) / TILE + 1e-9).astype(int)
    last_y = np.ceil(matrix.y(south) / TILE - 1e-9).astype(int) - 1
    return frozenset(
        (x, y)
        for x0, x1, y0, y1 in zip(first_x, last_x, first_y, last_y, strict=True)
        for x in range(int(x0), int(x1) + 1)
        for y in range(int(y0), int(y1) + 1)
        if 0 <= x < matrix.tiles and 0 <= y < matrix.tiles
    )


def native_zoom(pixel_degrees: float) -> int:
    """The least zoom whose pixels are not larger than `pixel_degrees` of longitude."""
    return int(np.ceil(np.log2(360 / TILE / pixel_degrees) - 1e-9))


def coarsest_zoom(bounds: Extent) -> int:
    """The deepest zoom at which `bounds` is at most 512 pixels long."""
    west, south, east, north = bounds
    world = TileMatrix(0, TILE)
    longest = max(float(world.x(east) - world.x(west)), float(world.y(south) - world.y(north)))
    return max(0, int(np.floor(np.log2(_WIDEST / longest))))


def choose_zoom(
    layers: Sequence[TileLayer], boxes: np.ndarray, *, zooms: tuple[int, int], budget_bytes: int
) -> int:
    """The deepest of `zooms` at which the tiles of all layers fit into the budget.

    For each zoom, from the deepest, eight tiles of every layer are drawn and encoded; their mean
    size times the number of tiles, and a third more for the zooms above, may fill four fifths of
    the budget. The coarsest zoom is taken whatever it costs.
    """
    coarsest, deepest = zooms
    for zoom in range(deepest, coarsest, -1):
        places = sorted(tiles_over(boxes, zoom))
        chosen = [
            places[k] for k in np.unique(np.linspace(0, len(places) - 1, SAMPLES).astype(int))
        ]
        each = sum(_mean_bytes(layer, zoom, chosen) for layer in layers)
        reckoned = each * len(places) * 4 / 3
        log.info("zoom %d: %d tiles a layer, about %.1f MB", zoom, len(places), reckoned / 1e6)
        if reckoned <= _FILL * budget_bytes:
            return zoom
    return coarsest


def write_pyramid(
    layers: Sequence[TileLayer],
    *,
    boxes: np.ndarray,
    folder: Path,
    pixel_degrees: float,
    budget_bytes: int,
    threads: int = 1,
) -> Pyramid:
    """Cut all layers into tiles in `folder`, which is made anew and appears only whole.

    Parameters
    ----------
    boxes : (n, 4) west, south, east, north of the ground to be shown, degrees.
    pixel_degrees : pixel of the finest layer: no zoom is deeper than that needs.
    budget_bytes : what all tiles may take; deepest zooms that exceed it are not kept.
    threads : layers that are drawn at the same time; they change no byte.

    Raises InputError for rasters that cannot be read.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if not len(boxes):
        raise InputError("a map of no ground at all", remedy="give at least one box")
    bounds = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
    coarsest = coarsest_zoom(bounds)
    deepest = max(native_zoom(pixel_degrees), coarsest)
    zoom = choose_zoom(layers, boxes, zooms=(coarsest, deepest), budget_bytes=budget_bytes)
    wanted = _levels(tiles_over(boxes, zoom), (coarsest, zoom))
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with ThreadPoolExecutor(threads) as pool:
        works = [
            pool.submit(_write_layer, layer, wanted, (coarsest, zoom), draft) for layer in layers
        ]
        sizes = {layer.key: work.result() for layer, work in zip(layers, works, strict=True)}
    while zoom > coarsest and _total(sizes) > budget_bytes:
        for layer in layers:
            shutil.rmtree(draft / layer.key / str(zoom), ignore_errors=True)
            del sizes[layer.key][zoom]
        zoom -= 1
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(draft, folder)
    tiles = {
        key: {level: frozenset(found) for level, found in levels.items()}
        for key, levels in sizes.items()
    }
    return Pyramid((coarsest, zoom), tiles, _total(sizes))


Sizes = dict[int, dict[Tile, int]]
"""zoom -> tile -> bytes."""


def _levels(tiles: Iterable[Tile], zooms: tuple[int, int]) -> dict[int, frozenset[Tile]]:
    """The tiles of every zoom above the given ones of the deepest."""
    coarsest, zoom = zooms
    levels = {zoom: frozenset(tiles)}
    for level in range(zoom - 1, coarsest - 1, -1):
        levels[level] = frozenset((x // 2, y // 2) for x, y in levels[level + 1])
    return levels


def _write_layer(
    layer: TileLayer, wanted: dict[int, frozenset[Tile]], zooms: tuple[int, int], folder: Path
) -> Sizes:
    coarsest, deepest = zooms
    sizes: Sizes = {zoom: {} for zoom in range(coarsest, deepest + 1)}

    def make(zoom: int, tile: Tile) -> np.ndarray | None:
        if tile not in wanted[zoom]:
            return None
        x, y = tile
        if zoom == deepest:
            picture = layer.draw(Frame(TileMatrix(zoom, TILE), x, y))
        else:
            quarters = [
                make(zoom + 1, (2 * x + right, 2 * y + below))
                for below in (0, 1)
                for right in (0, 1)
            ]
            picture = average_of(quarters)
        if picture is not None:
            content = encode(picture, lossless=layer.lossless)
            path = folder / layer.key / str(zoom) / str(x) / f"{y}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            sizes[zoom][tile] = len(content)
        return picture

    for tile in sorted(wanted[coarsest]):
        make(coarsest, tile)
    return sizes


def average_of(quarters: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """A tile from the four below it (north-west, north-east, south-west, south-east).

    Each is (n, n, 4) uint8 RGBA or None for nothing; colours count by their opacity.
    """
    found = [quarter for quarter in quarters if quarter is not None]
    if not found:
        return None
    empty = np.zeros_like(found[0])
    nw, ne, sw, se = (empty if quarter is None else quarter for quarter in quarters)
    whole = np.block([[[nw], [ne]], [[sw], [se]]]).astype(np.float32)
    size = len(empty)
    cells = whole.reshape(size, 2, size, 2, 4)
    opacity = cells[..., 3:]
    weight = opacity.sum(axis=(1, 3))
    colours = (cells[..., :3] * opacity).sum(axis=(1, 3)) / np.maximum(weight, 1)
    return np.rint(np.concatenate([colours, weight / 4], axis=-1)).astype(np.uint8)


def encode(picture: np.ndarray, *, lossless: bool) -> bytes:
    """A tile as WebP."""
    buffer = io.BytesIO()
    opaque = bool((picture[..., 3] == 255).all())
    image = Image.fromarray(picture[..., :3] if opaque else picture)
    if lossless:
        image.save(buffer, "WEBP", lossless=True, quality=60, method=2)
    else:
        image.save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()


def _mean_bytes(layer: TileLayer, zoom: int, tiles: Sequence[Tile]) -> float:
    matrix = TileMatrix(zoom, TILE)
    sizes = []
    for x, y in tiles:
        picture = layer.draw(Frame(matrix, x, y))
        sizes.append(0 if picture is None else len(encode(picture, lossless=layer.lossless)))
    return float(np.mean(sizes))


def _total(sizes: dict[str, Sizes]) -> int:
    return sum(
        size for levels in sizes.values() for tiles in levels.values() for size in tiles.values()
    )


def _bits(tiles: frozenset[Tile]) -> list[Any]:
    xs, ys = np.array(sorted(tiles)).T
    x0, y0 = int(xs.min()), int(ys.min())
    present = np.zeros((int(ys.max()) - y0 + 1, int(xs.max()) - x0 + 1), dtype=bool)
    present[ys - y0, xs - x0] = True
    packed = np.packbits(present.ravel()).tobytes()
    return [x0, y0, present.shape[1], present.shape[0], base64.b64encode(packed).decode("ascii")]
