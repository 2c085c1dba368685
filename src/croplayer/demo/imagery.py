"""Two generated imagery sources rendered from the same landscape: planting season and winter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from croplayer.demo.canvas import Canvas, degree_metres
from croplayer.demo.landcover import CLASSES, LandCover
from croplayer.demo.landscape import BAND, Landscape
from croplayer.demo.noise import broad, ragged, stream, unit
from croplayer.demo.terrain import Relief

VARIANTS = 16
"""Colours that a class can take: crops, soils, roofs."""
TILE = 1024
"""Edge of the repeating fine textures, pixels."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Season:
    """How a source sees the land. Colours are sRGB 0-255; strengths are relative to the colour.

    palette : colours of each class; a parcel takes one of them by its hash.
    sun : azimuth and elevation, degrees.
    relief : strength of the shading of slopes.
    haze : least and greatest share of haze. haze_colour, cast : colour of it, gain of the bands.
    noise : standard deviation of the sensor noise, digital numbers.
    shift : (x, y) displacement of the image, pixels.
    """

    palette: dict[LandCover, tuple[Rgb, ...]]
    sun: tuple[float, float]
    relief: float
    haze: tuple[float, float]
    haze_colour: Rgb
    cast: tuple[float, float, float]
    noise: float
    shift: tuple[float, float]


_ROAD = ((176, 170, 160), (160, 158, 154), (188, 176, 152))
_BUILT = ((150, 146, 138),)

SUMMER = Season(
    palette={
        LandCover.PADDY: (
            (74, 130, 52),
            (86, 142, 58),
            (66, 120, 54),
            (96, 148, 66),
            (80, 134, 74),
        ),
        LandCover.DRY_CROPLAND: (
            (104, 144, 60),
            (132, 156, 72),
            (88, 128, 54),
            (152, 158, 84),
            (116, 138, 80),
            (164, 150, 98),
            (92, 140, 70),
            (140, 148, 64),
        ),
        LandCover.TERRACE: ((106, 142, 66), (126, 150, 76), (92, 130, 58), (146, 148, 88)),
        LandCover.FALLOW: ((162, 142, 108), (150, 138, 100), (174, 150, 118), (140, 136, 92)),
        LandCover.GREENHOUSE: ((196, 208, 214), (182, 198, 210), (208, 214, 212)),
        LandCover.CROPLAND_WITH_TREES: ((112, 142, 68), (126, 148, 78), (100, 134, 62)),
        LandCover.ORCHARD: ((142, 136, 96), (132, 134, 88), (150, 140, 104)),
        LandCover.WOODLAND: ((48, 84, 46),),
        LandCover.BARE_LAND: ((166, 148, 120), (172, 158, 132)),
        LandCover.GRASSLAND: ((126, 134, 84),),
        LandCover.WATER: ((54, 84, 86), (62, 94, 84), (48, 76, 84)),
        LandCover.ROAD: _ROAD,
        LandCover.BUILT_UP: _BUILT,
    },
    sun=(130.0, 56.0),
    relief=1.7,
    haze=(0.02, 0.24),
    haze_colour=(190, 202, 214),
    cast=(1.0, 1.0, 1.0),
    noise=2.2,
    shift=(0.0, 0.0),
)

WINTER = Season(
    palette={
        LandCover.PADDY: (
            (148, 132, 102),
            (136, 124, 100),
            (158, 142, 108),
            (120, 116, 100),
            (112, 106, 92),
            (140, 128, 92),
            (110, 128, 70),
        ),
        LandCover.DRY_CROPLAND: (
            (156, 130, 98),
            (140, 118, 90),
            (168, 144, 110),
            (128, 108, 86),
            (150, 122, 94),
            (88, 120, 62),
            (104, 132, 72),
            (134, 124, 96),
        ),
        LandCover.TERRACE: ((154, 134, 102), (142, 122, 94), (164, 146, 112), (108, 126, 74)),
        LandCover.FALLOW: ((150, 136, 108), (140, 128, 100), (158, 142, 116)),
        LandCover.GREENHOUSE: ((200, 208, 216), (188, 198, 210), (212, 216, 218)),
        LandCover.CROPLAND_WITH_TREES: ((148, 130, 100), (138, 126, 96), (116, 126, 78)),
        LandCover.ORCHARD: ((146, 128, 100), (138, 124, 94), (152, 134, 108)),
        LandCover.WOODLAND: ((70, 82, 58),),
        LandCover.BARE_LAND: ((168, 154, 134), (176, 164, 146)),
        LandCover.GRASSLAND: ((150, 142, 98),),
        LandCover.WATER: ((68, 84, 92), (76, 92, 96), (60, 76, 88)),
        LandCover.ROAD: _ROAD,
        LandCover.BUILT_UP: _BUILT,
    },
    sun=(155.0, 38.0),
    relief=1.25,
    haze=(0.08, 0.26),
    haze_colour=(206, 202, 200),
    cast=(1.03, 0.99, 0.95),
    noise=3.2,
    shift=(0.7, -0.5),
)

SEASONS = (SUMMER, WINTER)

# Strength of three grain sizes by class: pixel, 2-3 pixels, about 8 pixels.
_GRAIN: dict[LandCover, tuple[float, float, float]] = {
    LandCover.PADDY: (0.015, 0.012, 0.02),
    LandCover.DRY_CROPLAND: (0.025, 0.02, 0.03),
    LandCover.TERRACE: (0.025, 0.025, 0.03),
    LandCover.FALLOW: (0.03, 0.045, 0.05),
    LandCover.GREENHOUSE: (0.03, 0.01, 0.01),
    LandCover.CROPLAND_WITH_TREES: (0.03, 0.03, 0.03),
    LandCover.ORCHARD: (0.03, 0.03, 0.03),
    LandCover.WOODLAND: (0.06, 0.0, 0.09),
    LandCover.BARE_LAND: (0.05, 0.08, 0.11),
    LandCover.GRASSLAND: (0.07, 0.13, 0.13),
    LandCover.WATER: (0.008, 0.0, 0.015),
    LandCover.ROAD: (0.04, 0.02, 0.02),
    LandCover.BUILT_UP: (0.08, 0.03, 0.02),
}
_MARGIN = {0: np.array([112, 116, 78], np.float32), 1: np.array([134, 122, 96], np.float32)}
_TREE = {0: np.array([44, 86, 40], np.float32), 1: np.array([56, 80, 46], np.float32)}
# Roofs and yards, by `Landscape.detail`.
_DETAIL = np.array(
    [
        (0, 0, 0),
        (162, 154, 142),
        (86, 108, 66),
        (186, 178, 170),
        (160, 96, 78),
        (112, 132, 164),
        (206, 204, 200),
        (66, 66, 68),
    ],
    np.float32,
)


def render(
    canvas: Canvas, landscape: Landscape, relief: Relief, *, source: int, seed: int
) -> np.ndarray:
    """The image of one source, before clouds: (rows, columns, 3) uint8 over the canvas.

    `source` is 0 for the planting season, 1 for winter.
    """
    season = SEASONS[source]
    rng = stream(seed, f"imagery {source}")
    shape = canvas.shape
    light = _shading(canvas, relief, season)
    mottle = broad(shape, stream(seed, "mottle"), wavelength=420, exponent=1.8, step=4)
    haze = _haze(shape, season, rng)
    fine = ragged((TILE, TILE), rng, sigma=0.0)
    grain = ragged((TILE, TILE), stream(seed, "grain"), sigma=1.1)
    blot = ragged((TILE, TILE), stream(seed, "blot"), sigma=3.2)
    canopy = _canopy(stream(seed, "canopy"), season)
    scrub = ragged((TILE, TILE), stream(seed, "scrub"), sigma=1.3)
    static = ragged((TILE, TILE), rng, sigma=0.45)
    colours, strength = _tables(season)
    image = np.empty((*shape, 3), np.uint8)
    for top in range(0, shape[0], BAND):
        rows = slice(top, min(top + BAND, shape[0]))
        window = (rows, shape[1])
        code = landscape.landcover[rows]
        key = landscape.key[rows]
        variant = key & np.uint32(VARIANTS - 1)
        colour = colours[code.astype(np.intp) * VARIANTS + variant]
        gain = 1 + (unit(key, 71) - 0.5) * 0.16 * (key > 0)
        for level, texture in enumerate((fine, grain, blot)):
            gain += strength[level][code] * _repeat(texture, *window)
        natural = strength[3][code]
        gain += natural * mottle[rows] * 0.09
        wood = code == LandCover.WOODLAND
        crowns = _repeat(canopy, *window)
        gain += np.where(wood, 0.30 * crowns, 0)
        _parcel_texture(colour, gain, landscape, rows, source)
        # Scattered shrubs tell grassland from the even green of a field.
        shrub = (code == LandCover.GRASSLAND) * np.clip(_repeat(scrub, *window) - 0.8, 0, 1)
        colour += (_TREE[source] - colour) * (0.75 * shrub.astype(np.float32))[..., None]
        colour *= gain[..., None]
        thin = (landscape.margin[rows].astype(np.float32) * (0.70 / 255))[..., None]
        colour += (_MARGIN[source] - colour) * thin
        colour *= light[rows][..., None]
        colour *= np.array(season.cast, np.float32)
        veil = haze[rows][..., None]
        colour += (np.array(season.haze_colour, np.float32) - colour) * veil
        colour += season.noise * _repeat(static, *window, offset=137)[..., None]
        colour += 0.5
        np.clip(colour, 0, 255, out=colour)
        image[rows] = colour
    return image


def _tables(season: Season) -> tuple[np.ndarray, list[np.ndarray]]:
    """Colours by class * VARIANTS + variant, and grain strengths by class."""
    colours = np.zeros((CLASSES * VARIANTS, 3), np.float32)
    for code, palette in season.palette.items():
        for variant in range(VARIANTS):
            colours[code * VARIANTS + variant] = palette[variant % len(palette)]
    strength = [np.zeros(CLASSES, np.float32) for _ in range(4)]
    for code, grains in _GRAIN.items():
        for level, value in enumerate(grains):
            strength[level][code] = value
    for code in (LandCover.WOODLAND, LandCover.GRASSLAND, LandCover.BARE_LAND):
        strength[3][code] = 1.0
    return colours, strength


def _repeat(texture: np.ndarray, rows: slice, width: int, offset: int = 0) -> np.ndarray:
    """A texture repeated over some rows of the canvas."""
    size = len(texture)
    take = (np.arange(rows.start, rows.stop) + offset) % size
    across = -(-width // size)
    return np.tile(texture[take], (1, across))[:, :width]


def _canopy(rng: np.random.Generator, season: Season) -> np.ndarray:
    """Crowns lit from the side of the sun, standard deviation 1."""
    crowns = ragged((TILE, TILE), rng, sigma=1.25)
    azimuth = np.radians(season.sun[0])
    gy, gx = np.gradient(crowns)
    lit = -(gx * np.sin(azimuth) - gy * np.cos(azimuth)) + 0.35 * crowns
    return (lit / lit.std()).astype(np.float32)


def _shading(canvas: Canvas, relief: Relief, season: Season) -> np.ndarray:
    """Light on slopes relative to level ground, (rows, columns) float32."""
    _, south, _, north = canvas.bounds
    dx, dy = degree_metres((south + north) / 2, relief.transform.a)
    gy, gx = np.gradient(ndimage.gaussian_filter(relief.height, 0.7), dy, dx)
    azimuth, elevation = np.radians(season.sun)
    towards = gy * np.cos(azimuth) - gx * np.sin(azimuth)
    cosine = (np.sin(elevation) + np.cos(elevation) * towards) / np.sqrt(1 + gx**2 + gy**2)
    light = np.clip(cosine / np.sin(elevation), 0.1, 1.9)
    return canvas.resample(1 + season.relief * 0.8 * (light - 1), relief.transform)


def _haze(shape: tuple[int, int], season: Season, rng: np.random.Generator) -> np.ndarray:
    low, high = season.haze
    drift = broad(shape, rng, wavelength=2600, exponent=3.0, step=16)
    return (low + (high - low) * np.clip(0.5 + 0.32 * drift, 0, 1) ** 1.6).astype(np.float32)


def _parcel_texture(
    colour: np.ndarray, gain: np.ndarray, landscape: Landscape, rows: slice, source: int
) -> None:
    """Rows of crops and of trees, roofs: what only some classes have. Changes its arguments."""
    code = landscape.landcover[rows]
    direction = landscape.direction[rows]
    key = landscape.key[rows]
    detail = landscape.detail[rows]
    built = detail > 0
    colour[built] = _DETAIL[detail[built]]

    def turned(where: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y, x = np.nonzero(where)
        angle = direction[where].astype(np.float32) * np.float32(np.pi / 256)
        y = y.astype(np.float32) + np.float32(rows.start)
        x = x.astype(np.float32)
        cosine, sine = np.cos(angle), np.sin(angle)
        return x * cosine + y * sine, y * cosine - x * sine, key[where]

    sown = (code == LandCover.DRY_CROPLAND) | (code == LandCover.FALLOW)
    across, _, hashed = turned(sown)
    pitch = 3.1 + 2.2 * unit(hashed, 72)
    gain[sown] += np.sin(across * (2 * np.pi) / pitch) * (0.02 + 0.06 * unit(hashed, 73))

    grove = code == LandCover.ORCHARD
    across, along, hashed = turned(grove)
    pitch = 4.2 + 1.2 * unit(hashed, 74)
    dots = np.sin(across * (2 * np.pi) / pitch) * np.sin(along * (2 * np.pi) / pitch)
    cover = np.clip((np.abs(dots) - 0.10) * 3.2, 0, 1) * np.where(dots > 0, 1.0, 0.78)
    colour[grove] += (_TREE[source] - colour[grove]) * (0.88 * cover)[:, None]

    sparse = code == LandCover.CROPLAND_WITH_TREES
    across, along, hashed = turned(sparse)
    cell = unit(
        (np.floor(across / 5).astype(np.int32) * 7919 + np.floor(along / 5).astype(np.int32)), 75
    )
    middle = np.hypot(np.mod(across, 5) - 2.5, np.mod(along, 5) - 2.5) < 1.3
    tree = (middle & (cell < 0.30)).astype(np.float32) * 0.75
    colour[sparse] += (_TREE[source] - colour[sparse]) * tree[:, None]

    houses = code == LandCover.GREENHOUSE
    across, _, _ = turned(houses)
    gap = np.mod(across, 4.0) < 1.1
    gain[houses] += np.where(gap, -0.30, 0.05)
