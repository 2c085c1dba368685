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
from croplayer.demo.landcover import LandCover, is_cropland
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
_TRIES = 60


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
    """A square that is labelled completely: its block, split, stratum and (row, column) on the canvas.

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
    limit = {"validation": max(1, round(0.13 * blocks)), "train": max(1, round(0.28 * blocks))}
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
    size = min(settings.extent_pixels, canvas.grid.pixels_per_block - 16)
    room = canvas.grid.pixels_per_block - size
    found = []
    for block in sorted(disturbed.coverage[0]):
        rows, cols = canvas.block_slices(block)
        for _ in range(_TRIES):
            # Extents keep a few pixels from the border of their block.
            row = rows.start + int(rng.integers(4, room - 4))
            col = cols.start + int(rng.integers(4, room - 4))
            window = (slice(row, row + size), slice(col, col + size))
            if not inside[window].all():
                continue
            clear = [(veiled[s][window] > 40).mean() < 0.004 for s in (0, 1)]
            good = [clear[s] and disturbed.usable(block, s) for s in (0, 1)]
            if not any(good):
                continue
            source = "" if all(good) else settings.sources[good.index(True)]
            counts = np.bincount(landscape.landcover[window].ravel(), minlength=64) / size**2
            found.append(_Candidate(block, row, col, _score(counts), source))
    return found


def _score(share: np.ndarray) -> dict[str, float]:
    """How typical a window is of each stratum, from the shares of the classes in it."""
    crop = float(share[:20].sum())
    terrace, orchard = float(share[LandCover.TERRACE]), float(share[LandCover.ORCHARD])
    wood = float(share[LandCover.WOODLAND] + share[LandCover.GRASSLAND])
    flat = crop - terrace
    variety = float(share[LandCover.GREENHOUSE] + share[LandCover.FALLOW])
    built = float(share[LandCover.BUILT_UP] + share[LandCover.WATER])
    return {
        "plain": flat + 0.5 * min(variety, 0.3) + 1.5 * min(built, 0.1) - 2 * wood,
        "hills": min(flat, 0.5) + min(wood, 0.45) - terrace,
        "terraces": terrace,
        "orchards": min(orchard, 0.4) + 0.3 * min(crop, 0.5),
        "negative": (0.5 + min(wood, 0.9) + 2 * float(share[LandCover.BARE_LAND]))
        if crop == 0
        else 0.0,
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
        if bool(c.source) != one_source or taken.get(c.block, split) != split:
            return False
        mates = [e for e in extents if e.block == c.block]
        if len(mates) >= 2 or (c.block not in used and len(used) >= limit):
            return False
        gap = settings.extent_pixels + 8
        return all(abs(e.row - c.row) >= gap or abs(e.col - c.col) >= gap for e in mates)

    fit = [c for c in candidates if allowed(c) and c.score[stratum] > 0.12]
    if not fit and one_source:
        return _pick(candidates, extents, taken, split, stratum, False, limit, settings)
    if not fit:
        fit = [c for c in candidates if allowed(c)]
    # A new block before a second extent in an old one, then the most typical.
    return max(fit, key=lambda c: (c.block not in used, c.score[stratum]), default=None)


def digitise(
    canvas: Canvas, landscape: Landscape, extents: list[Extent], settings: DemoSettings
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """(cropland polygons, extents), both EPSG:4326, in the format of docs/architecture.md."""
    size = min(settings.extent_pixels, canvas.grid.pixels_per_block - 16)
    squares, patches = [], []
    for number, extent in enumerate(extents, start=1):
        extent_id = f"generated-{number:03d}"
        window = (slice(extent.row, extent.row + size), slice(extent.col, extent.col + size))
        corner = canvas.transform * Affine.translation(extent.col, extent.row)
        west, north = corner * (0, 0)
        east, south = corner * (size, size)
        square = shapely.box(west, south, east, north)
        squares.append(
            {
                "extent_id": extent_id,
                "split": extent.split,
                "source": extent.source,
                "annotator": ANNOTATOR,
                "date": DATE,
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
                    "date": DATE,
                    "geometry": polygon,
                }
            )
    columns = ["extent_id", "class", "annotator", "date", "geometry"]
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
