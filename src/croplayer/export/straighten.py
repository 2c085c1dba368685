"""Outlines straightened without ever crossing each other.

Simplifying only takes vertices away, and takes one away only if the triangle that it spans with
its neighbours holds no other vertex of any outline: then the new edge can meet no other edge. That
is the argument of topology-preserving Visvalingam-Whyatt coverages, here with a bound on the
distance and on the mean offset instead of the triangle's area, because a staircase of one pixel
that climbs slowly has large triangles and would stay.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from croplayer.export.outlines import Outlines
from croplayer.export.stairs import run_vertices

_SMALL_BOX = 64
"""Triangles whose box is at most this large are searched point by point."""


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
    x, y, step, starts = run_vertices(outlines, heading)
    if tolerance_pixels > 0 and len(x):
        keep = _simplify(
            x, y, step, starts, outlines.closed, rows, cols, tolerance_pixels * 2, offset_pixels * 2
        )
    else:
        keep = np.ones(len(x), dtype=bool)
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return Outlines(x[keep], y[keep], kept_before[starts], outlines.closed)


@njit(cache=True)
def _in_triangle(sign, ax, ay, bx, by, cx, cy, x, y):  # pragma: no cover - compiled
    """True if (x, y) lies in the closed triangle a b c and is none of its corners."""
    if (x == ax and y == ay) or (x == bx and y == by) or (x == cx and y == cy):
        return False
    return (
        sign * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0
        and sign * ((cx - bx) * (y - by) - (cy - by) * (x - bx)) >= 0
        and sign * ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) >= 0
    )


@njit(cache=True)
def _blocked(alive, ax, ay, bx, by, cx, cy):  # pragma: no cover - compiled
    """True if the closed triangle a b c holds a vertex of any outline besides its corners."""
    cross = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if cross == 0:
        return False
    sign = 1 if cross > 0 else -1
    top, bottom = min(ay, by, cy), max(ay, by, cy)
    west, east = min(ax, bx, cx), max(ax, bx, cx)
    if (bottom - top) * (east - west) <= _SMALL_BOX:
        for y in range(top, bottom + 1):
            for x in range(west, east + 1):
                if alive[y, x] and _in_triangle(sign, ax, ay, bx, by, cx, cy, x, y):
                    return True
        return False
    for y in range(top, bottom + 1):
        # The part of this row inside the triangle, widened to whole numbers.
        low, high = float(east), float(west)
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
        for x in range(int(np.floor(low)), min(int(np.ceil(high)), east) + 1):
            if alive[y, x] and _in_triangle(sign, ax, ay, bx, by, cx, cy, x, y):
                return True
    return False


@njit(cache=True)
def _cost(x, y, area2, total2, a, c, limit, offset):  # pragma: no cover - compiled
    """Largest squared distance of the traced outline between a and c from the edge a c.

    -1 if that is above `limit`, or if the outline lies to one side by more than `offset` on
    average (offset < 0: not asked).
    """
    dx, dy = float(x[c] - x[a]), float(y[c] - y[a])
    length2 = dx * dx + dy * dy
    if offset >= 0:
        between = area2[c] - area2[a]
        if c < a:
            between += total2
        between += x[c] * y[a] - x[a] * y[c]
        if between * between > 4 * offset * offset * length2:
            return -1.0
    scale = 1 / length2 if length2 > 0 else 0.0
    worst = 0.0
    i = a + 1 if a + 1 < len(x) else 0
    while i != c:
        px, py = float(x[i] - x[a]), float(y[i] - y[a])
        along = px * dx + py * dy
        if along <= 0:
            distance2 = px * px + py * py
        elif along >= length2:
            distance2 = (px - dx) * (px - dx) + (py - dy) * (py - dy)
        else:
            aside = px * dy - py * dx
            distance2 = aside * aside * scale
        if distance2 > worst:
            worst = distance2
            if worst > limit:
                return -1.0
        i = i + 1 if i + 1 < len(x) else 0
    return worst


@njit(cache=True)
def _sift(heap, place, costs, slot, count):  # pragma: no cover - compiled
    """Move the vertex at `slot` of the heap to where its cost (then its number) belongs."""
    vertex = heap[slot]
    cost = costs[vertex]
    while slot > 0:
        up = (slot - 1) // 2
        other = heap[up]
        if costs[other] < cost or (costs[other] == cost and other < vertex):
            break
        heap[slot] = other
        place[other] = slot
        slot = up
    while True:
        down = 2 * slot + 1
        if down >= count:
            break
        other = heap[down]
        if down + 1 < count:
            right = heap[down + 1]
            if costs[right] < costs[other] or (costs[right] == costs[other] and right < other):
                down += 1
                other = right
        if cost < costs[other] or (cost == costs[other] and vertex < other):
            break
        heap[slot] = other
        place[other] = slot
        slot = down
    heap[slot] = vertex
    place[vertex] = slot


@njit(cache=True)
def _drop(heap, place, costs, slot, count):  # pragma: no cover - compiled
    """Take the vertex at `slot` out of the heap; returns how many are left."""
    place[heap[slot]] = -1
    count -= 1
    if slot < count:
        heap[slot] = heap[count]
        _sift(heap, place, costs, slot, count)
    return count


@njit(cache=True)
def _least_vertices(x, y, closed, rows, cols):  # pragma: no cover - compiled
    """How many vertices an outline must keep."""
    if closed:
        return 4
    # An open outline between two points of one side of the frame must not lie down on it, or it
    # would meet the outline beyond.
    one_side = (x[0] == x[-1] and (x[0] == 1 or x[0] == 2 * cols - 1)) or (
        y[0] == y[-1] and (y[0] == 1 or y[0] == 2 * rows - 1)
    )
    return 3 if one_side else 2


@njit(cache=True)
def _link(x, y, closed, keep, before, after, area2):  # pragma: no cover - compiled
    """Set the neighbours of each vertex that stays (-1: none), and running sums of twice the area.

    Returns the sum of the whole outline, and how many vertices stay.
    """
    running = 0.0
    left, last = 0, -1
    for i in range(len(x)):
        area2[i] = running
        j = i + 1 if i + 1 < len(x) else 0
        running += x[i] * y[j] - x[j] * y[i]
        if keep[i]:
            before[i] = last
            if last >= 0:
                after[last] = i
            last = i
            left += 1
    after[last] = -1
    if closed:
        first = 0
        while not keep[first]:
            first += 1
        before[first], after[last] = last, first
    return running, left


@njit(cache=True)
def _take_away(x, y, b, alive, keep, before, after):  # pragma: no cover - compiled
    """Take vertex `b` out of its outline unless the triangle with its neighbours is occupied."""
    a, c = before[b], after[b]
    if _blocked(alive, x[a], y[a], x[b], y[b], x[c], y[c]):
        return False
    keep[b] = False
    alive[y[b], x[b]] = 0
    after[a], before[c] = c, a
    return True


@njit(cache=True)
def _cut_steps(
    x, y, step, spare, alive, keep, before, after, area2, total2, limit
):  # pragma: no cover - compiled
    """Take the corners of steps away, at most `spare`; returns how many are left to spare.

    In any order: a cost only rises when a neighbour goes.
    """
    for b in range(len(x)):
        if spare <= 0:
            break
        a, c = before[b], after[b]
        if not step[b] or a < 0 or c < 0:
            continue
        cost = _cost(x, y, area2, total2, a, c, limit, -1.0)
        if cost >= 0 and _take_away(x, y, b, alive, keep, before, after):
            spare -= 1
    return spare


@njit(cache=True)
def _cut_straight(
    x, y, spare, alive, keep, before, after, area2, total2, limit
):  # pragma: no cover - compiled
    """Take away the vertices on the line through their neighbours: they cost nothing.

    What `_cut_by_cost` would begin with, without a heap: no cost of another vertex becomes nothing
    by it.
    """
    for b in range(len(x)):
        if spare <= 0:
            break
        a, c = before[b], after[b]
        if not keep[b] or a < 0 or c < 0:
            continue
        if (x[b] - x[a]) * (y[c] - y[a]) != (y[b] - y[a]) * (x[c] - x[a]):
            continue
        cost = _cost(x, y, area2, total2, a, c, limit, 0.0)
        if cost == 0 and _take_away(x, y, b, alive, keep, before, after):
            spare -= 1


@njit(cache=True)
def _cut_by_cost(
    x, y, spare, alive, keep, before, after, area2, total2, limit, offset, heap, place, costs
):  # pragma: no cover - compiled
    """Take vertices away by rising cost, at most `spare`."""
    count = 0
    for b in range(len(x)):
        place[b] = -1
        if not keep[b] or before[b] < 0 or after[b] < 0:
            continue
        costs[b] = _cost(x, y, area2, total2, before[b], after[b], limit, offset)
        if costs[b] >= 0:
            heap[count] = b
            count += 1
            _sift(heap, place, costs, count - 1, count)
    while count > 0 and spare > 0:
        b = heap[0]
        count = _drop(heap, place, costs, 0, count)
        neighbours = before[b], after[b]
        if not _take_away(x, y, b, alive, keep, before, after):
            continue
        spare -= 1
        for i in neighbours:
            if before[i] < 0 or after[i] < 0:
                continue
            costs[i] = _cost(x, y, area2, total2, before[i], after[i], limit, offset)
            if costs[i] >= 0:
                if place[i] < 0:
                    heap[count] = i
                    place[i] = count
                    count += 1
                _sift(heap, place, costs, place[i], count)
            elif place[i] >= 0:
                count = _drop(heap, place, costs, place[i], count)


@njit(cache=True)
def _simplify(x, y, step, starts, closed, rows, cols, tolerance, offset):  # pragma: no cover
    """Which vertices stay: without the corners of steps, then by rising cost.

    One outline after the other: they have nothing to do with each other but for `alive`, and what
    is at work then stays in the processor's cache.
    """
    alive = np.zeros((2 * rows + 1, 2 * cols + 1), np.uint8)
    for i in range(len(x)):
        alive[y[i], x[i]] = 1
    keep = np.ones(len(x), np.bool_)
    longest = (starts[1:] - starts[:-1]).max()
    before = np.empty(longest, np.int32)
    after = np.empty(longest, np.int32)
    heap = np.empty(longest, np.int32)
    place = np.empty(longest, np.int32)
    area2 = np.empty(longest, np.float64)
    costs = np.empty(longest, np.float64)
    limit = tolerance * tolerance
    for stage in range(2):
        for k in range(len(closed)):
            part = slice(starts[k], starts[k + 1])
            xs, ys, keeps = x[part], y[part], keep[part]
            total2, left = _link(xs, ys, closed[k], keeps, before, after, area2)
            spare = left - _least_vertices(xs, ys, closed[k], rows, cols)
            if stage == 0:
                spare = _cut_steps(
                    xs, ys, step[part], spare, alive, keeps, before, after, area2, total2, limit
                )
                _cut_straight(xs, ys, spare, alive, keeps, before, after, area2, total2, limit)
            else:
                _cut_by_cost(
                    xs,
                    ys,
                    spare,
                    alive,
                    keeps,
                    before,
                    after,
                    area2,
                    total2,
                    limit,
                    offset,
                    heap,
                    place,
                    costs,
                )
    return keep
