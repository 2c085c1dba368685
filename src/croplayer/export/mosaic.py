"""The final map of a province, read by windows of the global pixel grid across its shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.grid.blocks import BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window, read_window

CROPLAND, UNUSABLE, OUTSIDE = 1, 254, 255
_KNOWN = np.isin(np.arange(256), (0, CROPLAND, UNUSABLE, OUTSIDE))


class MapMosaic:
    """Shard maps as one raster of the world: 255 wherever no shard has a pixel.

    A context manager; shards are opened once and read window by window.

    Raises InputError if a shard is not a one-band uint8 raster on the grid, if two shards overlap,
    or (when read) if it holds another value than 0, 1, 254, 255.
    """

    def __init__(self, maps: list[Path], grid: BlockGrid) -> None:
        if not maps:
            raise InputError("no shard maps were given")
        self.grid = grid
        self.folder = Path(maps[0]).parent
        self._open = ExitStack()
        self._shards = []
        try:
            for path in sorted(Path(path) for path in maps):
                dataset = self._open.enter_context(open_raster(path))
                if dataset.count != 1 or dataset.dtypes[0] != "uint8":
                    raise InputError(
                        f"map {path} is not a cropland map",
                        given=f"{dataset.count} band(s) of {dataset.dtypes[0]}",
                        allowed="one band of uint8 with the values 0, 1, 254, 255",
                    )
                window = raster_window(dataset, grid)
                for other, _, name in self._shards:
                    if _overlap(window, other) is not None:
                        raise InputError(
                            f"maps {name} and {path} overlap",
                            remedy="give each shard once; delete maps of an older plan",
                        )
                self._shards.append((window, dataset, path))
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> MapMosaic:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    @property
    def windows(self) -> list[PixelWindow]:
        """The pixels of each shard."""
        return [window for window, _, _ in self._shards]

    def covers(self, window: PixelWindow) -> bool:
        """True if every pixel of `window` lies in some shard."""
        parts = (_overlap(window, shard) for shard in self.windows)
        return sum(p.height * p.width for p in parts if p) == window.height * window.width

    def read(self, window: PixelWindow) -> np.ndarray:
        """(window.height, window.width) uint8 codes; 255 where no shard has a pixel."""
        codes = np.full((window.height, window.width), OUTSIDE, dtype=np.uint8)
        for shard, dataset, path in self._shards:
            part = _overlap(window, shard)
            if part is None:
                continue
            array, _ = read_window(dataset, self.grid, part, bands=[1])
            if not _KNOWN[array].all():
                unknown = np.unique(array[~_KNOWN[array]])
                raise InputError(
                    f"map {path} holds unknown values",
                    given=", ".join(str(v) for v in unknown[:10]),
                    allowed="0 not cropland, 1 cropland, 254 unusable imagery, 255 outside",
                )
            codes[part.relative_to(window)] = array[0]
        return codes

    def pieces(self) -> Iterator[tuple[PixelWindow, np.ndarray]]:
        """Every shard in windows of at most one block, with its codes."""
        step = self.grid.pixels_per_block
        for shard in self.windows:
            for row in range(shard.row, shard.row + shard.height, step):
                for col in range(shard.col, shard.col + shard.width, step):
                    window = PixelWindow(
                        row,
                        col,
                        min(step, shard.row + shard.height - row),
                        min(step, shard.col + shard.width - col),
                    )
                    yield window, self.read(window)


def _overlap(a: PixelWindow, b: PixelWindow) -> PixelWindow | None:
    """The pixels that two windows share, None if there are none."""
    top, left = max(a.row, b.row), max(a.col, b.col)
    bottom = min(a.row + a.height, b.row + b.height)
    right = min(a.col + a.width, b.col + b.width)
    if bottom <= top or right <= left:
        return None
    return PixelWindow(top, left, bottom - top, right - left)
