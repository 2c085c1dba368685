"""Villages, a town and roads of the generated landscape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import Delaunay
from skimage.graph import MCP_Geometric

from croplayer.demo.noise import fractal, hash32, unit

STEP = 32
"""Pixels between the nodes on which roads are laid out."""


@dataclass(frozen=True)
class Settlement:
    """centres : (n, 2) x and y in pixels, the town first. radii : (n,) pixels."""

    centres: np.ndarray
    radii: np.ndarray


def found_villages(
    slope: np.ndarray, water: np.ndarray, step: int, rng: np.random.Generator
) -> Settlement:
    """Choose sites on gentle dry ground, apart from each other.

    slope (degrees) and water (bool) are (rows, columns) on a grid of every `step`-th pixel.
    """
    rows, cols = slope.shape
    dry = ndimage.distance_transform_edt(~water)
    # One village for about 7 km2.
    wanted = max(3, round(rows * cols * step * step / 9.0e4))
    sites: list[tuple[float, float, float]] = []
    for _ in range(wanted * 40):
        row, col = int(rng.integers(2, rows - 2)), int(rng.integers(2, cols - 2))
        flat = slope[row, col] < rng.uniform(0.5, 5.5)
        if not flat or dry[row, col] * step < 40:
            continue
        radius = float(np.clip(np.exp(rng.normal(np.log(17), 0.4)), 9, 40))
        if not sites:
            near = abs(col - 0.66 * cols) < 0.06 * cols and abs(row - rows / 2) < 0.3 * rows
            if not near or slope[row, col] > 1.5:
                continue
            radius = 72.0
        x, y = col * step + step / 2, row * step + step / 2
        if all(np.hypot(x - a, y - b) > 2.2 * (radius + r) + 60 for a, b, r in sites):
            sites.append((x, y, radius))
        if len(sites) == wanted:
            break
    table = np.array(sites, np.float64).reshape(-1, 3)
    return Settlement(table[:, :2], table[:, 2])


def draw_villages(
    shape: tuple[int, int], settlement: Settlement, rng: np.random.Generator
) -> np.ndarray:
    """What stands in the villages: (rows, columns) uint8.

    0 no village, 1 street or yard, 2 garden, 3-6 roofs of four kinds, 7 the shade beside a roof.
    """
    detail = np.zeros(shape, np.uint8)
    for number, ((cx, cy), radius) in enumerate(
        zip(settlement.centres, settlement.radii, strict=True)
    ):
        reach = int(radius * 1.7) + 2
        top, left = int(cy) - reach, int(cx) - reach
        size = 2 * reach
        rows = slice(max(top, 0), min(top + size, shape[0]))
        cols = slice(max(left, 0), min(left + size, shape[1]))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        bump = fractal((size, size), rng, wavelength=radius * 1.3, exponent=2.4)
        angle = rng.uniform(0, np.pi / 2)
        pitch = rng.uniform(4.6, 6.2) if number else 7.5
        y, x = np.mgrid[top : top + size, left : left + size].astype(np.float32)
        inside = np.hypot(x - cx, y - cy) < radius * (1 + 0.3 * bump)
        u = ((x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)) / pitch
        v = ((y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)) / (pitch * 1.25)
        ku, kv = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
        fu, fv = u - ku, v - kv
        key = hash32(ku, kv, number)
        thick = unit(key, 1)
        roof = (fu > 0.2) & (fv > 0.18) & (fu < 0.6 + 0.35 * thick) & (fv < 0.62 + 0.3 * thick)
        street = (ku % 5 == 0) & (fu < 0.3) | (kv % 4 == 0) & (fv < 0.25)
        built = unit(key, 2) < np.clip(1.15 - 0.5 * np.hypot(x - cx, y - cy) / radius, 0.3, 0.95)
        kind = 3 + np.minimum(unit(key, 3) * 4, 3.9).astype(np.uint8)
        patch = np.where(unit(key, 4) < 0.55, 2, 1).astype(np.uint8)
        shade = np.roll(roof & built, (1, 1), (0, 1)) & ~roof
        patch[shade] = 7
        patch[roof & built] = kind[roof & built]
        patch[street] = 1
        patch[~inside] = 0
        part = patch[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
        target = detail[rows, cols]
        target[part > 0] = part[part > 0]
    return detail


def draw_roads(
    shape: tuple[int, int],
    settlement: Settlement,
    slope: np.ndarray,
    water: np.ndarray,
    step: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Roads between villages along easy ground: (rows, columns) bool. `slope`, `water` as above."""
    every = STEP // step
    rough = slope[::every, ::every]
    wet = ndimage.maximum_filter(water, every)[::every, ::every]
    noise = fractal(rough.shape, rng, wavelength=8, exponent=1.5)
    cost = 1 + (rough / 3.0) ** 2 + 9.0 * wet + 0.35 * np.clip(noise, -1.5, 2)
    image = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    for start, end, width in _links(settlement, rng):
        _road(pen, cost, settlement.centres[start], settlement.centres[end], width)
    height, wide = shape
    if len(settlement.centres):
        # A highway through the town, and one to the mountains.
        x, y = settlement.centres[0]
        for far in (
            (x - 0.05 * wide, -40),
            (x + 0.04 * wide, height + 40),
            (wide + 40, y + 60),
            (-40, y - 90),
        ):
            _road(pen, cost, settlement.centres[0], np.array(far), 4)
    return np.asarray(image) > 0


def _links(settlement: Settlement, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Pairs of villages that a road joins, with its width: a spanning tree and some shortcuts."""
    points = settlement.centres
    if len(points) < 4:
        return [(0, other, 3) for other in range(1, len(points))]
    pairs = set()
    for a, b, c in Delaunay(points).simplices.tolist():
        pairs |= {tuple(sorted(p)) for p in ((a, b), (b, c), (a, c))}
    ranked = sorted(pairs, key=lambda p: float(np.hypot(*(points[p[0]] - points[p[1]]))))
    group = list(range(len(points)))
    links = []
    for a, b in ranked:
        far = float(np.hypot(*(points[a] - points[b])))
        if group[a] != group[b]:
            old = group[b]
            group = [group[a] if g == old else g for g in group]
            links.append((a, b, 3 if rng.random() < 0.4 else 2))
        elif far < 420 and rng.random() < 0.22:
            links.append((a, b, 2))
    return links


def _road(
    pen: ImageDraw.ImageDraw, cost: np.ndarray, start: np.ndarray, end: np.ndarray, width: int
) -> None:
    rows, cols = cost.shape

    def node(point: np.ndarray) -> tuple[int, int]:
        return (
            int(np.clip(point[1] / STEP, 0, rows - 1)),
            int(np.clip(point[0] / STEP, 0, cols - 1)),
        )

    search = MCP_Geometric(cost)
    search.find_costs([node(start)], [node(end)])
    path = np.array(search.traceback(node(end)), np.float64)[:, ::-1] * STEP + STEP / 2
    path = np.vstack([start, path[1:-1], end])
    if len(path) > 2:
        steps = np.linspace(0, len(path) - 1, 4 * len(path))
        path = np.column_stack(
            [np.interp(steps, np.arange(len(path)), path[:, axis]) for axis in (0, 1)]
        )
        smooth = ndimage.gaussian_filter1d(path, 5, axis=0, mode="nearest")
        smooth[0], smooth[-1] = start, end
        path = smooth
    pen.line([tuple(p) for p in path], fill=255, width=width, joint="curve")
