"""The relief of the generated province: mountains in the west, a plain with a river in the east."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from rasterio.transform import Affine
from scipy import ndimage

from croplayer.demo.canvas import Canvas, degree_metres
from croplayer.demo.drainage import Flow, evolve, fill_pits, route
from croplayer.demo.noise import enlarge, fractal, smooth_step, stream

ARC_SECONDS = 3600
COARSE = 4
"""Relief nodes are 4 arc-seconds apart while it is being carved, 1 arc-second in the DEM."""
_MARGIN_DEGREES = 0.012
SUMMIT_METRES = 880.0
RIVER_METRES = (34.0, 22.0)
"""Height of the river where it enters and where it leaves."""


@dataclass(frozen=True)
class Relief:
    """Everything that follows from the shape of the land.

    height : (rows, columns) float32, metres, 1 arc-second.
    transform : GDAL transform of `height`, EPSG:4326.
    river : (n, 2) longitude and latitude of the river's centre line.
    streams : list of ((n, 2) longitudes and latitudes, (n,) drained area in km2).
    lake : (rows, columns) bool, the reservoir.
    """

    height: np.ndarray
    transform: Affine
    river: np.ndarray
    streams: list[tuple[np.ndarray, np.ndarray]]
    lake: np.ndarray


def make_relief(canvas: Canvas, seed: int) -> Relief:
    """Carve the relief under `canvas`; the same seed gives the same relief."""
    rng = stream(seed, "relief")
    west, south, east, north = canvas.bounds
    step = COARSE / ARC_SECONDS
    col0, row0 = (
        np.floor((west - _MARGIN_DEGREES) / step),
        np.ceil((north + _MARGIN_DEGREES) / step),
    )
    cols = int(np.ceil((east + _MARGIN_DEGREES) / step) - col0)
    rows = int(row0 - np.floor((south - _MARGIN_DEGREES) / step))
    # Whole multiples, so that three refinements of the grid fit.
    rows, cols = -(-rows // 4) * 4, -(-cols // 4) * 4
    coarse = Affine(step, 0, col0 * step, 0, -step, row0 * step)
    dx, dy = (m / 1000 for m in degree_metres((south + north) / 2, step))

    river_km = _meander(rng, cols * dx, rows * dy)
    river_nodes = _trace(river_km / (dx, dy), (rows, cols))
    wild = _wildness(rng, (rows, cols), river_km / (dx, dy))
    carved = _carve(rng, wild, river_nodes, dx, dy)
    carved = fill_pits(carved, river_nodes)
    flow = route(carved, river_nodes, dx, dy)
    area = flow.gather(np.full(carved.size, dx * dy))

    height = _dress(rng, carved, wild, river_km / (dx, dy))
    streams = _streams(flow, area, (rows, cols), coarse, wild)
    fine_shape = (rows * COARSE, cols * COARSE)
    fine = enlarge(height, fine_shape)
    fine = _detail(rng, fine)
    lake_nodes = _reservoir(flow, area, height, wild, dx * dy)
    lake, fine = _flood(lake_nodes, height, fine)
    transform = Affine(1 / ARC_SECONDS, 0, coarse.c, 0, -1 / ARC_SECONDS, coarse.f)
    river = np.column_stack(
        [coarse.c + river_km[:, 0] / dx * step, coarse.f - river_km[:, 1] / dy * step]
    )
    return Relief(fine.astype(np.float32), transform, river, streams, lake)


def _meander(rng: np.random.Generator, width: float, height: float) -> np.ndarray:
    """Centre line of a meandering river from north to south, (n, 2) km from the north-west corner.

    A sine-generated curve: its heading swings evenly along the path (Langbein and Leopold 1966).
    """
    step = 0.03
    count = int(height * 3 / step)
    drift = ndimage.gaussian_filter1d(rng.standard_normal(count), 60 / step / 25)
    drift /= drift.std()
    x, y = 0.74 * width, -0.5
    points = []
    phase = rng.uniform(0, 2 * np.pi)
    for number in range(count):
        centre = width * (0.73 + 0.03 * np.sin(2 * np.pi * y / height * 0.8 + 1.0))
        phase += 2 * np.pi * step / (6.5 * (1 + 0.25 * drift[number]))
        heading = 1.12 * np.sin(phase) + 0.25 * drift[number] + 0.22 * (centre - x)
        x += step * np.sin(np.clip(heading, -1.9, 1.9))
        y += step * np.cos(np.clip(heading, -1.9, 1.9))
        points.append((x, y))
        if y > height + 0.5:
            break
    return np.array(points)


def _trace(nodes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(rows, columns) True at the nodes that a line of (x, y) passes."""
    image = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(image).line([tuple(p) for p in nodes], fill=1, width=1)
    return np.asarray(image) > 0


def _wildness(rng: np.random.Generator, shape: tuple[int, int], river: np.ndarray) -> np.ndarray:
    """0 in the plain to 1 in the mountains: how fast the land rises."""
    rows, cols = shape
    s = (np.arange(cols)[None, :] + 0.5) / cols
    bend = 0.075 * fractal(shape, rng, wavelength=rows * 0.55, exponent=3.4)
    position = s + bend
    mountain = smooth_step(0.47, 0.20, position) * 0.86
    hills = smooth_step(0.66, 0.38, position) * 0.14
    lumps = fractal(shape, rng, wavelength=rows * 0.22, exponent=3.0)
    knolls = 0.16 * smooth_step(1.35, 2.3, lumps)
    distance = ndimage.distance_transform_edt(~_trace(river, shape))
    away = smooth_step(cols * 0.02, cols * 0.06, distance)
    rise = (mountain + hills) * (1 + 0.22 * lumps) + knolls
    return np.clip(rise, 0, 1) * away


def _carve(
    rng: np.random.Generator, wild: np.ndarray, river: np.ndarray, dx: float, dy: float
) -> np.ndarray:
    """Erosion on three grids, coarse to fine; heights without unit, 0 at the river."""
    rows, cols = wild.shape
    height = None
    for scale, steps in ((4, 400), (2, 90), (1, 30)):
        shape = (rows // scale, cols // scale)
        outlet = river.reshape(shape[0], scale, shape[1], scale).any(axis=(1, 3))
        lift = wild.reshape(shape[0], scale, shape[1], scale).mean(axis=(1, 3))
        rough = fractal(shape, rng, wavelength=40 / scale, exponent=1.6)
        if height is None:
            away = ndimage.distance_transform_edt(~outlet)
            height = 0.02 * away + 4 * lift + 0.3 * rough
        else:
            height = enlarge(height, shape).astype(np.float64) + (0.06 + 0.25 * lift) * rough
        height = np.where(outlet, 0, np.maximum(height, 1e-3))
        hard = np.exp(0.35 * fractal(shape, rng, wavelength=60 / scale, exponent=2.4))
        height = evolve(
            height,
            lift,
            outlet,
            dx=dx * scale,
            dy=dy * scale,
            steps=steps,
            erodibility=0.075 / hard,
            creep=0.10,
        )
    return height


def _dress(
    rng: np.random.Generator, carved: np.ndarray, wild: np.ndarray, river: np.ndarray
) -> np.ndarray:
    """Metres: the carved relief scaled to its summit, on a plain that falls along the river."""
    rows, cols = carved.shape
    along = (np.arange(rows)[:, None] + 0.5) / rows
    level = RIVER_METRES[0] + (RIVER_METRES[1] - RIVER_METRES[0]) * along
    away = ndimage.distance_transform_edt(~_trace(river, carved.shape))
    soft = ndimage.gaussian_filter(wild, 2.0)
    swell = fractal(carved.shape, rng, wavelength=60, exponent=3.0)
    plain = level + 2.0 + 9.0 * (away / cols) ** 0.8 * 2.0 + 0.7 * swell * (1 - soft)
    plain = np.where(away < 1.5, level, plain)
    return plain + carved * (SUMMIT_METRES / np.quantile(carved, 0.9998))


def _detail(rng: np.random.Generator, height: np.ndarray) -> np.ndarray:
    """Fine relief that grows with the steepness, as gullies and spurs do."""
    smooth = ndimage.uniform_filter(height, 9)
    gy, gx = np.gradient(smooth)
    steep = np.clip(np.hypot(gx, gy) / 12.0, 0, 1)
    rough = fractal(height.shape, rng, wavelength=40, exponent=2.8)
    return height + rough * (0.12 + 6.0 * steep)


def _streams(
    flow: Flow, area: np.ndarray, shape: tuple[int, int], transform: Affine, wild: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Smoothed lines of the watercourses that drain more than 1.2 km2, heads first."""
    wet = area > 1.2
    fed = np.zeros(area.size, bool)
    sources = np.flatnonzero(wet & (flow.receiver != np.arange(area.size)))
    fed[flow.receiver[sources]] = True
    heads = np.flatnonzero(wet & ~fed)
    heads = heads[np.argsort(-area[heads], kind="stable")]
    seen = np.zeros(area.size, bool)
    lines = []
    for head in heads.tolist():
        path = [head]
        while not seen[path[-1]]:
            seen[path[-1]] = True
            following = int(flow.receiver[path[-1]])
            if following == path[-1]:
                break
            path.append(following)
        if len(path) < 6:
            continue
        nodes = np.array(path)
        xy = np.column_stack([nodes % shape[1], nodes // shape[1]]) + 0.5
        bends = ndimage.gaussian_filter1d(xy, 2.2, axis=0, mode="nearest")
        # Ends stay where they were, so that tributaries still meet.
        pull = np.minimum(np.minimum(np.arange(len(xy)), np.arange(len(xy))[::-1]) / 4, 1)[:, None]
        xy = xy * (1 - pull) + bends * pull
        lonlat = np.column_stack(
            [transform.c + xy[:, 0] * transform.a, transform.f + xy[:, 1] * transform.e]
        )
        lines.append((lonlat, area[nodes]))
    return lines


def _reservoir(
    flow: Flow, area: np.ndarray, height: np.ndarray, wild: np.ndarray, node_km2: float
) -> np.ndarray:
    """(rows, columns) True where a dam at the best place of the hills would hold water."""
    flat = height.ravel()
    rows, cols = height.shape
    row, col = np.divmod(np.arange(flat.size), cols)
    inside = (row > rows * 0.15) & (row < rows * 0.85) & (col > cols * 0.15)
    hilly = (wild.ravel() > 0.05) & (wild.ravel() < 0.75)
    places = np.flatnonzero(inside & hilly & (area > 4) & (area < 60))
    best, least = np.zeros(height.shape, bool), np.inf
    for place in places[:: max(1, len(places) // 70)].tolist():
        basin = flow.upstream_of(place)
        for depth in (16, 28, 44):
            level = flat[place] + depth
            pool = (basin & (flat < level)).reshape(height.shape)
            size = np.count_nonzero(pool) * node_km2
            if not 0.5 < size < 2.8:
                continue
            # Where lower ground lies beside the pool a dam is needed: the shorter the better.
            rim = ndimage.binary_dilation(pool) & ~pool
            dam = np.count_nonzero(rim & (height < level)) / size
            if dam < least:
                best, least = pool, dam
    return best


def _flood(
    nodes: np.ndarray, height: np.ndarray, fine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The reservoir on the fine grid, and the relief with its level surface."""
    if not nodes.any():
        return np.zeros(fine.shape, bool), fine
    level = float(height[nodes].max())
    near = enlarge(ndimage.binary_dilation(nodes).astype(np.float32), fine.shape) > 0.5
    wet, count = ndimage.label(near & (fine < level))
    if not count:
        return np.zeros(fine.shape, bool), fine
    sizes = np.bincount(wet.ravel())
    sizes[0] = 0
    lake = wet == sizes.argmax()
    return lake, np.where(lake, np.float32(level), fine)
