"""Several figures of one unit, crop and year: parts are summed, contradictions are refused."""

from __future__ import annotations

import pandas as pd

from cropalloc.settings.statistics import Source
from cropalloc.statistics.findings import Findings
from cropbase.errors import InputError

KEY = ["unit_id", "crop", "year", "variable"]
_SHOWN = 6


def resolve_doubles(
    figures: pd.DataFrame, source: Source, vocabularies: dict[str, str], findings: Findings
) -> pd.DataFrame:
    """One figure a unit, crop and year of a source.

    In a vocabulary of parts (FAOSTAT) the items of one crop are summed, once each. What is left
    with several figures is a double: equal ones count once, different ones follow
    `source.duplicates`. Raises InputError if they are to be refused.
    """
    parts = vocabularies.get(source.vocabulary or "") == "parts"
    key = [*KEY, "item"] if parts else KEY
    figures = _resolve(figures, key, source.duplicates, f"source {source.name!r}", findings)
    if not parts or figures.empty:
        return figures
    grouped = figures.groupby(KEY, sort=False)
    counts = grouped["item"].transform("size")
    summed = figures.assign(value=grouped["value"].transform("sum")).drop_duplicates(KEY)
    counts = counts[summed.index]
    flags = [
        f if n == 1 else f"sum_of_{n}_items" for f, n in zip(summed["flag"], counts, strict=True)
    ]
    return summed.assign(flag=flags)


def merge_sources(tables: list[pd.DataFrame], overlap: str, findings: Findings) -> pd.DataFrame:
    """One figure a unit, crop and year over all sources, in their order (`overlap`)."""
    rule = "first" if overlap == "first" else "refuse"
    return _resolve(pd.concat(tables, ignore_index=True), KEY, rule, "the sources", findings)


def _resolve(
    figures: pd.DataFrame, key: list[str], rule: str, who: str, findings: Findings
) -> pd.DataFrame:
    double = figures.duplicated(key, keep=False)
    if not double.any():
        return figures
    kept, refused = [figures[~double]], []
    equal_pairs: dict[tuple[str, str], list[int]] = {}
    for names, group in figures[double].groupby(key, sort=False):
        first, one = group.iloc[0], group.head(1)
        if (group["value"] == first["value"]).all():
            for file, row in zip(group["file"].iloc[1:], group["row"].iloc[1:], strict=True):
                equal_pairs.setdefault((first["file"], file), []).append(row)
            kept.append(one)
            continue
        cells = zip(group["value"], group["file"], group["row"], strict=True)
        places = ", ".join(f"{value:.10g} ha ({file}, row {row})" for value, file, row in cells)
        if rule == "refuse":
            refused.append(f"unit {names[0]}, {names[1]}, {names[2]}: {places}")
            continue
        action = f"the first, {first['value']:.10g} ha of {first['source']}, is used"
        if rule in ("sum", "mean"):
            value = getattr(group["value"], rule)()
            one = one.assign(value=value, flag=f"{rule}_of_{len(group)}_doubles")
            action = f"their {rule}, {value:.10g} ha, is used"
        findings.add(
            f"{len(group)} figures of {names[2]}: {places}",
            action,
            file=first["file"],
            row=first["row"],
            unit_id=first["unit_id"],
            crop=first["crop"],
        )
        kept.append(one)
    for (file, other), rows in equal_pairs.items():
        what = "are in this file twice" if file == other else f"are in {file} too"
        finding = f"{len(rows)} figures {what}, with the same value"
        findings.add(finding, "counted once", file=other, row=min(rows))
    if refused:
        sources = who == "the sources"
        raise InputError(
            f"{who} give(s) different figures of one unit, crop and year ({len(refused)} times)",
            given="; ".join(refused[:_SHOWN]) + ("; ..." if len(refused) > _SHOWN else ""),
            remedy="correct the files, or set "
            + ("`statistics.overlap: first`" if sources else "the source's `duplicates`"),
        )
    return pd.concat(kept).sort_index(kind="stable")
