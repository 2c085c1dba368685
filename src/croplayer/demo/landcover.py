"""The land-cover classes of the generated landscape."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class LandCover(IntEnum):
    """Classes after Table 2 of the CropLayer paper, and what else a landscape has.

    Codes below 20 are cropland: paddy, irrigated and dry cropland, terraces, fallow land,
    greenhouses and cropland with scattered trees. Orchards are not (section 2.2.6).
    """

    PADDY = 1
    DRY_CROPLAND = 2
    TERRACE = 3
    FALLOW = 4
    GREENHOUSE = 5
    CROPLAND_WITH_TREES = 6
    ORCHARD = 21
    WOODLAND = 22
    BARE_LAND = 23
    GRASSLAND = 24
    WATER = 31
    ROAD = 32
    BUILT_UP = 33


CLASSES = 40
"""Length of look-up tables indexed by a class code."""

COLOURS: dict[LandCover, tuple[int, int, int]] = {
    LandCover.PADDY: (120, 200, 90),
    LandCover.DRY_CROPLAND: (230, 210, 90),
    LandCover.TERRACE: (200, 170, 60),
    LandCover.FALLOW: (200, 180, 140),
    LandCover.GREENHOUSE: (190, 220, 240),
    LandCover.CROPLAND_WITH_TREES: (160, 180, 70),
    LandCover.ORCHARD: (190, 110, 190),
    LandCover.WOODLAND: (30, 100, 50),
    LandCover.BARE_LAND: (170, 120, 90),
    LandCover.GRASSLAND: (170, 210, 140),
    LandCover.WATER: (60, 110, 200),
    LandCover.ROAD: (90, 90, 90),
    LandCover.BUILT_UP: (200, 60, 60),
}


def is_cropland(landcover: np.ndarray) -> np.ndarray:
    """True where the class is cropland; same shape as `landcover` (uint8 codes)."""
    return (landcover > 0) & (landcover < 20)


def colormap() -> dict[int, tuple[int, int, int, int]]:
    """Colours for a paletted GeoTIFF."""
    return {int(code): (*rgb, 255) for code, rgb in COLOURS.items()}
