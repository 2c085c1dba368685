"""All that is known of every block in one table: what the figures of the paper are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.tables import read_geotable, read_table, write_table
from croplayer.blocks.tables import integration_table, read_features, require_columns
from croplayer.grid.completeness import require_ids
from croplayer.grid.planning import read_plan

PLAN_COLUMNS = ("block_id", "row", "col", "county_id", "county", "inside_ha")
POSITIVE, NEGATIVE = "positive", "negative"
"""A labelled block with drawn cropland, and one without any (paper, section 2.2.4)."""


def tabulate_blocks(
    *,
    blocks: Path,
    features: Sequence[Path],
    semantic: Path,
    options: Path,
    areas: Path,
    sources: Sequence[str],
    province: str,
    output: Path,
    extents: Path | None = None,
) -> None:
    """Write a row a planned block (GeoParquet, EPSG:4326).

    Parameters
    ----------
    blocks : the plan. features : feature tables of the shards. semantic, options : classes and
        options of the blocks. areas : `block_areas.parquet` of `validate_province`.
    sources : (a, b), the two sources. province : its title on figures.
    extents : checked extents, GeoParquet; without them no block is labelled.

    Columns: those of the plan; `province`; the 30 features (`_a`, `_b`: of the first and second
    source; semantic classes among them); `option`; `cropland_ha` and `unusable_ha` of the final map
    inside the province, and `af`, its cropland by what it knows there (Eq. 5; missing where it
    knows nothing); `labelled`: positive, negative or "".

    Raises InputError for unreadable tables, CompletenessError if one lacks a planned block.
    """
    plan = read_plan(blocks)
    known = integration_table(read_features(features), read_table(semantic), sources)
    chosen = read_table(options)
    require_columns(chosen, ("block_id", "option"), options, "choose_options")
    measured = read_table(areas)
    crop, unusable = "integrated_ha", "integrated_unusable_ha"
    require_columns(measured, ("block_id", crop, unusable), areas, "validate_province")
    require_ids(known, plan["block_id"], stage="measure_features")
    require_ids(chosen, plan["block_id"], stage="choose_options", path=options)
    table = (
        plan[[*PLAN_COLUMNS, "geometry"]]
        .assign(province=province)
        .merge(known, on="block_id")
        .merge(chosen[["block_id", "option"]], on="block_id")
        .merge(
            measured[["block_id", "inside_ha", crop, unusable]].rename(
                columns={"inside_ha": "counted_ha", crop: "cropland_ha", unusable: "unusable_ha"}
            ),
            on="block_id",
            how="left",
        )
    )
    # A block whose ground in the province holds no pixel centre is in the plan and has no area.
    table[["cropland_ha", "unusable_ha"]] = table[["cropland_ha", "unusable_ha"]].fillna(0.0)
    mapped = table.pop("counted_ha") - table["unusable_ha"]
    table["af"] = (table["cropland_ha"] / mapped).where(mapped > 1e-9)
    table["labelled"] = _labelled(table, None if extents is None else read_geotable(extents))
    write_table(table, output)


def read_block_tables(paths: Sequence[Path]) -> gpd.GeoDataFrame:
    """The block tables of one or several provinces; a block on a border counts where most of it is.

    The row of such a block with the larger `inside_ha` stays, so that every block stands once.
    """
    tables = [read_geotable(path) for path in paths]
    table = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    if len(tables) > 1:
        table = table.sort_values(["inside_ha", "province"], ascending=[False, True], kind="stable")
        table = table.drop_duplicates("block_id")
    return table.sort_values(["row", "col"]).reset_index(drop=True)


def _labelled(table: gpd.GeoDataFrame, extents: gpd.GeoDataFrame | None) -> np.ndarray:
    """(blocks,) text: whether an extent lies in the block, and whether cropland was drawn in it."""
    found = np.full(len(table), "", dtype=object)
    if extents is None or extents.empty:
        return found
    tree = shapely.STRtree(table.geometry.to_numpy())
    shapes = extents.geometry.to_numpy()
    extent, block = tree.query(shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(shapes[extent], table.geometry.to_numpy()[block]))
    real = shared > 1e-6 * shapely.area(shapes[extent])  # not blocks that only touch it
    cropland = extents["cropland_ha"].to_numpy() > 0
    for is_positive, word in ((False, NEGATIVE), (True, POSITIVE)):
        found[block[real & (cropland[extent] == is_positive)]] = word
    return found
