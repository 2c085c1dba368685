"""Holding out labelled rows: by block, so that both sources of a block lie on one side."""

from __future__ import annotations

import numpy as np


def stratified_group_split(
    labels: np.ndarray, groups: np.ndarray, *, test_fraction: float, seed: int
) -> np.ndarray:
    """Choose the held-out rows, each class in its share, no group on both sides.

    Classes are served from the rarest to the commonest: each takes blocks in random order until
    `test_fraction` of its rows (rounded, at least one) is held out. A block that would leave a
    class without any training row is passed over, so a class that occurs in a single block is
    never tested.

    Parameters
    ----------
    labels : (n,) class of each row.
    groups : (n,) block of each row.

    Returns
    -------
    (n,) bool, True for held-out rows; all False if no block can be spared. The same for the same
    set of rows, whatever their order.
    """
    labels, groups = np.asarray(labels, dtype=str), np.asarray(groups, dtype=str)
    rng = np.random.default_rng(seed)
    classes, of_class = np.unique(labels, return_inverse=True)
    names, of_group = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(classes)), dtype=np.int64)
    np.add.at(counts, (of_group, of_class), 1)
    order = rng.permutation(len(names))
    total = counts.sum(axis=0)
    target = np.maximum(1, np.rint(test_fraction * total)).astype(np.int64)
    held = np.zeros(len(names), dtype=bool)
    decided = np.zeros(len(names), dtype=bool)
    for c in sorted(range(len(classes)), key=lambda k: (total[k], k)):
        for g in order:
            if decided[g] or not counts[g, c]:
                continue
            taken = counts[held].sum(axis=0)
            spared = np.all((total - taken - counts[g] > 0) | (counts[g] == 0))
            if taken[c] < target[c] and spared:
                held[g] = True
            decided[g] = True
    return held[of_group]
