"""The options as they were chosen (Table 4) and the features as they were measured (Table 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cropbase.tables import write_csv
from croplayer.blocks.classes import LOW_QUALITY_TYPES, OPTIONS
from croplayer.blocks.tables import SEMANTIC_FEATURES, TERRAIN_FEATURES
from croplayer.report.block_table import read_block_tables

MEANINGS = {
    "neither": "no cropland is taken: what the sources show is noise, or nothing",
    "only_a": "the cropland of {a}: its imagery shows the fields better",
    "only_b": "the cropland of {b}: its imagery shows the fields better",
    "both": "the cropland of either source: small fields that one season alone misses",
}


@dataclass(frozen=True)
class Feature:
    """One feature of Table 5: its group, what it is, and its unit."""

    group: str
    text: str
    unit: str


FEATURES = {
    "elevation": Feature("Geography", "median elevation", "m"),
    "slope": Feature("Geography", "median slope", "degree"),
    "ruggedness": Feature("Geography", "median terrain ruggedness index", "m"),
    "roughness": Feature("Geography", "median roughness", "m"),
    "coverage_type": Feature("Image quality", "coverage type of the imagery (Table 1)", "class"),
    "sharpness": Feature("Image quality", "median Sobel gradient (Eq. 1)", "1"),
    "hue": Feature("Image quality", "median hue", "degree"),
    "saturation": Feature("Image quality", "median saturation", "1"),
    "lightness": Feature("Image quality", "median lightness", "1"),
    "area": Feature("Region property", "cropland of the block", "ha"),
    "af": Feature("Region property", "cropland by ground of the block (Eq. 5)", "1"),
    "solidity_mean": Feature("Region property", "mean solidity of the regions (Eq. 3)", "1"),
    "solidity_total": Feature("Region property", "sum of the regions' solidity (Eq. 3)", "1"),
    "en_mean": Feature("Region property", "mean Euler number of the regions (Eq. 4)", "1"),
    "en_total": Feature("Region property", "sum of the regions' Euler numbers (Eq. 4)", "1"),
    "consistency": Feature("Consistency", "IoU of the two sources' cropland", "1"),
}


def write_feature_tables(
    *, blocks: Sequence[Path], sources: Sequence[str], options_csv: Path, features_csv: Path
) -> None:
    """Write Tables 4 and 5 with what was measured.

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`). sources : names of the two sources, A first.
    options_csv : Table 4, see `option_table`. features_csv : Table 5, see `feature_table`.
    """
    table = read_block_tables(blocks)
    write_csv(option_table(table, sources), options_csv)
    write_csv(feature_table(table, sources), features_csv)


def option_table(table: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """A row an option: its meaning, blocks, share, cropland, and the medians of its blocks.

    `slope_degrees`, `consistency` and `af` are medians over the blocks; `low_quality_<source>` is
    the share of them whose imagery is snow, cloud or no data.
    """
    a, b = sources
    rows = []
    for option in OPTIONS:
        mine = table[table["option"] == option]
        row = {
            "option": option.replace("_a", f" {a}").replace("_b", f" {b}"),
            "meaning": MEANINGS[option].format(a=a, b=b),
            "blocks": len(mine),
            "share": len(mine) / len(table),
            "cropland_ha": mine["cropland_ha"].sum(),
            "slope_degrees": mine["slope"].median(),
            "consistency": mine["consistency"].median(),
            "af": mine["af"].median(),
        }
        for source, letter in zip(sources, "ab", strict=True):
            low = mine[f"coverage_type_{letter}"].astype(str).isin(LOW_QUALITY_TYPES)
            row[f"low_quality_{source}"] = low.mean()
        rows.append(row)
    return pd.DataFrame(rows)


def feature_table(table: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """A row a feature and source: quartiles over the blocks, and how many blocks have a value.

    Features of the place have one row, `source` "both"; of a class the most frequent one and its
    share stand in `commonest` and `commonest_share`.
    """
    rows = []
    for name in SEMANTIC_FEATURES:
        feature = FEATURES[name]
        shared = name in TERRAIN_FEATURES or name == "consistency"
        columns = (
            {"both": name}
            if shared
            else dict(zip(sources, (f"{name}_a", f"{name}_b"), strict=True))
        )
        for source, column in columns.items():
            values = table[column].dropna()
            row = {
                "group": feature.group,
                "feature": name,
                "explanation": feature.text,
                "unit": feature.unit,
                "source": source,
                "blocks": len(values),
            }
            rows.append(row | (_commonest if feature.unit == "class" else _quartiles)(values))
    return pd.DataFrame(rows)


def _quartiles(values: pd.Series) -> dict[str, float]:
    low, middle, high = values.astype("float64").quantile([0.25, 0.5, 0.75])
    return {"lower_quartile": low, "median": middle, "upper_quartile": high}


def _commonest(values: pd.Series) -> dict[str, object]:
    counts = values.astype(str).value_counts().head(1)
    return {
        "commonest": next(iter(counts.index), ""),
        "commonest_share": counts.sum() / max(len(values), 1),
    }
