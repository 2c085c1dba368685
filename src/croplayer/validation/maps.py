"""The shards of one map read as if they were one raster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.blocks.classes import OUTSIDE, UNUSABLE
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.grid.completeness import require_pixels
from croplayer.grid.rasters import raster_window, read_window


class ShardedMap:
    """The rasters of one map (masks of a source, or the final map); a context manager.

    Parameters
    ----------
    paths : uint8 rasters on the global pixel grid: 0, 1, and 254 or 255 where nothing is known.
    name : what the map is called in messages.
    """

    def __init__(self, paths: Sequence[Path], grid: BlockGrid, *, name: str) -> None:
        self.paths = [Path(path) for path in paths]
        self.grid = grid
        self.name = name
        self._stack = ExitStack()
        self._rasters: list[tuple[object, PixelWindow]] = []

    def __enter__(self) -> ShardedMap:
        with ExitStack() as stack:
            for path in self.paths:
                dataset = stack.enter_context(open_raster(path))
                self._rasters.append((dataset, raster_window(dataset, self.grid)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rasters = []
        self._stack.close()

    def require(self, blocks: Iterable[Block], *, stage: str) -> None:
        """Raise CompletenessError unless every one of `blocks` lies in one of the rasters.

        `stage` is the rule that makes them.
        """
        windows = [covered for _, covered in self._rasters]
        require_pixels(
            lambda window: any(covered.union(window) == covered for covered in windows),
            blocks,
            self.grid,
            stage=stage,
            path=self.paths[0] if len(self.paths) == 1 else self.paths[0].parent,
        )

    def read(self, window: PixelWindow) -> np.ndarray:
        """(window.height, window.width) uint8: 0, 1, 254 or 255; 255 where no raster reaches.

        Raises InputError if a raster holds anything else.
        """
        values = np.full((window.height, window.width), OUTSIDE, dtype=np.uint8)
        for dataset, covered in self._rasters:
            if not _meet(covered, window):
                continue
            found, valid = read_window(dataset, self.grid, window, bands=[1])
            found = found[0]
            strange = valid & (found > 1) & (found < UNUSABLE)
            if strange.any():
                raise InputError(
                    f"raster {dataset.name} is no cropland map",
                    given=f"value {found[strange].flat[0]}",
                    allowed="0 not cropland, 1 cropland, 254 unusable, 255 outside or nodata",
                )
            values[valid] = found[valid]
        return values


def _meet(a: PixelWindow, b: PixelWindow) -> bool:
    return (
        a.row < b.row + b.height
        and b.row < a.row + a.height
        and a.col < b.col + b.width
        and b.col < a.col + a.width
    )
