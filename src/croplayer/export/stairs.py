"""The vertices of traced outlines that straightening begins with: of straight runs and stairs."""

from __future__ import annotations

import numpy as np
from numba import njit

from croplayer.export.outlines import Outlines


def run_vertices(
    outlines: Outlines, heading: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The ends of straight runs, and the middles of runs between opposite turns.

    Such a run is a tread or a riser of a staircase: the true edge goes through its middle.

    Parameters
    ----------
    outlines, heading : as `croplayer.export.outlines.trace` returns them.

    Returns x and y, (vertices,) int64 half pixels; step, (vertices,) uint8, 1 at the ends of runs
    that meet another such run there (the corners of the staircase); starts, (outlines + 1,) int64.
    """
    return _runs(outlines.x, outlines.y, heading, outlines.starts, outlines.closed)


@njit(cache=True)
def _runs(x, y, heading, starts, closed):  # pragma: no cover - compiled
    out_x = np.empty(len(x) * 2 + 4, np.int64)
    out_y = np.empty(len(x) * 2 + 4, np.int64)
    step = np.zeros(len(x) * 2 + 4, np.uint8)
    out_starts = np.zeros(len(starts), np.int64)
    n = 0
    for k in range(len(closed)):
        first, last = starts[k], starts[k + 1]
        size = last - first
        shift = 0
        if closed[k]:
            while heading[first + shift] == heading[first + (shift - 1) % size]:
                shift += 1
        # Runs as (first vertex, last vertex), counted from the shifted beginning.
        begins = np.empty(size + 1, np.int64)
        count = 0
        for i in range(size):
            here = first + (i + shift) % size
            before = first + (i + shift - 1) % size
            if i == 0 or heading[here] != heading[before]:
                begins[count] = i
                count += 1
        begins[count] = size
        stair = np.zeros(count, np.bool_)
        for m in range(count):
            if not closed[k] and (m == 0 or m == count - 1):
                continue  # cut by the frame: where it goes on is not known here
            h0 = heading[first + (begins[m] + shift - 1) % size]
            h1 = heading[first + (begins[m] + shift) % size]
            h2 = heading[first + (begins[m + 1] + shift) % size]
            stair[m] = (h1 - h0) % 4 != (h2 - h1) % 4
        for m in range(count):
            a = first + (begins[m] + shift) % size
            b = first + (begins[m + 1] - 1 + shift) % size
            before = stair[m - 1] if m > 0 else (stair[count - 1] if closed[k] else False)
            after = stair[m + 1] if m + 1 < count else (stair[0] if closed[k] else False)
            out_x[n], out_y[n] = x[a], y[a]
            if a == b:
                n += 1
                continue
            step[n] = stair[m] and before
            n += 1
            if stair[m] and begins[m + 1] - begins[m] > 2:
                out_x[n], out_y[n] = (x[a] + x[b]) // 2, (y[a] + y[b]) // 2
                n += 1
            elif stair[m]:
                # Two vertices: the middle lies between them, on the corner of two pixels.
                out_x[n], out_y[n] = (x[a] + x[b]) // 2, (y[a] + y[b]) // 2
                n += 1
            out_x[n], out_y[n] = x[b], y[b]
            step[n] = stair[m] and after
            n += 1
        out_starts[k + 1] = n
    return out_x[:n].copy(), out_y[:n].copy(), step[:n].copy(), out_starts
