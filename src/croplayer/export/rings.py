"""Outlines of many blocks joined into whole rings: a polygon knows no seam.

Each block is traced and simplified alone, between vertices fixed on the frame that it shares with
its neighbours (the lines through the first pixel centres of each block). What a block yields thus
depends on its own pixels and nothing else: not on the shards, not on the county that is being
exported, and memory is one block of pixels and the county's vertices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numba import njit

from croplayer.export.outlines import Outlines, trace
from croplayer.export.straighten import simplify
from croplayer.grid.blocks import Block, BlockGrid, PixelWindow
from croplayer.settings.export import ExportSettings


class Rings(NamedTuple):
    """Closed rings on the global grid of half pixels, sorted by their first vertex.

    x, y : (vertices,) int64, half pixels east of 180 W and south of 90 N. The first vertex of a
        ring is its northernmost (of these the westernmost); it is not repeated at the end.
    starts : (rings + 1,) int64.
    """

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray


def frame_window(grid: BlockGrid, block: Block) -> PixelWindow:
    """A block with the first row and column of pixels of its southern and eastern neighbours."""
    window = grid.block_window(block)
    return PixelWindow(window.row, window.col, window.height + 1, window.width + 1)


def county_rings(
    blocks: Iterable[Block],
    read_crop: Callable[[PixelWindow], np.ndarray],
    grid: BlockGrid,
    settings: ExportSettings,
) -> Rings:
    """Simplified rings around the cropland of `blocks`.

    Parameters
    ----------
    blocks : the blocks to trace. Cropland that goes on beyond them is cut off behind their frame.
    read_crop : reads a window of the global pixel grid as a bool array, True for cropland.
    """
    chosen = sorted(set(blocks))
    members = set(chosen)
    parts: list[Outlines] = []
    frames: dict[Block, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}
    for block in chosen:
        window = frame_window(grid, block)
        crop = read_crop(window)
        if any(neighbour not in members for neighbour, _, _ in _neighbours(block)):
            frames[block] = (
                crop[0].copy(),
                crop[-1].copy(),
                crop[:, 0].copy(),
                crop[:, -1].copy(),
            )
        parts.append(_outlines(crop, window, settings))
    for window, crop in _closing(frames, members, grid):
        parts.append(_outlines(crop, window, settings))
    return join(parts)


def join(parts: list[Outlines]) -> Rings:
    """Join outlines at their common ends into closed rings.

    Raises RuntimeError if an open outline has no successor: blocks disagreed on shared pixels.
    """
    x = np.concatenate([part.x for part in parts]) if parts else np.zeros(0, np.int64)
    y = np.concatenate([part.y for part in parts]) if parts else np.zeros(0, np.int64)
    sizes = [np.diff(part.starts) for part in parts]
    size = np.concatenate(sizes) if parts else np.zeros(0, np.int64)
    closed = np.concatenate([part.closed for part in parts]) if parts else np.zeros(0, bool)
    starts = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    following = np.full(len(closed), -1, dtype=np.int64)
    pieces = np.flatnonzero(~closed)
    if pieces.size:
        head, tail = starts[pieces], starts[pieces + 1] - 1
        head_key = np.rec.fromarrays([x[head], y[head]])
        tail_key = np.rec.fromarrays([x[tail], y[tail]])
        order = np.argsort(head_key, order=("f0", "f1"), kind="stable")
        place = np.searchsorted(head_key[order], tail_key)
        found = order[np.minimum(place, len(order) - 1)]
        if not np.array_equal(head_key[found], tail_key):
            raise RuntimeError("an outline ends on a block's frame without one that goes on there")
        following[pieces] = pieces[found]
    out_x, out_y, out_starts = _chain(x, y, starts, closed, following)
    first = out_starts[:-1]
    order = np.lexsort((out_x[first], out_y[first]))
    sizes_out = np.diff(out_starts)[order]
    index = np.repeat(first[order] - np.concatenate([[0], np.cumsum(sizes_out)[:-1]]), sizes_out)
    index = index + np.arange(len(index))
    return Rings(
        out_x[index], out_y[index], np.concatenate([[0], np.cumsum(sizes_out)]).astype(np.int64)
    )


def degrees(rings: Rings, grid: BlockGrid) -> np.ndarray:
    """(vertices, 2) longitude and latitude; reckoned in whole numbers, rounded once."""
    per = 200 * grid.pixels_per_block
    lon = (rings.x * grid.block_hundredths - 180 * per) / per
    lat = (90 * per - rings.y * grid.block_hundredths) / per
    return np.column_stack([lon, lat])


def _outlines(crop: np.ndarray, window: PixelWindow, settings: ExportSettings) -> Outlines:
    """Simplified outlines of one block, in half pixels of the globe."""
    traced, heading = trace(crop)
    found = simplify(
        traced,
        heading,
        rows=crop.shape[0],
        cols=crop.shape[1],
        tolerance_pixels=settings.tolerance_pixels,
        offset_pixels=settings.offset_pixels,
    )
    return Outlines(found.x + 2 * window.col, found.y + 2 * window.row, found.starts, found.closed)


def _neighbours(block: Block) -> list[tuple[Block, int, int]]:
    """The eight neighbours of a block with their offsets (rows, columns)."""
    return [
        (Block(block.row + dr, block.col + dc), dr, dc)
        for dr in (-1, 0, 1)
        for dc in (-1, 0, 1)
        if (dr, dc) != (0, 0)
    ]


def _closing(
    frames: dict[Block, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    members: set[Block],
    grid: BlockGrid,
) -> list[tuple[PixelWindow, np.ndarray]]:
    """Windows around the chosen blocks, empty but for the pixels that they share with these.

    Tracing them closes every outline half a pixel behind the frame. A window is that of a
    neighbour, cut to what is not empty and a pixel around it: mostly a strip of two rows.
    """
    size = grid.pixels_per_block + 1
    crops: dict[Block, np.ndarray] = {}
    for block, (top, bottom, left, right) in frames.items():
        for neighbour, dr, dc in _neighbours(block):
            if neighbour in members:
                continue
            crop = crops.setdefault(neighbour, np.zeros((size, size), dtype=bool))
            if dr and dc:
                line = top if dr < 0 else bottom
                crop[-1 if dr < 0 else 0, -1 if dc < 0 else 0] |= line[0 if dc < 0 else -1]
            elif dr:
                crop[-1 if dr < 0 else 0] |= top if dr < 0 else bottom
            else:
                crop[:, -1 if dc < 0 else 0] |= left if dc < 0 else right
    closing = []
    for block in sorted(crops):
        crop, window = crops[block], frame_window(grid, block)
        # Only the four sides of a crop can hold anything.
        rows, cols = crop[:, [0, -1]].any(axis=1), crop[[0, -1]].any(axis=0)
        rows[[0, -1]] |= crop[[0, -1]].any(axis=1)
        cols[[0, -1]] |= crop[:, [0, -1]].any(axis=0)
        if rows.any():
            (r0, r1), (c0, c1) = _span(rows), _span(cols)
            part = PixelWindow(window.row + r0, window.col + c0, r1 - r0, c1 - c0)
            closing.append((part, crop[r0:r1, c0:c1]))
    return closing


def _span(filled: np.ndarray) -> tuple[int, int]:
    """First and one past the last filled place, with one more on either side if there is room."""
    places = np.flatnonzero(filled)
    return max(int(places[0]) - 1, 0), min(int(places[-1]) + 2, len(filled))


@njit(cache=True)
def _chain(x, y, starts, closed, following):  # pragma: no cover - compiled
    """Rings from outlines and their successors, each beginning at its north-western vertex."""
    out_x = np.empty(len(x), np.int64)
    out_y = np.empty(len(x), np.int64)
    out_starts = np.zeros(len(closed) + 1, np.int64)
    used = np.zeros(len(closed), np.bool_)
    ring_x = np.empty(len(x), np.int64)
    ring_y = np.empty(len(x), np.int64)
    n, count = 0, 0
    for k in range(len(closed)):
        if used[k]:
            continue
        size = 0
        piece = k
        while not used[piece]:
            used[piece] = True
            last = starts[piece + 1] if closed[piece] else starts[piece + 1] - 1
            for i in range(starts[piece], last):
                ring_x[size], ring_y[size] = x[i], y[i]
                size += 1
            if closed[piece]:
                break
            piece = following[piece]
        best = 0
        for i in range(1, size):
            if ring_y[i] < ring_y[best] or (ring_y[i] == ring_y[best] and ring_x[i] < ring_x[best]):
                best = i
        for i in range(size):
            out_x[n], out_y[n] = ring_x[(best + i) % size], ring_y[(best + i) % size]
            n += 1
        count += 1
        out_starts[count] = n
    return out_x[:n].copy(), out_y[:n].copy(), out_starts[: count + 1].copy()
