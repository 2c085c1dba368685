"""Where the chips of a window lie, and how their imagery is read.

Chips lie on the global pixel grid: their origins are multiples of the stride counted from 180 W,
90 N, wherever the window, the strip or the shard begins. So every pixel is covered by the same
chips with the same weights in every layout, and a map has no seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from croplayer.grid import PixelWindow
from croplayer.segmentation.ahead import map_ahead

Reader = Callable[[PixelWindow], tuple[np.ndarray, np.ndarray]]
"""Window -> uint8 (rows, columns, 3) and bool validity (rows, columns); several threads call it."""


@dataclass(frozen=True)
class Chip:
    """One chip with its imagery.

    row, col : its north-west pixel on the global grid.
    rgb : uint8 (rows, columns, 3).
    valid : bool (rows, columns), where there is imagery; True somewhere.
    """

    row: int
    col: int
    rgb: np.ndarray
    valid: np.ndarray


def chip_origins(start: int, stop: int, chip: int, stride: int) -> list[int]:
    """Origins, multiples of `stride`, of all chips that share a pixel with start to stop - 1."""
    first = (start - chip) // stride + 1
    last = (stop - 1) // stride
    return [index * stride for index in range(first, last + 1)]


def blend_weights(chip: int, overlap: int) -> np.ndarray:
    """float32 (chip, chip): 1 in the middle, falling as sin^2 towards the edges over `overlap`.

    The weights of overlapping chips sum to 1 in every pixel (sin^2 + cos^2), as long as the overlap
    is at most half a chip.
    """
    edge = np.ones(chip)
    if overlap:
        ramp = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / overlap) ** 2
        edge[:overlap] *= ramp
        edge[-overlap:] *= ramp[::-1]
    return np.outer(edge, edge).astype(np.float32)


def stretches(cols: Sequence[int], chip: int, longest: int) -> Iterator[list[int]]:
    """Chips of a row that are read together: neighbours that touch, at most `longest` of them."""
    stretch: list[int] = []
    for col in cols:
        if stretch and (col - stretch[-1] > chip or len(stretch) == longest):
            yield stretch
            stretch = []
        stretch.append(col)
    if stretch:
        yield stretch


def read_chips(
    rows: Sequence[int],
    cols: Sequence[int],
    chip: int,
    read: Reader,
    wanted: Callable[[PixelWindow], bool] | None,
    *,
    together: int,
    threads: int,
) -> Iterator[Chip]:
    """The chips that hold imagery, row by row from north to south and west to east in each.

    Parameters
    ----------
    rows, cols : origins of the chips.
    wanted : tells of a chip whether it is needed; what no wanted chip covers is not read.
    together : chips read at once. What is held in memory is a few stretches of so many chips,
        whatever the number of rows and columns.
    threads : threads that read ahead; 0 reads when a chip is due.
    """

    def needed() -> Iterator[tuple[int, list[int]]]:
        for row in rows:
            chosen = [c for c in cols if wanted is None or wanted(PixelWindow(row, c, chip, chip))]
            for stretch in stretches(chosen, chip, together):
                yield row, stretch

    def load(place: tuple[int, list[int]]) -> list[Chip]:
        row, stretch = place
        rgb, valid = read(PixelWindow(row, stretch[0], chip, stretch[-1] + chip - stretch[0]))
        parts = [(col, slice(col - stretch[0], col - stretch[0] + chip)) for col in stretch]
        return [
            Chip(row, col, rgb[:, part], valid[:, part])
            for col, part in parts
            if valid[:, part].any()
        ]

    for chips in map_ahead(load, needed(), threads=threads, name="reader"):
        yield from chips


def array_reader(rgb: np.ndarray, valid: np.ndarray, window: PixelWindow) -> Reader:
    """A `Reader` of arrays that cover `window`; outside it there is no imagery."""

    def read(part: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        image = np.zeros((part.height, part.width, 3), dtype=np.uint8)
        there = np.zeros((part.height, part.width), dtype=bool)
        r0, c0 = max(part.row, window.row), max(part.col, window.col)
        r1 = min(part.row + part.height, window.row + window.height)
        c1 = min(part.col + part.width, window.col + window.width)
        if r1 > r0 and c1 > c0:
            common = PixelWindow(r0, c0, r1 - r0, c1 - c0)
            here, there_in = common.relative_to(part), common.relative_to(window)
            image[here], there[here] = rgb[there_in], valid[there_in]
        return image, there

    return read
