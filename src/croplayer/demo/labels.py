"""The generated annotator: outlines the true cropland inside chosen extents.

It stands for a person with a GIS: it works in extents of some hundred metres, outlines patches of
cropland, cuts corners a little, and leaves out patches too small to outline. Nobody looked at
imagery for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity
from rasterio import features
from rasterio.transform import Affine
from shapely.geometry import shape as to_geometry

from croplayer.demo.canvas import Canvas
from croplayer.demo.disturbance import Disturbed
from croplayer.demo.landcover import CLASSES, LandCover, is_cropland
from croplayer.demo.landscape import Landscape
from croplayer.demo.noise import stream
from croplayer.grid import Block
from croplayer.settings.demo import DemoSettings

ANNOTATOR = "generated"
DATE = "2020-01-01"
"""A fixed date in all labels: they were not made on any day."""
SMALLEST_PIXELS = 14
"""Patches of fewer pixels are not outlined, holes of fewer pixels not cut out."""
STRATA = ("plain", "hills", "terraces", "orchards", "negative")
_SHARES = {"plain": 0.32, "hills": 0.24, "terraces": 0.18, "orchards": 0.13, "negative": 0.13}
TYPICAL = 0.12
"""Least score at which an extent stands for a stratum."""
CELL = 8
"""Extents begin and end on a raster of so many pixels."""
RANDOM_TRIES = 20


LABEL_CLASS = {
    LandCover.PADDY: "paddy",
    LandCover.DRY_CROPLAND: "irrigated_dry",
    LandCover.TERRACE: "terraces",
    LandCover.FALLOW: "fallow",
    LandCover.GREENHOUSE: "greenhouse",
    LandCover.CROPLAND_WITH_TREES: "scattered_trees",
}
"""The names that annotators give these classes (`croplayer.settings.labels`)."""


@dataclass(frozen=True)
class Extent:
    """A completely labelled square: block, split, stratum, first row and column on the canvas.

    source : name of the only source it holds for, or empty.
    """

    block: Block
    split: str
    stratum: str
    row: int
    col: int
    source: str


@dataclass(frozen=True)
class _Candidate:
    block: Block
    row: int
    col: int
    score: dict[str, float]
    source: str


def choose_extents(
    canvas: Canvas,
    landscape: Landscape,
    inside: np.ndarray,
    disturbed: Disturbed,
    veiled: tuple[np.ndarray, np.ndarray],
    settings: DemoSettings,
) -> list[Extent]:
    """Spread the labelled extents over blocks and strata.

    Training and validation lie in different blocks, at most two extents in one; extents hold for
    both sources, but two of the training split lie in blocks that only one source shows.

    Parameters
    ----------
    inside : (rows, columns) bool over the canvas, the province.
    veiled : for each source (rows, columns) uint8, what clouds and snow hide (255: no data).
    """
    rng = stream(settings.seed, "extents")
    candidates = _candidates(canvas, landscape, inside, disturbed, veiled, settings, rng)
    blocks = len(disturbed.coverage[0])
    limit = {"validation": max(1, round(0.13 * blocks)), "train": max(1, round(0.4 * blocks))}
    wanted = {"validation": settings.validation_extents, "train": settings.train_extents}
    taken: dict[Block, str] = {}
    extents: list[Extent] = []
    for split in ("validation", "train"):
        strata = _strata(wanted[split])
        special = 2 if split == "train" and wanted[split] >= 8 else 0
        for number, stratum in enumerate(strata):
            one_source = number >= len(strata) - special
            found = _pick(
                candidates, extents, taken, split, stratum, one_source, limit[split], settings
            )
            if found is not None:
                taken[found.block] = split
                if found.score[stratum] < TYPICAL:
                    stratum = max(STRATA, key=lambda name: found.score[name])
                extents.append(
                    Extent(found.block, split, stratum, found.row, found.col, found.source)
                )
    return sorted(extents, key=lambda e: (e.split, e.block, e.row, e.col))


def _strata(count: int) -> list[str]:
    """`count` strata in their shares; all of them as far as the number allows, the plain last."""
    numbers = {name: max(1, round(share * count)) for name, share in _SHARES.items()}
    listed = [name for name in reversed(STRATA) for _ in range(numbers[name])]
    while len(listed) > count:
        listed.remove(max(STRATA, key=listed.count))
    return listed + ["plain"] * (count - len(listed))


def _candidates(
    canvas: Canvas,
    landscape: Landscape,
    inside: np.ndarray,
    disturbed: Disturbed,
    veiled: tuple[np.ndarray, np.ndarray],
    settings: DemoSettings,
    rng: np.random.Generator,
) -> list[_Candidate]:
    """For each block the windows most typical of each stratum, and some at random."""
    cells = _edge(canvas, settings) // CELL
    found = []
    for block in sorted(disturbed.coverage[0]):
        window = canvas.block_slices(block)
        share = _window_means(_class_cells(landscape.landcover[window]), cells)
        within = _window_means(_cell_means(inside[window]), cells)
        clear = [
            (_window_means(_cell_means(veiled[s][window] > 40), cells) < 0.004)
            & disturbed.usable(block, s)
            for s in (0, 1)
        ]
        fit = (clear[0] | clear[1]) & (within > 0.25)
        # Extents keep some pixels from the border of their block.
        fit[[0, -1], :] = fit[:, [0, -1]] = False
        places = np.argwhere(fit)
        if not len(places):
            continue
        scores = _score(share)
        chosen = {int(i) for i in rng.integers(0, len(places), RANDOM_TRIES)}
        shared = (clear[0] & clear[1])[tuple(places.T)]
        for name in STRATA:
            at_places = scores[name][tuple(places.T)]
            chosen.add(int(np.argmax(at_places)))
            chosen.add(int(np.argmax(np.where(shared, at_places, -np.inf))))
        for number in sorted(chosen):
            i, j = (int(v) for v in places[number])
            both = clear[0][i, j] and clear[1][i, j]
            source = "" if both else settings.sources[0 if clear[0][i, j] else 1]
            score = {name: float(scores[name][i, j]) for name in STRATA}
            row, col = window[0].start + i * CELL, window[1].start + j * CELL
            found.append(_Candidate(block, row, col, score, source))
    return found


def _edge(canvas: Canvas, settings: DemoSettings) -> int:
    """Edge of an extent, pixels: a whole number of cells that leaves room in a block."""
    return min(settings.extent_pixels, canvas.grid.pixels_per_block - 4 * CELL) // CELL * CELL


def _class_cells(landcover: np.ndarray) -> np.ndarray:
    """Share of each class in each CELL x CELL square, (rows, columns, CLASSES) float64."""
    rows, cols = (n // CELL for n in landcover.shape)
    part = landcover[: rows * CELL, : cols * CELL].reshape(rows, CELL, cols, CELL)
    square = np.arange(rows)[:, None, None, None] * cols + np.arange(cols)[:, None]
    counts = np.bincount((square * CLASSES + part).ravel(), minlength=rows * cols * CLASSES)
    return counts.reshape(rows, cols, CLASSES) / CELL**2


def _cell_means(mask: np.ndarray) -> np.ndarray:
    rows, cols = (n // CELL for n in mask.shape)
    part = mask[: rows * CELL, : cols * CELL].reshape(rows, CELL, cols, CELL)
    return part.mean(axis=(1, 3))[..., None]


def _window_means(cells: np.ndarray, size: int) -> np.ndarray:
    """Means over all windows of `size` x `size` cells; the last axis is dropped if single."""
    total = np.pad(cells, ((1, 0), (1, 0), (0, 0))).cumsum(axis=0).cumsum(axis=1)
    means = (
        total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    )
    means = np.round(means, 9) / size**2
    return means[..., 0] if means.shape[2] == 1 else means


def _score(share: np.ndarray) -> dict[str, np.ndarray]:
    """How typical windows are of each stratum, from the shares of the classes (..., CLASSES)."""
    crop = share[..., :20].sum(axis=-1)
    terrace, orchard = share[..., LandCover.TERRACE], share[..., LandCover.ORCHARD]
    wood = share[..., LandCover.WOODLAND] + share[..., LandCover.GRASSLAND]
    bare = share[..., LandCover.BARE_LAND]
    variety = share[..., LandCover.GREENHOUSE] + share[..., LandCover.FALLOW]
    built = share[..., LandCover.BUILT_UP] + share[..., LandCover.WATER]
    flat = crop - terrace
    empty = 0.5 + np.minimum(wood, 0.9) + 2 * bare + orchard
    return {
        "plain": flat
        + 0.5 * np.minimum(variety, 0.3)
        + 1.5 * np.minimum(built, 0.1)
        - 2 * np.maximum(wood - 0.1, 0),
        "hills": np.minimum(flat, 0.5) + np.minimum(wood, 0.45) - terrace,
        "terraces": np.minimum(terrace, 0.5),
        "orchards": np.minimum(orchard, 0.4) + 0.3 * np.minimum(crop, 0.5),
        "negative": np.where(crop == 0, empty, 0.0),
    }


def _pick(
    candidates: list[_Candidate],
    extents: list[Extent],
    taken: dict[Block, str],
    split: str,
    stratum: str,
    one_source: bool,
    limit: int,
    settings: DemoSettings,
) -> _Candidate | None:
    """The most typical candidate that the rules allow; None if there is none at all."""
    used = [b for b, owner in taken.items() if owner == split]

    def allowed(c: _Candidate) -> bool:
        if taken.get(c.block, split) != split:
            return False
        mates = [e for e in extents if e.block == c.block]
        if len(mates) >= 2 or (c.block not in used and len(used) >= limit):
            return False
        gap = settings.extent_pixels + 8
        return all(abs(e.row - c.row) >= gap or abs(e.col - c.col) >= gap for e in mates)

    usable = [c for c in candidates if allowed(c)]
    both = [c for c in usable if not c.source]
    single = [c for c in usable if c.source]
    # Land without cropland is rare: better seen by one source than missing.
    order = [single, both] if one_source else [both, single] if stratum == "negative" else [both]
    typical = ([c for c in group if c.score[stratum] >= TYPICAL] for group in order)
    fit = next(filter(None, typical), both)
    # A new block before a second extent in an old one, then the most typical.
    return max(fit, key=lambda c: (c.block not in used, c.score[stratum]), default=None)


def digitise(
    canvas: Canvas, landscape: Landscape, extents: list[Extent], settings: DemoSettings
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """(cropland polygons, extents), both EPSG:4326, in the format of docs/architecture.md."""
    size = _edge(canvas, settings)
    squares, patches = [], []
    for number, extent in enumerate(extents, start=1):
        extent_id = f"generated-{number:03d}"
        window = (slice(extent.row, extent.row + size), slice(extent.col, extent.col + size))
        t = canvas.transform
        west, north = t.c + extent.col * t.a, t.f + extent.row * t.e
        east, south = west + size * t.a, north + size * t.e
        corner = Affine(t.a, 0, west, 0, t.e, north)
        square = shapely.box(west, south, east, north)
        squares.append(
            {
                "extent_id": extent_id,
                "split": extent.split,
                "source": extent.source,
                "annotator": ANNOTATOR,
                "labelled_at": DATE,
                "stratum": extent.stratum,
                "block_id": canvas.grid.block_id(extent.block),
                "geometry": square,
            }
        )
        for polygon, label in _outlines(landscape.landcover[window], corner, square):
            patches.append(
                {
                    "extent_id": extent_id,
                    "class": label,
                    "annotator": ANNOTATOR,
                    "labelled_at": DATE,
                    "geometry": polygon,
                }
            )
    columns = ["extent_id", "class", "annotator", "labelled_at", "geometry"]
    return (
        gpd.GeoDataFrame(patches, columns=columns, geometry="geometry", crs="EPSG:4326"),
        gpd.GeoDataFrame(squares, geometry="geometry", crs="EPSG:4326"),
    )


def _outlines(
    landcover: np.ndarray, transform: Affine, square: shapely.Polygon
) -> list[tuple[shapely.Polygon, str]]:
    """Patches of cropland, corners cut, with the class that most of each patch has."""
    crop = is_cropland(landcover)
    # Sieved both ways: neither specks nor pinholes are drawn.
    crop = features.sieve(crop.astype(np.uint8), SMALLEST_PIXELS, connectivity=4)
    shapes = [
        to_geometry(geometry)
        for geometry, value in features.shapes(crop, connectivity=4)
        if value == 1
    ]
    if not shapes:
        return []
    # Simplified together: neighbours keep their common points and never overlap. The tolerance
    # is the side of the square whose area may be cut off.
    pieces = shapely.coverage_simplify(np.array(shapes), 1.2, simplify_boundary=True)
    parts = [
        part
        for piece in pieces
        for part in shapely.get_parts(shapely.make_valid(piece))
        if part.geom_type == "Polygon" and part.area >= SMALLEST_PIXELS / 2
    ]
    numbers = features.rasterize(
        zip(parts, range(1, len(parts) + 1), strict=True), out_shape=crop.shape, dtype="int32"
    )
    pairs = numbers.astype(np.int64) * 64 + landcover
    counts = np.bincount(pairs.ravel(), minlength=64 * (len(parts) + 1)).reshape(-1, 64)[:, :20]
    found = []
    for number, part in enumerate(parts, start=1):
        codes = counts[number]
        label = LABEL_CLASS[LandCover(int(codes.argmax()))] if codes.any() else "cropland"
        world = shapely.affinity.affine_transform(
            part, [transform.a, 0, 0, transform.e, transform.c, transform.f]
        )
        world = shapely.intersection(world, square)
        found += [(p, label) for p in shapely.get_parts(world) if p.geom_type == "Polygon"]
    return found
