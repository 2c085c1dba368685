"""Outlines straightened without ever crossing each other.

Simplifying only takes vertices away, and takes one away only if the triangle that it spans with
its neighbours holds no other vertex of any outline: then the new edge can meet no other edge. That
is the argument of topology-preserving Visvalingam-Whyatt coverages, here with a bound on the
distance and on the mean offset instead of the triangle's area, because a staircase of one pixel
that climbs slowly has large triangles and would stay.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from numba import njit

from croplayer.export.outlines import Outlines


def simplify(
    outlines: Outlines,
    heading: np.ndarray,
    *,
    rows: int,
    cols: int,
    tolerance_pixels: float,
    offset_pixels: float,
) -> Outlines:
    """Simplify traced outlines of an array of (rows, cols) pixels.

    Every vertex of the traced outline lies within `tolerance_pixels` of the simplified edge that
    stands for it, and the traced outline lies on average at most `offset_pixels` to one side of
    that edge (except across the corners of one-pixel steps, which are cut at their middles and
    balance). Open outlines keep both ends. Topology is kept: outlines do not meet.
    """
    x, y, step, starts = _runs(outlines.x, outlines.y, heading, outlines.starts, outlines.closed)
    if tolerance_pixels > 0 and len(x):
        keep = _simplify(
            x, y, step, starts, outlines.closed, rows, cols, tolerance_pixels * 2, offset_pixels * 2
        )
    else:
        keep = np.ones(len(x), dtype=bool)
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return Outlines(x[keep], y[keep], kept_before[starts], outlines.closed)


@njit(cache=True)
def _runs(x, y, heading, starts, closed):  # pragma: no cover - compiled
    """Keep the ends of straight runs, and the middles of runs between opposite turns.

    Such a run is a tread or a riser of a staircase: the true edge goes through its middle.
    `step` is 1 at the ends of runs that meet another such run there: the corners of the staircase.
    """
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


@njit(cache=True)
def _blocked(alive, ax, ay, bx, by, cx, cy):  # pragma: no cover - compiled
    """True if the closed triangle a b c holds a vertex of any outline besides its corners."""
    cross = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if cross == 0:
        return False
    sign = 1 if cross > 0 else -1
    top, bottom = min(ay, by, cy), max(ay, by, cy)
    for y in range(top, bottom + 1):
        low, high = 1e18, -1e18
        for k in range(3):
            if k == 0:
                px, py, qx, qy = ax, ay, bx, by
            elif k == 1:
                px, py, qx, qy = bx, by, cx, cy
            else:
                px, py, qx, qy = cx, cy, ax, ay
            if (py <= y <= qy) or (qy <= y <= py):
                if py == qy:
                    low, high = min(low, px, qx), max(high, px, qx)
                else:
                    at = px + (qx - px) * (y - py) / (qy - py)
                    low, high = min(low, at), max(high, at)
        for x in range(int(np.floor(low)), int(np.ceil(high)) + 1):
            if x < 0 or x >= alive.shape[1] or not alive[y, x]:
                continue
            if (x == ax and y == ay) or (x == bx and y == by) or (x == cx and y == cy):
                continue
            if (
                sign * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0
                and sign * ((cx - bx) * (y - by) - (cy - by) * (x - bx)) >= 0
                and sign * ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) >= 0
            ):
                return True
    return False


@njit(cache=True)
def _distance2(px, py, ax, ay, bx, by):  # pragma: no cover - compiled
    """Squared distance of a point from a segment."""
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0:
        t = min(max(((px - ax) * dx + (py - ay) * dy) / length2, 0.0), 1.0)
    ex, ey = px - ax - t * dx, py - ay - t * dy
    return ex * ex + ey * ey


@njit(cache=True)
def _cost(x, y, area2, first, size, total2, a, c, limit, offset):  # pragma: no cover - compiled
    """Largest squared distance of the traced outline between a and c from the edge a c.

    -1 if that is above `limit`, or if the outline lies to one side by more than `offset` on
    average (offset < 0: not asked).
    """
    if offset >= 0:
        between = area2[c] - area2[a]
        if c < a:
            between += total2
        between += x[c] * y[a] - x[a] * y[c]
        length2 = (x[c] - x[a]) ** 2 + (y[c] - y[a]) ** 2
        if between * between > 4 * offset * offset * length2:
            return -1.0
    worst = 0.0
    i = a + 1 if a + 1 < first + size else first
    while i != c:
        worst = max(worst, _distance2(x[i], y[i], x[a], y[a], x[c], y[c]))
        if worst > limit:
            return -1.0
        i = i + 1 if i + 1 < first + size else first
    return worst


@njit(cache=True)
def _simplify(x, y, step, starts, closed, rows, cols, tolerance, offset):  # pragma: no cover
    n = len(x)
    alive = np.zeros((2 * rows + 1, 2 * cols + 1), np.uint8)
    for i in range(n):
        alive[y[i], x[i]] = 1
    keep = np.ones(n, np.bool_)
    before = np.empty(n, np.int64)
    after = np.empty(n, np.int64)
    outline = np.empty(n, np.int64)
    stamp = np.zeros(n, np.int64)
    left = np.zeros(len(closed), np.int64)
    least = np.zeros(len(closed), np.int64)
    area2 = np.zeros(n, np.float64)
    total2 = np.zeros(len(closed), np.float64)
    for k in range(len(closed)):
        first, last = starts[k], starts[k + 1]
        left[k] = last - first
        running = 0.0
        for i in range(first, last):
            before[i] = i - 1 if i > first else (last - 1 if closed[k] else -1)
            after[i] = i + 1 if i + 1 < last else (first if closed[k] else -1)
            outline[i] = k
            area2[i] = running
            j = i + 1 if i + 1 < last else first
            running += x[i] * y[j] - x[j] * y[i]
        total2[k] = running
        if closed[k]:
            least[k] = 4
        else:
            # An open outline between two points of one side of the frame must not lie down on
            # it, or it would meet the outline beyond.
            e = last - 1
            one_side = (x[first] == x[e] and (x[first] == 1 or x[first] == 2 * cols - 1)) or (
                y[first] == y[e] and (y[first] == 1 or y[first] == 2 * rows - 1)
            )
            least[k] = 3 if one_side else 2
    limit = tolerance * tolerance
    for stage in range(2):
        use_offset = -1.0 if stage == 0 else offset
        # A first entry gives the list its type; no stamp is -1, so it is passed over.
        queue = [(0.0, np.int64(0), np.int64(-1))]
        for i in range(n):
            if not keep[i] or before[i] < 0 or after[i] < 0 or (stage == 0 and not step[i]):
                continue
            k = outline[i]
            cost = _cost(
                x,
                y,
                area2,
                starts[k],
                starts[k + 1] - starts[k],
                total2[k],
                before[i],
                after[i],
                limit,
                use_offset,
            )
            if cost >= 0:
                queue.append((cost, np.int64(i), stamp[i]))
        heapify(queue)
        while len(queue) > 0:
            cost, b, made = heappop(queue)
            k = outline[b]
            if made != stamp[b] or not keep[b] or left[k] <= least[k]:
                continue
            a, c = before[b], after[b]
            if _blocked(alive, x[a], y[a], x[b], y[b], x[c], y[c]):
                continue
            keep[b] = False
            alive[y[b], x[b]] = 0
            left[k] -= 1
            after[a], before[c] = c, a
            for side in range(2):
                i = a if side == 0 else c
                if before[i] < 0 or after[i] < 0 or (stage == 0 and not step[i]):
                    continue
                stamp[i] += 1
                cost = _cost(
                    x,
                    y,
                    area2,
                    starts[k],
                    starts[k + 1] - starts[k],
                    total2[k],
                    before[i],
                    after[i],
                    limit,
                    use_offset,
                )
                if cost >= 0:
                    heappush(queue, (cost, np.int64(i), stamp[i]))
    return keep
