"""Outlines of a mask, traced on the pixel grid.

An outline runs through the middles of the pixel edges that part cropland from the rest (marching
squares of a binary image), cropland on its left. Coordinates are whole numbers of half pixels from
the north-west corner of the array, so nothing is rounded and the result is the same on every
machine. Cropland is 4-connected: two pixels that meet at a corner alone belong to two outlines,
which pass each other half a pixel apart; so no outline ever touches itself or another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

_NORTH, _EAST, _SOUTH, _WEST = 0, 1, 2, 3


class Outlines(NamedTuple):
    """Outlines of one array.

    x, y : (vertices,) int64, half pixels east and south of the array's north-west corner.
    starts : (outlines + 1,) int64, where each outline begins in x and y.
    closed : (outlines,) bool; an open outline begins and ends on the frame through the centres of
        the array's outermost pixels.
    """

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    closed: np.ndarray


def trace(crop: np.ndarray) -> tuple[Outlines, np.ndarray]:
    """Outlines of a mask and the heading (0 north, 1 east, 2 south, 3 west) at each vertex.

    Parameters
    ----------
    crop : (rows, columns) bool or uint8, at least 2 x 2; the frame runs through the centres of its
        outermost pixels, so that arrays that share a row or column of pixels share the vertices on
        it and nothing else.
    """
    x, y, heading, starts, closed = _trace(np.ascontiguousarray(crop).astype(np.uint8))
    return Outlines(x, y, starts, closed), heading


@njit(cache=True)
def _heading_at(crop, vertical, r, c):  # pragma: no cover - compiled
    """Direction of travel through the edge of pixel (r, c) with its east (or south) neighbour."""
    if vertical:  # between (r, c) and (r + 1, c)
        return _EAST if crop[r, c] else _WEST
    return _NORTH if crop[r, c] else _SOUTH


@njit(cache=True)
def _follow(crop, seen_h, seen_v, vertical, r, c, x, y, heading, n):  # pragma: no cover - compiled
    """Walk one outline from an edge on; returns the next free place and whether it is closed."""
    rows, cols = crop.shape
    start_v, start_r, start_c = vertical, r, c
    while True:
        h = _heading_at(crop, vertical, r, c)
        if vertical:
            seen_v[r, c] = 1
            x[n], y[n] = 2 * c + 1, 2 * r + 2
            i, j = r, (c if h == _EAST else c - 1)
        else:
            seen_h[r, c] = 1
            x[n], y[n] = 2 * c + 2, 2 * r + 1
            i, j = (r - 1 if h == _NORTH else r), c
        heading[n] = h
        n += 1
        if i < 0 or j < 0 or i >= rows - 1 or j >= cols - 1:
            return n, False
        if h == _NORTH:
            ahead_left, ahead_right = crop[i, j], crop[i, j + 1]
        elif h == _EAST:
            ahead_left, ahead_right = crop[i, j + 1], crop[i + 1, j + 1]
        elif h == _SOUTH:
            ahead_left, ahead_right = crop[i + 1, j + 1], crop[i + 1, j]
        else:
            ahead_left, ahead_right = crop[i + 1, j], crop[i, j]
        if not ahead_left:
            h = (h + 3) % 4  # also where the far pixel is cropland: it touches at a corner alone
        elif ahead_right:
            h = (h + 1) % 4
        if h == _NORTH:
            vertical, r, c = False, i, j
        elif h == _SOUTH:
            vertical, r, c = False, i + 1, j
        elif h == _EAST:
            vertical, r, c = True, i, j + 1
        else:
            vertical, r, c = True, i, j
        if vertical == start_v and r == start_r and c == start_c:
            return n, True


@njit(cache=True)
def _trace(crop):  # pragma: no cover - compiled
    rows, cols = crop.shape
    edges = 0
    for r in range(rows):
        for c in range(cols):
            if c + 1 < cols and crop[r, c] != crop[r, c + 1]:
                edges += 1
            if r + 1 < rows and crop[r, c] != crop[r + 1, c]:
                edges += 1
    x = np.empty(edges, np.int64)
    y = np.empty(edges, np.int64)
    heading = np.empty(edges, np.int8)
    starts = np.zeros(edges + 1, np.int64)
    closed = np.zeros(edges, np.bool_)
    seen_h = np.zeros((rows, cols - 1), np.uint8)
    seen_v = np.zeros((rows - 1, cols), np.uint8)
    n, count = 0, 0
    for c in range(cols - 1):
        for side in range(2):
            r = 0 if side == 0 else rows - 1
            inward = _SOUTH if side == 0 else _NORTH
            if crop[r, c] != crop[r, c + 1] and _heading_at(crop, False, r, c) == inward:
                n, _ = _follow(crop, seen_h, seen_v, False, r, c, x, y, heading, n)
                count += 1
                starts[count] = n
    for r in range(rows - 1):
        for side in range(2):
            c = 0 if side == 0 else cols - 1
            inward = _EAST if side == 0 else _WEST
            if crop[r, c] != crop[r + 1, c] and _heading_at(crop, True, r, c) == inward:
                n, _ = _follow(crop, seen_h, seen_v, True, r, c, x, y, heading, n)
                count += 1
                starts[count] = n
    for r in range(1, rows - 1):
        for c in range(cols - 1):
            if crop[r, c] != crop[r, c + 1] and not seen_h[r, c]:
                n, is_closed = _follow(crop, seen_h, seen_v, False, r, c, x, y, heading, n)
                closed[count] = is_closed
                count += 1
                starts[count] = n
    return x, y, heading, starts[: count + 1].copy(), closed[:count].copy()
