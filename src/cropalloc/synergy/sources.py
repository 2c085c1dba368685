"""One map of land, overlaid on the grid: hectares a cell."""

from __future__ import annotations

import glob
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from cropalloc.grid.cellgrid import CellGrid
from cropalloc.grid.overlay import Overlay
from cropalloc.settings.synergy import LandSource
from cropbase.errors import InputError
from cropbase.rasters import open_raster, reading_raster

log = logging.getLogger(__name__)

_MASK_UNUSABLE, _MASK_OUTSIDE = 254, 255
_SEEN_SHARE = 1e-6
"""Below this share of a cell, an overlap is the rounding of two edges."""
_ROUNDING = 0.03
"""Files of whole km2 exceed a pixel by up to half a unit: cut. Beyond that the unit is wrong."""


@dataclass
class Told:
    """What one source gave over the whole grid, hectares."""

    files: list[str] = field(default_factory=list)
    counted_ha: float = 0.0
    added_for_unusable_ha: float = 0.0
    cut_to_pixel_ha: float = 0.0
    unusable_ha: float = 0.0


class SourceMap:
    """A source at one node year.

    Raises InputError if no file is there, or a file has no CRS or lacks the band.
    """

    def __init__(self, source: LandSource, year: int) -> None:
        self.source = source
        self.told = Told()
        self.paths = find_files(source.paths, year, f"source {source.name}")
        self.told.files = [path.name for path in self.paths]
        for path in self.paths:
            with open_raster(path) as dataset:
                if source.band > dataset.count:
                    raise InputError(
                        f"raster {path} has no band {source.band}", given=f"{dataset.count} bands"
                    )

    def hectares(self, strip: CellGrid) -> np.ndarray:
        """Hectares of land in every cell of a strip.

        Returns
        -------
        (rows, columns) float64; NaN where the source has no usable pixel (it has no opinion).
        A pixel outside adds nothing. Where some pixels are unusable, the share of land in the
        usable part of the cell stands for them: land x (usable + unusable) / usable.
        """
        shape = strip.shape
        land, usable, unusable = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for path in self.paths:
            with reading_raster(path) as dataset:
                overlay = Overlay(dataset, strip)
                for window in overlay.windows():
                    share, seen, lost = self._read(path, dataset, window, overlay)
                    sums = [land, usable] if lost is None else [land, usable, unusable]
                    layers = [share, seen] if lost is None else [share, seen, lost]
                    overlay.add(window, layers, sums)
        cell_ha = strip.row_areas_ha[:, None]
        over = usable + unusable > cell_ha * 1.001
        if over.any():
            row, col = np.argwhere(over)[0]
            raise InputError(
                f"source {self.source.name}: its files overlap",
                given=f"{int(over.sum())} cells are covered more than once, e.g. at "
                f"{strip.lon_edges[col]:.3f}, {strip.lat_edges[row]:.3f} degrees",
                remedy="give files that do not overlap, or merge them first",
            )
        known = usable > _SEEN_SHARE * cell_ha
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = land * (1 + unusable / usable)
        result = np.where(known, grown, np.nan)
        self.told.counted_ha += float(land[known].sum())
        self.told.added_for_unusable_ha += float((grown - land)[known].sum())
        self.told.unusable_ha += float(unusable.sum())
        return result

    def _read(
        self, path: Path, dataset: rasterio.DatasetReader, window: Window, overlay: Overlay
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Share of land, usable and unusable (None: none) of each pixel, float32 0-1."""
        source = self.source
        value = dataset.read(source.band, window=window)
        if source.kind == "cropland_mask":
            _check_codes(path, value)
            lost = value == _MASK_UNUSABLE
            usable = value <= 1
            return _f32(value == 1), _f32(usable), _f32(lost) if lost.any() else None
        valid = dataset.read_masks(source.band, window=window) > 0
        if source.nodata is not None:
            valid &= value != np.asarray(source.nodata, dtype=value.dtype)
        if np.issubdtype(value.dtype, np.floating):
            valid &= np.isfinite(value)
        if source.kind == "classes":
            share = np.zeros(value.shape, dtype=np.float32)
            for code, part in source.classes.items():
                share[valid & (value == code)] = part
        else:
            share = self._shares(path, np.where(valid, value, 0).astype(float), window, overlay)
        lost = None
        if source.nodata_is == "unusable" and not valid.all():
            lost = _f32(~valid)
        return share, _f32(valid), lost

    def _shares(
        self, path: Path, value: np.ndarray, window: Window, overlay: Overlay
    ) -> np.ndarray:
        kind = self.source.kind
        areas = None
        if kind == "percent":
            share = value / 100.0
        elif kind == "fraction":
            share = value
        else:
            areas = overlay.pixel_areas_ha(window)
            share = value * (100.0 if kind == "km2" else 1.0) / areas
        # The half of a unit that a file of whole numbers may be rounded by.
        slack = _ROUNDING if kind in ("km2", "hectares") else 1e-3
        if share.min() < 0 or share.max() > 1 + slack:
            worst = value.flat[int(np.argmax(np.where(share < 0, np.inf, share)))]
            raise InputError(
                f"raster {path}: a value is no {kind} of cropland",
                given=f"{worst:g}",
                allowed={"fraction": "0 to 1", "percent": "0 to 100"}.get(
                    kind, "0 to the area of the pixel"
                ),
                remedy=f"set `kind` of source {self.source.name} to what the values mean, and "
                "`nodata` to the value without data",
            )
        over = share > 1
        if over.any():
            if areas is None:
                areas = overlay.pixel_areas_ha(window)
            cut = (np.maximum(share - 1, 0) * areas).sum()
            self.told.cut_to_pixel_ha += float(cut)
            share = np.minimum(share, 1.0)
        return share


def find_files(patterns: list[str], year: int, what: str) -> list[Path]:
    """The files of patterns at one year, sorted; raises InputError where a pattern finds none."""
    found: set[Path] = set()
    for pattern in patterns:
        text = pattern.replace("{year}", str(year))
        hits = sorted(glob.glob(text)) if glob.has_magic(text) else [text]
        hits = [hit for hit in hits if Path(hit).is_file()]
        if not hits:
            raise InputError(
                f"{what}: no file {text}",
                remedy=f"put the map of {year} there, mend the path, or name the years that exist "
                "under `years`",
            )
        found.update(Path(hit) for hit in hits)
    return sorted(found)


def _check_codes(path: Path, value: np.ndarray) -> None:
    strange = (value > 1) & (value < _MASK_UNUSABLE)
    if value.dtype != np.uint8 or strange.any():
        raise InputError(
            f"raster {path} is no cropland mask",
            given=value[strange].flat[0] if strange.any() else str(value.dtype),
            allowed="uint8: 0 not cropland, 1 cropland, 254 unusable, 255 outside",
        )


def _f32(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.float32)
