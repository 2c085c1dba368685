"""Score tables: how much each combination of sources is trusted (paper, Tables S7 and S8)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from cropbase.errors import InputError
from cropbase.tables import read_csv

Ranks = dict[frozenset[str], int]


def default_ranks(sources: list[str]) -> Ranks:
    """The rank of every combination: agreement first, then the order of the sources.

    With CACD > CLCD > GLC_FCS30 > CNLUCC: all four 1; the four triples 2-5, those with CACD first;
    the six pairs 6-11; alone 12-15 in the order of trust. Rank 1 is the best.
    """
    ordered = [
        frozenset(group)
        for size in range(len(sources), 0, -1)
        for group in combinations(sources, size)
    ]
    return {group: rank for rank, group in enumerate(ordered, start=1)}


def read_ranks(path: str | Path, sources: list[str]) -> Ranks:
    """Read a score table `sources,rank` and check that it is complete.

    `sources` holds names joined by +, in any order; several combinations may share a rank.
    Raises InputError naming the row of an unknown source, a combination given twice or a rank that
    is no whole number from 1 on, and naming every combination that is missing.
    """
    table = read_csv(path, ("sources", "rank"), what="score table", as_text=True)
    ranks: Ranks = {}
    for line, (names, rank) in enumerate(zip(table["sources"], table["rank"], strict=True), 2):
        group = frozenset(part.strip() for part in str(names).split("+"))
        unknown = sorted(group - set(sources))
        if unknown:
            raise InputError(
                f"score table {path}, line {line}: no source is called {unknown[0]!r}",
                allowed=", ".join(sources),
            )
        if group in ranks:
            raise InputError(f"score table {path}, line {line}: {names} is given twice")
        if not str(rank).strip().isdigit() or int(rank) < 1:
            raise InputError(
                f"score table {path}, line {line}: the rank is not a whole number from 1 on",
                given=rank,
            )
        ranks[group] = int(rank)
    missing = [group for group in default_ranks(sources) if group not in ranks]
    if missing:
        named = [name_of(group, sources) for group in missing]
        more = f" and {len(named) - 8} more" if len(named) > 8 else ""
        raise InputError(
            f"score table {path} lacks {len(named)} combination(s) of sources",
            given="missing: " + ", ".join(named[:8]) + more,
            remedy="add a row for each, or leave out score_table to rank them by agreement and "
            "the order of the sources",
        )
    return ranks


def name_of(group: frozenset[str], sources: list[str]) -> str:
    """A combination as text, in the order of the sources."""
    return "+".join(name for name in sources if name in group)


def rank_by_bits(ranks: Ranks, sources: list[str]) -> np.ndarray:
    """(2 ** sources,) int16: the rank of the combination whose bit i is source i; 0 for none."""
    bits = {name: 1 << position for position, name in enumerate(sources)}
    table = np.zeros(1 << len(sources), dtype=np.int16)
    known = set(sources)
    for group, rank in ranks.items():
        if group <= known:
            table[sum(bits[name] for name in group)] = rank
    return table
