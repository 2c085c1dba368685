"""Quotas: whole numbers of blocks in given shares, and the order in which they are used up."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np


def shares_of_strata(
    shares: Mapping[str, float | None], sizes: Mapping[str, int]
) -> dict[str, float]:
    """The share of every stratum: as given, the rest in proportion to the sizes of the others.

    Parameters
    ----------
    shares : stratum -> its share, None for those that divide what is left.
    sizes : stratum -> number of blocks.
    """
    left = 1 - sum(share for share in shares.values() if share is not None)
    open_size = sum(sizes[name] for name, share in shares.items() if share is None)
    return {
        name: share if share is not None else max(left, 0) * sizes[name] / max(open_size, 1)
        for name, share in shares.items()
    }


def apportion(
    shares: Mapping[str, float], capacity: Mapping[str, int], total: int
) -> dict[str, int]:
    """Whole numbers that sum to `total` (or to all there is) and follow the shares.

    Largest remainders: as long as no capacity is met, every number differs from its exact quota by
    less than one. What a stratum cannot take goes to the others in their shares, and to strata of
    share 0 only when all others are full. Ties go to the stratum that stands first.

    Parameters
    ----------
    shares : stratum -> not negative; only their ratios matter.
    capacity : stratum -> how many it can take.
    """
    total = min(total, sum(capacity.values()))
    given = dict.fromkeys(shares, 0)
    while (left := total - sum(given.values())) > 0:
        free = [name for name in shares if given[name] < capacity[name]]
        weight = {name: Fraction(shares[name]) for name in free}
        if not any(weight.values()):
            weight = {name: Fraction(capacity[name]) for name in free}
        whole = sum(weight.values())
        exact = {name: left * weight[name] / whole for name in free}
        full = [name for name in free if exact[name] >= capacity[name] - given[name]]
        if full:
            for name in full:
                given[name] = capacity[name]
            continue
        for name in free:
            given[name] += int(exact[name])
        by_rest = sorted(free, key=lambda name: exact[name] % 1, reverse=True)
        for name in by_rest[: total - sum(given.values())]:
            given[name] += 1
    return given


def spread_evenly(counts: Mapping[str, int]) -> list[str]:
    """Names as often as `counts` says, each spread evenly over the list (Sainte-Laguë's order).

    So any beginning of the list holds the names about in their shares.
    """
    names = [name for name, count in counts.items() if count]
    wanted = np.array([counts[name] for name in names], dtype=np.float64)
    taken = np.zeros(len(names))
    order = []
    for _ in range(int(wanted.sum())):
        quotient = np.where(taken < wanted, wanted / (2 * taken + 1), -1.0)
        place = int(np.argmax(quotient))
        taken[place] += 1
        order.append(names[place])
    return order
