"""The table of every block: joined from the stages' tables, and read of several provinces."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cropbase.errors import CompletenessError, InputError
from croplayer.blocks.tables import EXTRA_COLUMNS, SEMANTIC_FEATURES
from croplayer.report.block_table import read_block_tables, tabulate_blocks

SOURCES = ("summer", "winter")
IDS = [f"E11{c:03d}N2400" for c in (200, 205, 210, 215)]


@pytest.fixture
def stages(tmp_path):
    """Tables of four blocks in a row, and an extent on each of the first three; all made."""
    boxes = [shapely.box(112 + 0.05 * k, 24, 112.05 + 0.05 * k, 24.05) for k in range(4)]
    gpd.GeoDataFrame(
        {"block_id": IDS, "row": 1, "col": range(4), "shard_id": "s", "province": "p",
         "county_id": "1", "county": "C", "inside_ha": [2800.0, 1400.0, 2800.0, 0.1]},
        geometry=boxes, crs=4326,
    ).to_parquet(tmp_path / "plan.parquet")  # fmt: skip
    features = pd.DataFrame({"block_id": IDS * 2, "source": np.repeat(SOURCES, 4)})
    for k, name in enumerate((*SEMANTIC_FEATURES, *EXTRA_COLUMNS)):
        features[name] = np.arange(8.0) + 10 * k
    features["coverage_type"] = ["planting"] * 4 + ["cloudy"] * 4
    features.to_parquet(tmp_path / "features.parquet")
    features[["block_id", "source"]].assign(semantic_class=["TP", "FP"] * 4).to_parquet(
        tmp_path / "semantic.parquet"
    )
    pd.DataFrame({"block_id": IDS, "option": ["neither", "only_a", "only_b", "both"]}).to_parquet(
        tmp_path / "options.parquet"
    )
    # The last block has ground in the province, but no pixel's centre.
    pd.DataFrame(
        {"block_id": IDS[:3], "inside_ha": [2790.0, 1400.0, 2800.0],
         "integrated_ha": [279.0, 0.0, 0.0], "integrated_unusable_ha": [0.0, 400.0, 2800.0]}
    ).to_parquet(tmp_path / "areas.parquet")  # fmt: skip
    # The second extent ends where the third block begins; the third spans two blocks.
    extents = [(112.01, 112.02), (112.06, 112.1), (112.12, 112.17)]
    gpd.GeoDataFrame(
        {"extent_id": ["a", "b", "c"], "cropland_ha": [5.0, 0.0, 3.0]},
        geometry=[shapely.box(west, 24.01, east, 24.02) for west, east in extents], crs=4326,
    ).to_parquet(tmp_path / "extents.parquet")  # fmt: skip
    return tmp_path


def tabulate(folder, **changes):
    tabulate_blocks(
        **{
            "blocks": folder / "plan.parquet",
            "features": [folder / "features.parquet"],
            "semantic": folder / "semantic.parquet",
            "options": folder / "options.parquet",
            "areas": folder / "areas.parquet",
            "sources": SOURCES,
            "province": "West",
            "output": folder / "blocks.parquet",
            "extents": folder / "extents.parquet",
        }
        | changes
    )
    return gpd.read_parquet(folder / "blocks.parquet").set_index("block_id")


def test_every_planned_block_has_what_the_stages_know_of_it(stages):
    table = tabulate(stages)
    assert table.index.tolist() == IDS
    assert table["coverage_type_a"].tolist() == ["planting"] * 4
    assert table["coverage_type_b"].tolist() == ["cloudy"] * 4
    assert table["semantic_b"].tolist() == ["TP", "FP"] * 2
    assert table["option"].tolist() == ["neither", "only_a", "only_b", "both"]
    assert (table["sharpness_b"] - table["sharpness_a"]).tolist() == [4.0] * 4
    assert table["province"].unique().tolist() == ["West"]
    assert table.crs == 4326


def test_the_fraction_is_of_what_the_map_knows(stages):
    table = tabulate(stages)
    assert table["af"].iloc[:2].tolist() == pytest.approx([0.1, 0.0])
    assert table["af"].iloc[2:].isna().all(), "nothing is known of these two"
    assert table["cropland_ha"].tolist() == pytest.approx([279, 0, 0, 0])


def test_a_block_is_labelled_by_the_extents_that_lie_in_it(stages):
    assert tabulate(stages)["labelled"].tolist() == ["positive", "negative", "positive", "positive"]
    assert tabulate(stages, extents=None)["labelled"].tolist() == [""] * 4


def test_a_missing_block_is_named(stages):
    options = pd.read_parquet(stages / "options.parquet")
    options.iloc[1:].to_parquet(stages / "options.parquet")
    with pytest.raises(CompletenessError, match=IDS[0]):
        tabulate(stages)


def test_areas_of_an_older_version_are_refused(stages):
    areas = pd.read_parquet(stages / "areas.parquet").drop(columns="integrated_ha")
    areas.to_parquet(stages / "areas.parquet")
    with pytest.raises(InputError, match=r"integrated_ha.*\n?[\s\S]*validate_province"):
        tabulate(stages)


def test_a_block_on_a_border_counts_where_most_of_it_is(two_provinces):
    tables, files = two_provinces
    table = read_block_tables(files).set_index("block_id")
    assert table.index.is_unique
    first, second = (t.set_index("block_id") for t in tables)
    shared = first.index.intersection(second.index)
    assert len(shared) == 6 and len(table) == 2 * 48 - 6
    for block_id in shared:
        larger = max(first.loc[block_id], second.loc[block_id], key=lambda row: row["inside_ha"])
        assert table.loc[block_id, "province"] == larger["province"]
        assert table.loc[block_id, "cropland_ha"] == larger["cropland_ha"]
