"""Rasters in longitude and latitude, sampled at the pixels of Web Mercator tiles.

Both projections are cylindrical: a column of a tile has one longitude, a row one latitude. So a
tile is cut by looking up rows and columns, exactly, without a general warp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.figures import Extent
from cropbase.rasters import open_raster, reading_raster
from cropbase.webmercator import TileMatrix


@dataclass(frozen=True)
class Frame:
    """The pixels of tile (`x`, `y`) of a zoom."""

    matrix: TileMatrix
    x: int
    y: int

    @property
    def bounds(self) -> Extent:
        """(west, south, east, north), degrees."""
        return self.matrix.tile_bounds(self.x, self.y)

    def centres(self, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """(latitudes, longitudes) of the centres of the pixels' rows and columns, degrees.

        With `times` each pixel is divided into times x times; both are (tile_pixels * times,).
        """
        size = self.matrix.tile_pixels
        steps = (np.arange(size * times) + 0.5) / times
        return self.matrix.lat(self.y * size + steps), self.matrix.lon(self.x * size + steps)


@dataclass(frozen=True)
class RasterSet:
    """Rasters of one map that stand beside each other, and where each lies (EPSG:4326)."""

    files: tuple[tuple[Path, Extent], ...]

    @classmethod
    def open(cls, paths: Iterable[Path]) -> RasterSet:
        """Look at the rasters. InputError if one is damaged or not north-up in EPSG:4326."""
        files = []
        for path in sorted(map(Path, paths)):
            with open_raster(path) as dataset:
                transform = dataset.transform
                if dataset.crs.to_epsg() != 4326 or transform.b or transform.d or transform.e >= 0:
                    raise InputError(
                        f"raster {path} is not north-up in longitude and latitude",
                        given=dataset.crs.to_string(),
                        allowed="EPSG:4326",
                    )
                files.append((path, tuple(dataset.bounds)))
        return cls(tuple(files))

    def meeting(self, extent: Extent) -> list[Path]:
        """The rasters that show `extent`: one that holds it whole, or all that meet it.

        Mosaics overlap by their halo, where they are the same: one of them is enough.
        """
        west, south, east, north = extent
        found = []
        for path, (left, bottom, right, top) in self.files:
            if left <= west and right >= east and bottom <= south and top >= north:
                return [path]
            if left < east and right > west and bottom < north and top > south:
                found.append(path)
        return found

    def sample(
        self,
        frame: Frame,
        *,
        bands: Sequence[int] = (1,),
        times: int = 1,
        resampling: Resampling = Resampling.nearest,
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """(values, known) at the centres of the frame's pixels; None where no raster is.

        Parameters
        ----------
        bands : bands to read; one band stands for several if there are no more.
        times : samples along the edge of a pixel.
        resampling : how a raster that is finer than the samples is read through its overviews.

        Returns
        -------
        (bands, n, n) in the rasters' type and (n, n) bool, n = tile_pixels * times. Where rasters
        overlap the first that knows something wins.
        """
        lats, lons = frame.centres(times)
        values = known = None
        for path in self.meeting(frame.bounds):
            with reading_raster(path) as dataset:
                found = _sample_one(dataset, lats, lons, bands, resampling)
            if found is None:
                continue
            place, part, valid = found
            if valid.shape == (len(lats), len(lons)) and valid.all():
                return part, valid
            if values is None or known is None:
                values = np.zeros((len(bands), len(lats), len(lons)), dtype=part.dtype)
                known = np.zeros(values.shape[1:], dtype=bool)
            better = valid & ~known[place]
            values[(slice(None), *place)][:, better] = part[:, better]
            known[place] |= valid
        return None if values is None or known is None else (values, known)


def _sample_one(
    dataset: rasterio.DatasetReader,
    lats: np.ndarray,
    lons: np.ndarray,
    bands: Sequence[int],
    resampling: Resampling,
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """(place among the samples, values, valid) of one raster; None where no centre is in it."""
    transform = dataset.transform
    rows = np.floor((lats - transform.f) / transform.e).astype(np.int64)
    cols = np.floor((lons - transform.c) / transform.a).astype(np.int64)
    place = _inside(rows, dataset.height), _inside(cols, dataset.width)
    rows, cols = rows[place[0]], cols[place[1]]
    if not len(rows) or not len(cols):
        return None
    window = Window(cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1)
    shape = (_thinned(window.height, len(rows)), _thinned(window.width, len(cols)))
    wanted = list(bands) if dataset.count >= max(bands) else [1] * len(bands)
    read = dataset.read(
        wanted, window=window, out_shape=(len(wanted), *shape), resampling=resampling
    )
    valid = dataset.dataset_mask(window=window, out_shape=shape) > 0
    down = (rows - rows[0]) * shape[0] // window.height
    across = (cols - cols[0]) * shape[1] // window.width
    return place, read[:, down[:, None], across], valid[down[:, None], across]


def _inside(indices: np.ndarray, size: int) -> slice:
    """The run of ascending `indices` that lies in 0 ... size - 1."""
    return slice(*np.searchsorted(indices, [0, size]))


def _thinned(pixels: int, samples: int) -> int:
    """Pixels to read of a row of `pixels` for so many samples: whole steps, never fewer."""
    return -(-pixels // max(pixels // samples, 1))
