"""The block level: semantic correctness, solidity and Euler number (paper, section 3.2.3)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.jobs import progress
from croplayer.blocks.classes import LOW_QUALITY_TYPES, OPTIONS, SEMANTIC_CLASSES
from croplayer.blocks.classifier import read_card
from croplayer.blocks.integration import read_options
from croplayer.blocks.regions import measure_regions
from croplayer.blocks.semantic import read_semantic
from croplayer.blocks.tables import read_features
from croplayer.grid import BlockGrid
from croplayer.validation.maps import ShardedMap

log = logging.getLogger(__name__)

SHAPES = ("solidity_mean", "solidity_total", "en_mean", "en_total")


def validate_blocks(
    *,
    semantic: Path,
    semantic_card: Path,
    features: list[Path],
    output: Path,
    options: Path | None = None,
    sources: Sequence[str] | None = None,
    maps: list[Path] | None = None,
    grid: BlockGrid | None = None,
) -> dict[str, Any]:
    """Write the semantic correctness of each source and of the selected integration as JSON.

    Parameters
    ----------
    semantic : semantic class of every block and source.
    semantic_card : card of the model that gave it.
    features : feature tables of the shards.
    options : the option of each block; None with a single source.
    sources : (a, b); by default in the order in which the feature tables name them.
    maps, grid : the final map; with it solidity and Euler number of the integration are measured.

    Semantic correctness of a source is the share of its blocks classed TP; a block that is rightly
    empty is TP too. The integration of a block is correct (`integration_is_correct`) if what it
    takes over is TP. Solidity and Euler numbers are means over the blocks with cropland, of the
    features of Table 5. `poor_imagery_share` is the share of blocks that are cloudy, snowy or
    without data in every source.

    The classes are a model's: its accuracy on held-out blocks stands beside them.
    """
    table = read_features(features).merge(
        read_semantic(semantic)[["block_id", "source", "semantic_class"]],
        on=["block_id", "source"],
        how="left",
        validate="one_to_one",
    )
    bare = table[table["semantic_class"].isna()]
    if len(bare):
        row = bare.iloc[0]
        raise InputError(
            f"table {semantic} has no class of block {row['block_id']}, source {row['source']!r}",
            remedy="run `snakemake --forcerun classify_semantic`",
        )
    names = list(sources) if sources else list(dict.fromkeys(table["source"]))
    card = read_card(semantic_card)
    result: dict[str, Any] = {
        "level": "block",
        "model": {
            "kind": card["kind"],
            "test_rows": card["test_rows"],
            "accuracy": card["test"]["accuracy"] if card["test"] else None,
            "balanced_accuracy": card["test"]["balanced_accuracy"] if card["test"] else None,
            "warnings": card["warnings"],
        },
        "sources": {},
        "integration": None,
    }
    poor = table["coverage_type"].isin(LOW_QUALITY_TYPES) | table["coverage_type"].isna()
    for name in names:
        mine = table["source"] == name
        result["sources"][name] = _of_source(table[mine], poor[mine])
    result["poor_imagery_share"] = float(poor.groupby(table["block_id"]).all().mean())
    if options is not None:
        integration = _of_integration(table, read_options(options), names)
        if maps is not None and grid is not None:
            integration |= _shapes_of_map(maps, grid, sorted(table["block_id"].unique()))
        result["integration"] = integration
    write_json(output, result)
    return result


def integration_is_correct(option: str, class_a: str, class_b: str, area_a, area_b) -> bool:
    """Is the cropland of a block semantically correct after the integration?

    Parameters
    ----------
    option : Table 4. class_a, class_b : semantic classes. area_a, area_b : cropland, hectares;
        missing where the source has no data.

    `only_a`, `only_b`: if that source is TP. `both`: if both are TP, or one is and the other adds
    no cropland. `neither`: unless it drops the cropland of a source that is TP.
    """
    has_a, has_b = area_a > 0, area_b > 0  # False for NaN too
    if option == "only_a":
        return class_a == "TP"
    if option == "only_b":
        return class_b == "TP"
    if option == "both":
        right_a, right_b = class_a == "TP", class_b == "TP"
        return bool((right_a and right_b) or (right_a and not has_b) or (right_b and not has_a))
    return not ((class_a == "TP" and has_a) or (class_b == "TP" and has_b))


def _of_source(table: pd.DataFrame, poor: pd.Series) -> dict[str, Any]:
    correct = table["semantic_class"] == "TP"
    return {
        "blocks": len(table),
        "semantic_correctness": float(correct.mean()) if len(table) else None,
        "classes": {
            name: int((table["semantic_class"] == name).sum()) for name in SEMANTIC_CLASSES
        },
        "empty_blocks": int((table["area"] == 0).sum()),
        "blocks_without_data": int(table["area"].isna().sum()),
        "low_quality_share": float(poor.mean()) if len(table) else None,
        **_mean_shapes(table[table["area"] > 0]),
    }


def _of_integration(
    table: pd.DataFrame, options: pd.DataFrame, sources: Sequence[str]
) -> dict[str, Any]:
    if len(sources) != 2:
        raise InputError(
            "options are given, but the feature tables are not of two sources",
            given=", ".join(sources),
        )
    a, b = (table[table["source"] == s].set_index("block_id") for s in sources)
    options = options.set_index("block_id")
    missing = sorted(set(a.index) ^ set(options.index)) + sorted(set(a.index) ^ set(b.index))
    if missing:
        raise InputError(
            f"block {missing[0]} is not in both the feature tables and the options",
            remedy="run `snakemake --forcerun choose_options`",
        )
    options, b = options.loc[a.index], b.loc[a.index]
    correct = [
        integration_is_correct(*row)
        for row in zip(
            options["option"].astype(str),
            a["semantic_class"],
            b["semantic_class"],
            a["area"],
            b["area"],
            strict=True,
        )
    ]
    corrected = options["corrected"] if "corrected" in options.columns else pd.Series(False)
    return {
        "blocks": len(options),
        "semantic_correctness": float(np.mean(correct)) if correct else None,
        "options": {name: int((options["option"] == name).sum()) for name in OPTIONS},
        "corrected_blocks": int(corrected.sum()),
    }


def _shapes_of_map(paths: list[Path], grid: BlockGrid, block_ids: list[str]) -> dict[str, Any]:
    """Solidity and Euler numbers of the final map, means over its blocks with cropland."""
    rows = []
    with ShardedMap(paths, grid, name="integrated") as sharded:
        for block_id in progress(block_ids, what="regions of the final map", unit="block"):
            window = grid.block_window(grid.parse_block_id(block_id))
            summary = measure_regions(sharded.read(window) == 1).summary()
            if summary.n_regions:
                rows.append([getattr(summary, name) for name in SHAPES])
    return _mean_shapes(pd.DataFrame(rows, columns=list(SHAPES), dtype="float64"))


def _mean_shapes(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "blocks_with_cropland": len(table),
        **{name: float(table[name].mean()) if len(table) else None for name in SHAPES},
    }
