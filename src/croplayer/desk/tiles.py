"""Pictures of the mosaics and masks, cut on the fly on the global pixel grid.

A tile of level 0 is 256 x 256 pixels of the grid; each further level covers twice as much ground.
Tile (0, 0) begins at 180 W, 90 N, so that a tile's address does not depend on files.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cropbase.atlas.sampling import RasterSet
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.report.shards import read_codes, read_imagery
from croplayer.report.style import OPTION_COLOURS, Extent

TILE = 256
MAX_LEVEL = 14
OUTLINE = 2
"""Thickness of the outline of a mask, pixels of the tile."""
MASK_COLOURS = (OPTION_COLOURS["only_a"], OPTION_COLOURS["only_b"])
"""Colours of the cropland of source A and B, those of the figures."""
_UNKNOWN = (110, 110, 110, 150)
_CROP, _NODATA = 1, 2


@dataclass(frozen=True)
class Picture:
    """An encoded tile and what HTTP calls its type."""

    content: bytes
    media_type: str


class TileCutter:
    """Cuts tiles, and keeps the last ones.

    Parameters
    ----------
    grid : the global grid.
    imagery, masks : rasters of each source, A first.
    cache_bytes : how much encoded tiles may take.
    """

    def __init__(
        self,
        grid: BlockGrid,
        *,
        imagery: Mapping[str, RasterSet],
        masks: Mapping[str, RasterSet],
        cache_bytes: int = 64_000_000,
    ) -> None:
        self._grid = grid
        self._imagery, self._masks = dict(imagery), dict(masks)
        colours = dict(zip(self._masks, MASK_COLOURS, strict=False))
        self._palettes = {source: _palette(colour) for source, colour in colours.items()}
        self._cache = _Cache(cache_bytes)

    def extent(self, level: int, x: int, y: int) -> Extent:
        """(west, south, east, north) of a tile, degrees."""
        size = TILE << level
        return self._grid.window_bounds(PixelWindow(y * size, x * size, size, size))

    def imagery(self, source: str, level: int, x: int, y: int) -> tuple[str, Callable[[], Picture]]:
        """(tag, how to cut it) of a tile of a source's mosaic; transparent where nothing is."""
        extent = self.extent(level, x, y)
        files = self._imagery[source].meeting(extent)
        key = f"image/{source}/{level}/{x}/{y}/{_state(files)}"
        return key, lambda: self._cache.get(
            key, lambda: _encode_image(read_imagery(files, extent, TILE))
        )

    def mask(
        self, source: str, level: int, x: int, y: int, *, outline: bool
    ) -> tuple[str, Callable[[], Picture]]:
        """(tag, how to cut it) of a tile of a source's mask: its cropland filled or outlined."""
        extent = self.extent(level, x, y)
        # A margin on each side: an outline must not depend on where tiles end.
        margin = OUTLINE * (extent[2] - extent[0]) / TILE
        wider = (
            *(extent[0] - margin, extent[1] - margin),
            *(extent[2] + margin, extent[3] + margin),
        )
        files = self._masks[source].meeting(wider)
        key = f"mask/{source}/{level}/{x}/{y}/{int(outline)}/{_state(files)}"

        def cut() -> Picture:
            codes = read_codes(files, wider, TILE + 2 * OUTLINE)
            return _encode_mask(codes, self._palettes[source], outline=outline)

        return key, lambda: self._cache.get(key, cut)


class _Cache:
    """The pictures used last, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Picture]) -> Picture:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
        picture = make()
        with self._lock:
            if key not in self._pictures:
                self._pictures[key] = picture
                self._held += len(picture.content)
            while self._held > self._most:
                self._held -= len(self._pictures.popitem(last=False)[1].content)
        return picture


def _state(files: list[Path]) -> str:
    """Changes when a file does: the workflow may replace masks while the desk is open."""
    return "-".join(f"{(s := path.stat()).st_mtime_ns:x}.{s.st_size:x}" for path in files)


def _encode_image(rgba: np.ndarray) -> Picture:
    """JPEG without subsampled colours; PNG where a part is transparent."""
    buffer = io.BytesIO()
    if rgba[..., 3].all():
        Image.fromarray(rgba[..., :3]).save(buffer, "JPEG", quality=92, subsampling=0)
        return Picture(buffer.getvalue(), "image/jpeg")
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=1)
    return Picture(buffer.getvalue(), "image/png")


def _encode_mask(codes: np.ndarray, palette: tuple[bytes, bytes], *, outline: bool) -> Picture:
    """Codes of a tile and its margin to PNG: cropland in colour, nodata grey, the rest clear."""
    crop = codes == 1
    if outline:
        crop &= ~ndimage.binary_erosion(crop, iterations=OUTLINE)
    inner = slice(OUTLINE, -OUTLINE), slice(OUTLINE, -OUTLINE)
    index = np.where(codes[inner] == 255, _NODATA, 0).astype(np.uint8)
    index[crop[inner]] = _CROP
    image = Image.fromarray(index, mode="P")
    image.putpalette(palette[0])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=palette[1], compress_level=1)
    return Picture(buffer.getvalue(), "image/png")


def _palette(colour: str) -> tuple[bytes, bytes]:
    """(colours, opacities) of clear, cropland, nodata."""
    rgb = bytes.fromhex(colour.removeprefix("#"))
    return bytes(3) + rgb + bytes(_UNKNOWN[:3]), bytes([0, 255, _UNKNOWN[3]])
