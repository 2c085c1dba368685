"""Labelled windows of imagery: what a segmentation model is trained and validated on.

One window is one labelled extent seen by one source, with a margin of imagery around it, so that a
chip at the edge of the extent has its surroundings. Only these windows are held in memory.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from cropbase.tables import read_geotable
from croplayer.active.rasterise import CROPLAND, IGNORED, extent_window, rasterise_labels
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window, read_window

log = logging.getLogger(__name__)

EXTENT_COLUMNS = ("extent_id", "split", "source", "geometry")


@dataclass(frozen=True)
class LabelledWindow:
    """One extent in one source.

    rgb : uint8 (rows, columns, 3), 0 where there is no imagery.
    imagery : bool (rows, columns), where there is imagery (also outside the extent).
    target : uint8 (rows, columns): 0 other, 1 cropland, 255 unknown (outside the extent, or
        without imagery).
    window : the pixels of the global grid.
    """

    extent_id: str
    source: str
    split: str
    rgb: np.ndarray
    imagery: np.ndarray
    target: np.ndarray
    window: PixelWindow

    @property
    def name(self) -> str:
        """`extent/source`, for messages."""
        return f"{self.extent_id}/{self.source}"

    @property
    def known_pixels(self) -> int:
        """Pixels with a label and imagery."""
        return int(np.count_nonzero(self.target != IGNORED))

    @property
    def cropland_pixels(self) -> int:
        """Pixels labelled cropland, with imagery."""
        return int(np.count_nonzero(self.target == CROPLAND))


class Mosaics:
    """The shard rasters of one source as one picture on the global pixel grid.

    Rasters stay closed but for the reading of a window: a province may have hundreds.
    """

    def __init__(self, paths: Sequence[Path], grid: BlockGrid) -> None:
        self.grid = grid
        self._covered: list[tuple[Path, PixelWindow]] = []
        for path in sorted(Path(p) for p in paths):
            with open_raster(path) as dataset:
                self._covered.append((path, raster_window(dataset, grid)))

    def overlapping(self, window: PixelWindow) -> list[Path]:
        """The rasters that share pixels with `window`."""
        return [path for path, covered in self._covered if _overlap(covered, window)]

    def read(
        self, window: PixelWindow, bands: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(bands, rows, columns) and the bool validity (rows, columns) of a window.

        Where rasters overlap (halos), the first one in the order of names that is valid counts.
        No raster there: everything 0 and invalid.
        """
        count = len(bands) if bands is not None else 1
        array = np.zeros((count, window.height, window.width), dtype=np.uint8)
        valid = np.zeros((window.height, window.width), dtype=bool)
        with ExitStack() as stack:
            for path in self.overlapping(window):
                if valid.all():
                    break
                dataset: rasterio.DatasetReader = stack.enter_context(open_raster(path))
                part, there = read_window(dataset, self.grid, window, bands=bands)
                fresh = there & ~valid
                array[:, fresh] = part[:, fresh]
                valid |= there
        return array, valid


def _overlap(one: PixelWindow, other: PixelWindow) -> bool:
    return (
        one.row < other.row + other.height
        and other.row < one.row + one.height
        and one.col < other.col + other.width
        and other.col < one.col + one.width
    )


def read_labels(polygons: Path, extents: Path) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """The checked label tables. Raises InputError if a column is missing or a split is unknown."""
    cropland, areas = read_geotable(polygons), read_geotable(extents)
    missing = [name for name in EXTENT_COLUMNS if name not in areas.columns]
    if missing:
        raise InputError(f"label extents {extents} lack the column(s) {', '.join(missing)}")
    unknown = sorted(set(areas["split"]) - {"train", "validation"})
    if unknown:
        raise InputError(
            f"label extents {extents} have an unknown split",
            given=", ".join(map(repr, unknown)),
            allowed="train, validation",
        )
    areas = areas.assign(
        extent_id=areas["extent_id"].astype(str), source=areas["source"].fillna("").astype(str)
    )
    return cropland, areas.sort_values(["extent_id", "source"], ignore_index=True)


def check_sources(areas: gpd.GeoDataFrame, extents: Path, sources: Iterable[str]) -> None:
    """Raise InputError if an extent names a source that there is not."""
    known = sorted(sources)
    strange = areas[(areas["source"] != "") & ~areas["source"].isin(known)]
    if len(strange):
        row = strange.iloc[0]
        raise InputError(
            f"label extent {row['extent_id']!r} of {extents} names an unknown source",
            given=repr(row["source"]),
            allowed=f"{', '.join(known)}, or empty for all of them",
        )


def load_windows(
    *,
    mosaics: dict[str, list[Path]],
    polygons: Path,
    extents: Path,
    grid: BlockGrid,
    margin_pixels: int,
) -> tuple[list[LabelledWindow], list[str]]:
    """Read imagery and targets of every labelled extent in every source it holds for.

    Parameters
    ----------
    mosaics : source -> rasters of its shards (uint8 RGB on the global pixel grid).
    polygons, extents : label tables (GeoParquet, EPSG:4326).
    margin_pixels : imagery read around each extent.

    Returns
    -------
    windows : sorted by extent and source.
    unused : `extent/source` names without any pixel of imagery, warned of.

    Raises InputError if labels or rasters cannot be used, or if no training extent, no validation
    extent or no training cropland is left.
    """
    cropland, areas = read_labels(polygons, extents)
    check_sources(areas, extents, mosaics)
    pictures = {name: Mosaics(paths, grid) for name, paths in sorted(mosaics.items())}
    index = cropland.sindex
    windows: list[LabelledWindow] = []
    unused: list[str] = []
    for row in areas.itertuples():
        tight = extent_window(row.geometry, grid)
        window = tight.buffered(margin_pixels)
        near = cropland.geometry.iloc[np.sort(index.query(row.geometry, predicate="intersects"))]
        target = rasterise_labels(near, row.geometry, grid, window)
        for source in pictures if row.source == "" else [row.source]:
            bands, imagery = pictures[source].read(window, bands=(1, 2, 3))
            here = np.where(imagery, target, IGNORED).astype(np.uint8)
            if not (here != IGNORED).any():
                unused.append(f"{row.extent_id}/{source}")
                continue
            rgb = np.ascontiguousarray(bands.transpose(1, 2, 0))
            rgb[~imagery] = 0
            windows.append(
                LabelledWindow(row.extent_id, source, row.split, rgb, imagery, here, window)
            )
    if unused:
        log.warning(
            "%d labelled extent(s) have no imagery and are not used: %s",
            len(unused),
            ", ".join(unused),
        )
    _check_enough(windows, areas, extents)
    return windows, unused


def _check_enough(windows: list[LabelledWindow], areas: gpd.GeoDataFrame, extents: Path) -> None:
    for split, remedy in (
        ("train", "draw extents inside the province and set their split to train"),
        (
            "validation",
            "set the split of some extents, whole blocks away from the others, to validation",
        ),
    ):
        if not (areas["split"] == split).any():
            raise InputError(
                f"label extents {extents}: no extent of split {split!r}", remedy=remedy
            )
        if not any(window.split == split for window in windows):
            bounds = shapely.total_bounds(areas.loc[areas["split"] == split, "geometry"].to_numpy())
            raise InputError(
                f"label extents {extents}: no extent of split {split!r} overlaps imagery",
                given="extents within west {:.4f}, south {:.4f}, east {:.4f}, north {:.4f}".format(
                    *bounds
                ),
                remedy="check that the labels belong to this province, and that it has mosaics",
            )
    if not any(window.cropland_pixels for window in windows if window.split == "train"):
        raise InputError(
            f"the training extents of {extents} hold no cropland polygon",
            remedy="draw the cropland inside the extents, or check labels.cropland",
        )


def data_hash(windows: Iterable[LabelledWindow]) -> str:
    """sha256 over everything that training sees: names, places, imagery, targets."""
    digest = hashlib.sha256()
    for window in windows:
        digest.update(f"{window.name} {window.split} {window.window}".encode())
        for array in (window.rgb, window.imagery, window.target):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
