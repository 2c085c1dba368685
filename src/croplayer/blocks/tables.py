"""The names of the features of Table 5, and the feature tables of the shards read together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_table
from croplayer.blocks.classes import COVERAGE_TYPES

TERRAIN_FEATURES = ("elevation", "slope", "ruggedness", "roughness")
QUALITY_FEATURES = ("coverage_type", "sharpness", "hue", "saturation", "lightness")
REGION_FEATURES = (
    "area",
    "af",
    "solidity_mean",
    "solidity_total",
    "en_mean",
    "en_total",
)
SEMANTIC_FEATURES = TERRAIN_FEATURES + QUALITY_FEATURES + REGION_FEATURES + ("consistency",)
"""The 16 features of a block and source (paper, Table 5)."""
EXTRA_COLUMNS = ("containment", "valid_fraction_mask", "n_regions")
"""Columns of the feature table that are no features of Table 5."""


def integration_features(a: str = "a", b: str = "b") -> tuple[str, ...]:
    """The 30 features of a block: eleven of each source, four of terrain, and four of both.

    `a` and `b` are the suffixes of the two sources. The paper counts twelve features a source,
    and so the consistency of the two twice; here it stands once, and `containment` (overlap
    divided by the smaller map) makes the thirtieth.
    """
    of_source = QUALITY_FEATURES + REGION_FEATURES
    return (
        TERRAIN_FEATURES
        + tuple(f"{name}_{a}" for name in of_source)
        + tuple(f"{name}_{b}" for name in of_source)
        + ("consistency", "containment", f"semantic_{a}", f"semantic_{b}")
    )


INTEGRATION_FEATURES = integration_features()


def read_features(paths: Sequence[Path], *, sources: Sequence[str] | None = None) -> pd.DataFrame:
    """The feature tables of several shards as one, `coverage_type` categorical.

    Raises InputError for an absent or damaged file, a missing column, an unknown coverage type, a
    block and source that stand in two files, or a source of `sources` that no file has.
    """
    paths = [Path(path) for path in paths]
    if not paths:
        raise InputError("no feature table was given", remedy="run `measure_features` first")
    columns = ["block_id", "source", *SEMANTIC_FEATURES, "containment"]
    parts = []
    for path in paths:
        part = read_table(path)
        require_columns(part, columns, path, "measure_features")
        part["coverage_type"] = coverage_categories(part["coverage_type"], path)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    doubled = table[table.duplicated(["block_id", "source"])]
    if len(doubled):
        row = doubled.iloc[0]
        raise InputError(
            f"block {row['block_id']} of source {row['source']!r} stands twice in the tables",
            remedy="give each shard's table once; delete those of an older plan",
        )
    for source in sources or ():
        if source not in set(table["source"]):
            raise InputError(
                f"the feature tables hold no source {source!r}",
                given=", ".join(sorted(table["source"].unique())),
            )
    return table


def integration_table(
    features: pd.DataFrame, semantic: pd.DataFrame, sources: Sequence[str]
) -> pd.DataFrame:
    """The 30 features of each block: `block_id` and `INTEGRATION_FEATURES`, sorted by block id.

    Parameters
    ----------
    features : as `read_features`.
    semantic : block_id, source, semantic_class.
    sources : (a, b).

    Raises InputError if a block lacks a source or a semantic class.
    """
    shared = (*TERRAIN_FEATURES, "consistency", "containment")
    of_source = (*QUALITY_FEATURES, *REGION_FEATURES)
    merged = features.merge(
        semantic[["block_id", "source", "semantic_class"]], on=["block_id", "source"], how="left"
    )
    merged = merged[merged["source"].isin(list(sources))]
    bare = merged[merged["semantic_class"].isna()]
    if len(bare):
        row = bare.iloc[0]
        raise InputError(
            f"block {row['block_id']} of source {row['source']!r} has no semantic class",
            remedy="run `snakemake --forcerun classify_semantic`",
        )
    halves = {s: merged[merged["source"] == s].set_index("block_id").sort_index() for s in sources}
    a, b = (halves[source] for source in sources)
    alone = a.index.symmetric_difference(b.index)
    if len(alone):
        raise InputError(
            f"block {alone[0]} has features of one source only",
            allowed=f"one row each of {sources[0]!r} and {sources[1]!r}",
            remedy="run `snakemake --forcerun measure_features`",
        )
    table = pd.DataFrame(index=a.index)
    for name in shared:
        table[name] = a[name]
    for suffix, half in (("a", a), ("b", b)):
        for name in of_source:
            table[f"{name}_{suffix}"] = half[name]
        table[f"semantic_{suffix}"] = half["semantic_class"].astype(str)
    return table.reset_index()[["block_id", *INTEGRATION_FEATURES]]


def require_columns(table: pd.DataFrame, columns: Sequence[str], path: Path, stage: str) -> None:
    """Raise InputError naming the first of `columns` that the table of `stage` lacks."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"table {path} has no column {missing[0]!r}",
            given=", ".join(map(str, table.columns)),
            remedy=f"it is of another version; run `snakemake --forcerun {stage}`",
        )


def coverage_categories(values: pd.Series, path: Path) -> pd.Categorical:
    """Coverage types as a categorical in the order of `COVERAGE_TYPES`; a missing one stays so."""
    strings = values.astype(object).where(values.notna(), None)
    unknown = sorted({str(v) for v in strings if v is not None} - set(COVERAGE_TYPES))
    if unknown:
        raise InputError(
            f"table {path}, column coverage_type: unknown type",
            given=unknown[0],
            allowed=", ".join(COVERAGE_TYPES),
        )
    return pd.Categorical(strings, categories=COVERAGE_TYPES)
