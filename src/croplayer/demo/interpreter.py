"""The GENERATED interpreter: plays the person who looks at blocks (section 2.2.5 of the paper).

A person compares a mask with what the imagery shows; this one compares it with the generated
truth, which a real province does not have. It also scores the final map against that truth.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from rasterio.windows import Window
from scipy import ndimage

from cropbase.areas import row_pixel_areas_ha
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.rasters import open_raster
from cropbase.tables import read_geotable
from croplayer.grid import BlockGrid, PixelWindow

log = logging.getLogger(__name__)

NODATA = 255
UNUSABLE = 254
SPECK_PIXELS = 60
"""Wrongly mapped patches of fewer pixels are specks, not fields (0.5 ha at 9 m)."""
WRONG_SHARE = 0.10
"""FP: wrongly mapped patches larger than a speck cover at least this share of the block ..."""
WRONG_OF_MAPPED = 0.30
"""... and at least this share of what is mapped."""
NOISE_SHARE = 0.004
"""Noise: specks cover at least this share of the block ..."""
NOISE_OF_MAPPED = 0.15
"""... and at least this share of what is mapped."""
MISSED_SHARE = 0.10
"""Artifacts: in a disturbed block at least this share is mapped wrongly or missed."""
TRACE_SHARE = 0.005
"""Blocks with a smaller share of true cropland have none to speak of: option `neither`."""
TIE = 0.005
"""Options whose IoU differ by less than this count as equally good."""
_DISTURBED = ("snow_ice", "cloudy", "nodata")
OPTIONS = ("both", "only_a", "only_b", "neither")


@dataclass(frozen=True)
class Raster:
    """A raster on the global pixel grid, read by windows of that grid."""

    path: Path
    dataset: rasterio.DatasetReader
    window: PixelWindow

    @classmethod
    def open(cls, path: Path, grid: BlockGrid) -> Raster:
        """Open a raster. Raises InputError if its pixels are not those of `grid`."""
        dataset = open_raster(path)
        size = grid.pixel_degrees
        t = dataset.transform
        col, row = (t.c + 180) / size, (90 - t.f) / size
        aligned = abs(col - round(col)) < 1e-3 and abs(row - round(row)) < 1e-3
        if abs(t.a - size) > size * 1e-6 or abs(t.e + size) > size * 1e-6 or not aligned:
            dataset.close()
            raise InputError(
                f"raster {path} is not on the global pixel grid",
                given=f"pixel {t.a:.9f} x {-t.e:.9f} degrees from {t.c:.6f}, {t.f:.6f}",
                allowed=f"pixels of {size:.9f} degrees, whole numbers of them from 180 W, 90 N",
            )
        window = PixelWindow(round(row), round(col), dataset.height, dataset.width)
        return cls(Path(path), dataset, window)

    def holds(self, window: PixelWindow) -> bool:
        """True if `window` lies inside this raster."""
        w = self.window
        return (
            w.row <= window.row
            and w.col <= window.col
            and window.row + window.height <= w.row + w.height
            and window.col + window.width <= w.col + w.width
        )

    def read(self, window: PixelWindow) -> np.ndarray:
        """(rows, columns) of band 1 in `window`."""
        rows, cols = window.relative_to(self.window)
        part = Window(cols.start, rows.start, window.width, window.height)
        return self.dataset.read(1, window=part)


class Mosaic:
    """Shard rasters of one layer, closed at the end of the `with` block."""

    def __init__(self, paths: Iterable[Path], grid: BlockGrid) -> None:
        self._rasters: list[Raster] = []
        try:
            for path in paths:
                self._rasters.append(Raster.open(Path(path), grid))
        except InputError:
            self.__exit__()
            raise

    def read(self, window: PixelWindow, block_id: str) -> np.ndarray:
        """(rows, columns) of the raster that holds `window`; InputError if none does."""
        for raster in self._rasters:
            if raster.holds(window):
                return raster.read(window)
        names = ", ".join(str(raster.path) for raster in self._rasters) or "no raster"
        raise InputError(f"block {block_id} lies in none of the rasters given", given=names)

    def __enter__(self) -> Mosaic:
        return self

    def __exit__(self, *_: object) -> None:
        for raster in self._rasters:
            raster.dataset.close()


def semantic_class(mapped: np.ndarray, truth: np.ndarray, coverage_type: str) -> str:
    """Semantic class of one block and source by declared thresholds (the constants above).

    Parameters
    ----------
    mapped : (rows, columns) uint8, 0 not cropland, 1 cropland, 255 no imagery.
    truth : (rows, columns) bool, the true cropland.
    coverage_type : of this block and source.

    Returns
    -------
    - `Artifacts`: the block is snowy, cloudy or without data, and at least MISSED_SHARE of it is
      mapped wrongly or missed;
    - `FP`: wrongly mapped patches that are no specks cover at least WRONG_SHARE of the block and
      WRONG_OF_MAPPED of the mapped area. A patch is 8-connected; a rim of two pixels around true
      cropland is not counted as wrong, since a border a pixel off is no wrong field;
    - `Noise`: specks (patches mapped far from any true cropland, below SPECK_PIXELS) cover at
      least NOISE_SHARE of the block and NOISE_OF_MAPPED of the mapped area;
    - `TP` otherwise, a correctly empty block included.
    """
    cropland = mapped == 1
    size = mapped.size
    if coverage_type in _DISTURBED and np.count_nonzero(cropland != truth) >= MISSED_SHARE * size:
        return "Artifacts"
    near = ndimage.binary_dilation(truth, np.ones((3, 3), bool), iterations=2)
    labels, _ = ndimage.label(cropland & ~near, np.ones((3, 3), bool))
    patches = np.bincount(labels.ravel())[1:]
    total = max(int(np.count_nonzero(cropland)), 1)
    wrong = int(patches[patches >= SPECK_PIXELS].sum())
    if wrong >= WRONG_SHARE * size and wrong >= WRONG_OF_MAPPED * total:
        return "FP"
    specks = int(patches[patches < SPECK_PIXELS].sum())
    if specks >= NOISE_SHARE * size and specks >= NOISE_OF_MAPPED * total:
        return "Noise"
    return "TP"


def best_option(
    first: np.ndarray,
    second: np.ndarray,
    truth: np.ndarray,
    coverage_types: tuple[str, str] = ("planting", "non_planting"),
) -> str:
    """The integration option whose map agrees best with the truth of a block.

    Parameters
    ----------
    first, second : (rows, columns) uint8 masks of source A and B, 0, 1 or 255.
    truth : (rows, columns) bool.
    coverage_types : of source A and B.

    Returns
    -------
    `neither` where true cropland covers less than TRACE_SHARE of the block. Otherwise the option
    with the highest IoU: `only_a`, `only_b`, or `both` (the union of the masks). Options within
    TIE of the best are equally good. Of those `both` wins, then `only_a`; but where one source
    alone is cloudy, snowy or without data, the other source alone wins: nobody would merge a
    mask of clouds.
    """
    if np.count_nonzero(truth) < TRACE_SHARE * truth.size:
        return "neither"
    a, b = first == 1, second == 1
    scores = {"both": _iou(a | b, truth), "only_a": _iou(a, truth), "only_b": _iou(b, truth)}
    good = [name for name, score in scores.items() if score >= max(scores.values()) - TIE]
    spoiled = [kind in _DISTURBED for kind in coverage_types]
    favourite = {(False, True): "only_a", (True, False): "only_b"}.get(tuple(spoiled), "both")
    return favourite if favourite in good else good[0]


def _iou(mapped: np.ndarray, truth: np.ndarray) -> float:
    union = np.count_nonzero(mapped | truth)
    return np.count_nonzero(mapped & truth) / union if union else 1.0


def interpret_blocks(
    *,
    masks: dict[str, list[Path]],
    blocks: Path,
    truth: Path,
    coverage: Path,
    grid: BlockGrid,
    semantic_csv: Path,
    options_csv: Path,
) -> None:
    """Write `block_id,source,semantic_class` and `block_id,option` for all planned blocks.

    Parameters
    ----------
    masks : for each of two sources (A first) its shard masks, uint8 0, 1, 255 on the pixel grid.
    blocks : `plan/blocks.parquet`.
    truth : the generated true cropland, uint8 0/1 on the pixel grid.
    coverage : CSV `block_id,source,coverage_type` of all blocks and sources.

    Raises InputError if a block is in no mask, or a coverage type is missing.
    """
    if len(masks) != 2:
        raise InputError("integration options are defined for two sources", given=", ".join(masks))
    names = list(masks)
    plan = read_geotable(blocks)
    types = _coverage_types(coverage)
    semantic, options = [], []
    with (
        Mosaic([truth], grid) as truths,
        Mosaic(masks[names[0]], grid) as first,
        Mosaic(masks[names[1]], grid) as second,
    ):
        for block_id in progress(sorted(plan["block_id"]), what="interpreting", unit="blocks"):
            window = grid.block_window(grid.parse_block_id(block_id))
            real = truths.read(window, block_id) == 1
            seen = [layer.read(window, block_id) for layer in (first, second)]
            for name, mapped in zip(names, seen, strict=True):
                if (block_id, name) not in types:
                    raise InputError(
                        f"{coverage} has no coverage type of block {block_id}, source {name}"
                    )
                kind = types[block_id, name]
                semantic.append((block_id, name, semantic_class(mapped, real, kind)))
            kinds = (types[block_id, names[0]], types[block_id, names[1]])
            options.append((block_id, best_option(seen[0], seen[1], real, kinds)))
    _write_csv(semantic, ["block_id", "source", "semantic_class"], semantic_csv)
    _write_csv(options, ["block_id", "option"], options_csv)


def _coverage_types(path: Path) -> dict[tuple[str, str], str]:
    try:
        table = pd.read_csv(path, dtype=str)
        return {
            (row.block_id, row.source): row.coverage_type for row in table.itertuples(index=False)
        }
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"table {path} cannot be read",
            given=error,
            allowed="CSV with columns block_id,source,coverage_type",
        ) from None


def _write_csv(rows: list[tuple], columns: list[str], path: Path) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, lineterminator="\n")


@dataclass
class _Tally:
    """Pixels and hectares of a set of blocks, inside the province."""

    blocks: int = 0
    hit: int = 0
    wrong: int = 0
    missed: int = 0
    inside: int = 0
    unusable: int = 0
    mapped_ha: float = 0.0
    true_ha: float = 0.0

    def add(self, mapped: np.ndarray, truth: np.ndarray, row_ha: np.ndarray) -> None:
        inside = mapped != NODATA
        crop, real = mapped == 1, truth & inside
        self.blocks += 1
        self.hit += int(np.count_nonzero(crop & real))
        self.wrong += int(np.count_nonzero(crop & ~real))
        self.missed += int(np.count_nonzero(real & ~crop))
        self.inside += int(np.count_nonzero(inside))
        self.unusable += int(np.count_nonzero(mapped == UNUSABLE))
        self.mapped_ha += float(crop.sum(axis=1) @ row_ha)
        self.true_ha += float(real.sum(axis=1) @ row_ha)

    def figures(self, suffix: str) -> dict[str, float | int | None]:
        def ratio(part: float, whole: float) -> float | None:
            return round(part / whole, 6) if whole else None

        return {
            f"truth_iou_{suffix}": ratio(self.hit, self.hit + self.wrong + self.missed),
            f"truth_precision_{suffix}": ratio(self.hit, self.hit + self.wrong),
            f"truth_recall_{suffix}": ratio(self.hit, self.hit + self.missed),
            f"truth_area_ratio_{suffix}": ratio(self.mapped_ha, self.true_ha),
            f"truth_unusable_share_{suffix}": ratio(self.unusable, self.inside),
            f"truth_blocks_{suffix}": self.blocks,
        }


def score_map(
    *, maps: list[Path], truth: Path, blocks: Path, extents: Path, grid: BlockGrid
) -> dict[str, float | int | None]:
    """The final map against the generated true cropland, inside the province.

    Unusable pixels (254) count as not mapped, so that cropland under them is missed.

    Parameters
    ----------
    maps : shard rasters, uint8 0, 1, 254 (unusable), 255 (outside the province).
    truth : uint8 0/1 on the pixel grid. blocks : `plan/blocks.parquet`.
    extents : labelled extents with the attribute `split` (GeoParquet or another vector file).

    Returns
    -------
    For `unseen_blocks` (not touched by any extent of the training split) and `all_blocks`:
    `truth_iou_*`, `truth_precision_*`, `truth_recall_*`, `truth_area_ratio_*` (mapped by true
    hectares), `truth_unusable_share_*`, `truth_blocks_*`. A ratio without denominator is None.

    Raises InputError if a block is in no raster or the extents cannot be read.
    """
    plan = read_geotable(blocks)
    trained = _read_extents(extents)
    trained = trained[trained["split"] == "train"].to_crs("EPSG:4326")
    touched = trained.geometry.union_all()
    unseen, everything = _Tally(), _Tally()
    with Mosaic([truth], grid) as truths, Mosaic(maps, grid) as finals:
        for block_id in progress(sorted(plan["block_id"]), what="scoring", unit="blocks"):
            block = grid.parse_block_id(block_id)
            window = grid.block_window(block)
            mapped = finals.read(window, block_id)
            real = truths.read(window, block_id) == 1
            row_ha = row_pixel_areas_ha(grid.transform(window), window.height)
            tallies = [everything]
            if not grid.polygon(block).intersects(touched):
                tallies.append(unseen)
            for tally in tallies:
                tally.add(mapped, real, row_ha)
    return {**unseen.figures("unseen_blocks"), **everything.figures("all_blocks")}


def _read_extents(path: Path) -> gpd.GeoDataFrame:
    if Path(path).suffix == ".parquet":
        table = read_geotable(path)
    else:
        try:
            table = gpd.read_file(path)
        except (OSError, ValueError) as error:
            raise InputError(f"extents {path} cannot be read", given=error) from None
    if "split" not in table:
        raise InputError(f"extents {path} have no attribute `split`", allowed="train or validation")
    return table
