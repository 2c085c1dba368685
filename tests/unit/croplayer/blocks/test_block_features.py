"""The features of Table 5 against brute force, and the tables that they are made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from skimage.measure import label, regionprops_table

from cropbase.areas import polygon_area_ha
from cropbase.errors import CompletenessError, ConfigError, InputError
from cropbase.tables import read_table, write_table
from croplayer.blocks.features import compare_masks, measure_features
from croplayer.blocks.tables import (
    INTEGRATION_FEATURES,
    SEMANTIC_FEATURES,
    integration_features,
    integration_table,
    read_features,
)

SOURCES = ("google", "mapbox")


@pytest.fixture
def measured(shard, tmp_path):
    output = tmp_path / "features.parquet"
    table = run(shard, output)
    return table.set_index(["block_id", "source"]), output


def run(shard, output, sources=SOURCES, **changes):
    given = {
        "masks": shard.masks,
        "quality": shard.quality,
        "terrain": shard.terrain,
        "blocks": shard.blocks,
        "grid": shard.grid,
    }
    return measure_features(**(given | changes), output=output, sources=sources)


def pixels(shard, source, block):
    window = shard.grid.block_window(block)
    place = window.relative_to(shard.grid.shard_window(shard.blocks))
    return shard.arrays[source][place]


def test_names_are_those_of_table_5():
    assert (
        tuple(
            [
                "elevation",
                "slope",
                "ruggedness",
                "roughness",
                "coverage_type",
                "sharpness",
                "hue",
                "saturation",
                "lightness",
                "area",
                "af",
                "solidity_mean",
                "solidity_total",
                "en_mean",
                "en_total",
                "consistency",
            ]
        )
        == SEMANTIC_FEATURES
    )
    assert len(INTEGRATION_FEATURES) == len(set(INTEGRATION_FEATURES)) == 30
    assert sum(n.endswith("_a") for n in INTEGRATION_FEATURES) == 12
    assert integration_features("google", "mapbox")[4] == "coverage_type_google"


def test_a_row_a_block_and_source_in_order(shard, measured):
    table = read_table(measured[1])
    assert list(table.columns[:18]) == ["block_id", "source", *SEMANTIC_FEATURES]
    ids = sorted(shard.grid.block_id(b) for b in shard.blocks)
    assert table[["block_id", "source"]].to_numpy().tolist() == [
        [i, s] for i in ids for s in SOURCES
    ]
    assert list(table["coverage_type"].cat.categories) == [
        "planting",
        "non_planting",
        "snow_ice",
        "cloudy",
        "nodata",
    ]


def test_region_features_equal_scikit_image(shard, measured):
    for block in shard.blocks[:2]:
        for source in SOURCES:
            values = pixels(shard, source, block)
            props = regionprops_table(
                label(values == 1, connectivity=2), properties=("solidity", "euler_number")
            )
            row = measured[0].loc[(shard.grid.block_id(block), source)]
            assert row["solidity_mean"] == props["solidity"].mean()
            assert row["solidity_total"] == props["solidity"].sum()
            assert row["en_mean"] == props["euler_number"].mean()
            assert row["en_total"] == props["euler_number"].sum()


def test_area_is_that_of_the_pixels_as_polygons_on_the_ellipsoid(shard, measured):
    block = shard.blocks[0]
    values = pixels(shard, "google", block)
    transform = shard.grid.transform(shard.grid.block_window(block))
    cropland = valid = 0.0
    for r, c in np.argwhere(values != 255):
        west, north = transform.c + c * transform.a, transform.f + r * transform.e
        box = shapely.box(west, north + transform.e, west + transform.a, north)
        area = polygon_area_ha(box)
        valid += area
        cropland += area if values[r, c] == 1 else 0.0
    row = measured[0].loc[(shard.grid.block_id(block), "google")]
    assert row["area"] == pytest.approx(cropland, rel=1e-6)
    assert row["af"] == pytest.approx(cropland / valid, rel=1e-6)


def test_nodata_leaves_the_denominator_of_af(shard, measured):
    values = pixels(shard, "google", shard.blocks[0])
    row = measured[0].loc[(shard.grid.block_id(shard.blocks[0]), "google")]
    assert row["af"] == pytest.approx((values == 1).sum() / (values != 255).sum(), rel=1e-3)
    assert row["valid_fraction_mask"] == (values != 255).mean() < 1


def test_consistency_and_containment_equal_sets_of_pixels(shard, measured):
    for block in shard.blocks[:2]:
        a, b = (pixels(shard, s, block) for s in SOURCES)
        both = {(r, c) for r, c in np.ndindex(a.shape) if a[r, c] != 255 and b[r, c] != 255}
        in_a = {p for p in both if a[p] == 1}
        in_b = {p for p in both if b[p] == 1}
        for source in SOURCES:
            row = measured[0].loc[(shard.grid.block_id(block), source)]
            assert row["consistency"] == len(in_a & in_b) / len(in_a | in_b)
            assert row["containment"] == len(in_a & in_b) / min(len(in_a), len(in_b))


def test_a_block_without_data_has_no_region_features(shard, measured):
    row = measured[0].loc[(shard.grid.block_id(shard.blocks[2]), "mapbox")]
    names = ["area", "af", "solidity_mean", "solidity_total", "en_mean", "en_total", "consistency"]
    assert row[names].isna().all()
    assert row["valid_fraction_mask"] == 0


def test_a_block_without_cropland_has_area_zero_and_no_means(shard, measured):
    row = measured[0].loc[(shard.grid.block_id(shard.blocks[3]), "google")]
    assert row[["area", "af", "solidity_total", "en_total"]].tolist() == [0, 0, 0, 0]
    assert row[["solidity_mean", "en_mean", "containment"]].isna().all()
    assert row["consistency"] == 0


def test_no_union_leaves_consistency_missing():
    none = np.zeros((3, 3), dtype=bool)
    assert np.isnan(compare_masks(none, ~none, none, ~none)).all()


def test_terrain_and_quality_are_joined_by_block(shard, measured):
    terrain = read_table(shard.terrain).set_index("block_id")
    quality = read_table(shard.quality["mapbox"]).set_index("block_id")
    for block_id in terrain.index:
        row = measured[0].loc[(block_id, "mapbox")]
        assert row["elevation"] == terrain.loc[block_id, "elevation"]
        assert row["sharpness"] == quality.loc[block_id, "sharpness"]
        assert row["coverage_type"] == quality.loc[block_id, "coverage_type"]
    assert measured[0]["slope"].isna().sum() == 2  # one block, two sources


def test_a_single_source_has_no_consistency(shard, tmp_path):
    table = run(shard, tmp_path / "one.parquet", sources=("google",))
    assert len(table) == 4
    assert table[["consistency", "containment"]].isna().all(axis=None)


def test_same_bytes_again(shard, measured, tmp_path):
    again = tmp_path / "again.parquet"
    run(shard, again, blocks=shard.blocks[::-1])
    assert again.read_bytes() == measured[1].read_bytes()


def test_the_number_of_threads_changes_nothing(shard, measured, tmp_path):
    run(shard, tmp_path / "threads.parquet", threads=3)
    assert (tmp_path / "threads.parquet").read_bytes() == measured[1].read_bytes()


def test_a_fault_met_by_a_thread_is_told(shard, tmp_path, write_shard_mask):
    array = np.full_like(shard.arrays["google"], 7)
    bad = write_shard_mask(tmp_path / "bad.tif", array, shard.grid, shard.blocks)
    with pytest.raises(InputError, match="no cropland mask"):
        run(shard, tmp_path / "out.parquet", masks=shard.masks | {"google": bad}, threads=2)
    assert not (tmp_path / "out.parquet").exists()


def test_a_block_missing_from_quality_is_named(shard, tmp_path):
    table = read_table(shard.quality["google"])
    write_table(table.iloc[1:], shard.quality["google"])
    output = tmp_path / "features.parquet"
    with pytest.raises(CompletenessError) as error:
        run(shard, output)
    assert table["block_id"][0] in str(error.value)
    assert "--forcerun assess_quality" in str(error.value)
    assert str(shard.quality["google"]) in str(error.value)
    assert not output.exists()


def test_an_unknown_coverage_type_is_named(shard, tmp_path):
    table = read_table(shard.quality["google"])
    table.loc[1, "coverage_type"] = "foggy"
    write_table(table, shard.quality["google"])
    with pytest.raises(InputError, match=r"coverage_type: unknown type\n  given: foggy"):
        run(shard, tmp_path / "features.parquet")


def test_the_quality_of_another_source_is_refused(shard, tmp_path):
    quality = shard.quality | {"google": shard.quality["mapbox"]}
    with pytest.raises(InputError, match="is of another source"):
        run(shard, tmp_path / "features.parquet", quality=quality)


def test_a_probability_raster_is_no_mask(shard, tmp_path, write_shard_mask):
    array = shard.arrays["google"].copy()
    array[5, 60] = 130
    path = write_shard_mask(tmp_path / "p.tif", array, shard.grid, shard.blocks)
    with pytest.raises(InputError, match=r"no cropland mask\n  given: value 130"):
        run(shard, tmp_path / "features.parquet", masks=shard.masks | {"google": path})


@pytest.mark.parametrize("sources", [(), ("google", "google"), ("a", "b", "c")])
def test_other_than_one_or_two_sources_are_refused(shard, tmp_path, sources):
    with pytest.raises(ConfigError, match="two"):
        run(shard, tmp_path / "features.parquet", sources=sources)


def test_a_source_without_mask_is_named(shard, tmp_path):
    with pytest.raises(ConfigError, match="source 'bing' has no mask"):
        run(shard, tmp_path / "features.parquet", sources=("google", "bing"))


def test_shards_given_twice_are_refused(measured):
    with pytest.raises(InputError, match="stands twice"):
        read_features([measured[1], measured[1]])


def test_no_tables_and_unknown_sources_are_refused(measured):
    with pytest.raises(InputError, match="no feature table"):
        read_features([])
    with pytest.raises(InputError, match="no source 'bing'"):
        read_features([measured[1]], sources=("google", "bing"))


def test_a_table_of_another_version_is_named(measured, tmp_path):
    path = tmp_path / "old.parquet"
    write_table(read_table(measured[1]).drop(columns="en_mean"), path)
    with pytest.raises(InputError, match=r"old.parquet has no column 'en_mean'"):
        read_features([path])


def test_integration_table_puts_each_source_in_its_place(measured):
    features = read_features([measured[1]])
    semantic = features[["block_id", "source"]].assign(semantic_class="TP")
    semantic.loc[semantic["source"] == "mapbox", "semantic_class"] = "Noise"
    table = integration_table(features, semantic, SOURCES).set_index("block_id")
    assert tuple(table.columns) == INTEGRATION_FEATURES
    for block_id, row in table.iterrows():
        a, b = measured[0].loc[(block_id, "google")], measured[0].loc[(block_id, "mapbox")]
        assert row["sharpness_a"] == a["sharpness"]
        assert row["sharpness_b"] == b["sharpness"]
        assert row["elevation"] == a["elevation"]
        assert (row["semantic_a"], row["semantic_b"]) == ("TP", "Noise")
    swapped = integration_table(features, semantic, SOURCES[::-1]).set_index("block_id")
    pd.testing.assert_series_equal(swapped["hue_a"], table["hue_b"], check_names=False)


def test_a_block_without_semantic_class_is_named(measured):
    features = read_features([measured[1]])
    semantic = features[["block_id", "source"]].assign(semantic_class="TP").iloc[1:]
    with pytest.raises(InputError, match="has no semantic class"):
        integration_table(features, semantic, SOURCES)


def test_a_block_of_one_source_only_is_named(measured):
    features = read_features([measured[1]]).iloc[1:]
    semantic = features[["block_id", "source"]].assign(semantic_class="TP")
    with pytest.raises(InputError, match="features of one source only"):
        integration_table(features, semantic, SOURCES)
