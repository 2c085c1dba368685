"""From samples to the colours of tiles: photographs, classes as shares, values as shades."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from rasterio.enums import Resampling

from cropbase.atlas.pyramid import TILE
from cropbase.atlas.sampling import Frame, RasterSet

Draw = Callable[[Frame], np.ndarray | None]
TIMES = 2
"""Samples along the edge of a tile's pixel."""


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def draw_imagery(rasters: RasterSet) -> Draw:
    """Draws RGB rasters as they are; clear where no pixel is valid."""

    def draw(frame: Frame) -> np.ndarray | None:
        found = rasters.sample(frame, bands=(1, 2, 3), times=TIMES, resampling=Resampling.average)
        if found is None or not found[1].any():
            return None
        values, known = found
        weight = _pooled(known)
        total = _pooled(np.where(known, values, 0))
        mean = (total + weight // 2) // np.maximum(weight, 1)
        opacity = np.where(weight > 0, 255, 0).astype(np.uint8)
        return np.stack([*mean.astype(np.uint8), opacity], axis=-1)

    return draw


def draw_classes(
    read: Callable[[Frame, int], np.ndarray | None], colours: Mapping[int, str]
) -> Draw:
    """Draws codes in the colours given for some of them; the others are clear.

    Parameters
    ----------
    read : (frame, times) -> (n, n) codes at the samples of the frame, None where nothing is.
    colours : code -> `#rrggbb`. The opacity of a pixel is the share of its samples that have any of
        these codes, its colour the mean of theirs.
    """

    def draw(frame: Frame) -> np.ndarray | None:
        codes = read(frame, TIMES)
        if codes is None:
            return None
        weight = np.zeros((TILE, TILE), dtype=np.uint16)
        mixed = np.zeros((TILE, TILE, 3), dtype=np.uint16)
        for code, colour in colours.items():
            share = _pooled(codes == code)
            weight += share
            mixed += share[..., None] * np.array(rgb(colour), dtype=np.uint16)
        if not weight.any():
            return None
        mean = (mixed + weight[..., None] // 2) // np.maximum(weight, 1)[..., None]
        opacity = weight * (255 / TIMES**2)
        return np.dstack([mean, np.rint(opacity)]).astype(np.uint8)

    return draw


def codes_of(
    rasters: RasterSet, *, unknown: int = 255
) -> Callable[[Frame, int], np.ndarray | None]:
    """Reads class rasters, the nearest pixel; `unknown` where there is none."""

    def read(frame: Frame, times: int) -> np.ndarray | None:
        found = rasters.sample(frame, times=times)
        return None if found is None else np.where(found[1], found[0][0], np.uint8(unknown))

    return read


def draw_values(rasters: RasterSet, *, shades: Sequence[str], top: float) -> Draw:
    """Draws a quantity above zero in shades from 0 to `top` by its square root; zero is clear.

    `top` and more have the last shade; unknown cells are clear.
    """
    table = np.array([rgb(shade) for shade in shades], dtype=np.uint8)

    def draw(frame: Frame) -> np.ndarray | None:
        found = rasters.sample(frame, resampling=Resampling.average)
        if found is None:
            return None
        values = np.where(found[1], found[0][0], 0).astype(np.float64)
        values = np.nan_to_num(values)
        if not (values > 0).any():
            return None
        place = np.sqrt(np.clip(values / top, 0, 1)) * (len(table) - 1)
        colours = table[np.rint(place).astype(int)]
        return np.dstack([colours, np.where(values > 0, 255, 0).astype(np.uint8)])

    return draw


def _pooled(samples: np.ndarray) -> np.ndarray:
    """(..., 256, 256) uint16: sums over the samples of each pixel, (..., n, n)."""
    parts = [
        samples[..., down::TIMES, across::TIMES] for down in range(TIMES) for across in range(TIMES)
    ]
    total = parts[0].astype(np.uint16)
    for part in parts[1:]:
        total += part
    return total
