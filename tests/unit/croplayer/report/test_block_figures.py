"""Figures of blocks: what is drawn and written equals a count by hand, block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from croplayer.report import style
from croplayer.report.block_classes import plot_coverage, plot_options, plot_semantic
from croplayer.report.block_maps import Places, value_span
from croplayer.report.block_values import plot_fraction, plot_quality, plot_slope
from croplayer.report.feature_tables import write_feature_tables
from croplayer.report.flow import LANES, plot_flow
from croplayer.report.samples import plot_density, plot_samples

SOURCES = ("summer", "winter")
NOTE = "Generated data: no real place"


def panels(drawn):
    return {axes.get_title(): axes for axes in drawn["figure"].axes if axes.get_title()}


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_picture_has_each_block_where_it_lies(province):
    table, _ = province
    picture = Places(table).picture(table.sample(frac=1, random_state=0), "slope")
    for row in table.itertuples():
        assert picture[row.row, row.col] == row.slope
    part = Places(table).picture(table[table["row"] > 0], "slope")
    assert np.isnan(part[0]).all() and not np.isnan(part[1:]).any()


def test_one_odd_block_does_not_stretch_the_colours():
    values = pd.Series([*np.linspace(0, 1, 300), 1e6])
    low, high = value_span(values)
    assert 0 <= low < 0.02 and 0.98 < high < 1.1
    assert value_span(pd.Series([np.nan])) == (0.0, 1.0)


def test_slope_classes_have_the_land_and_cropland_of_their_blocks(province, drawn, tmp_path):
    table, files = province
    seen = drawn("block_values")
    table.loc[0, "slope"] = 2.0  # an edge
    table.loc[1, "slope"] = np.nan
    table.to_parquet(files[0])
    plot_slope(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv", note=NOTE)
    found = pd.read_csv(tmp_path / "a.csv")
    for row in found.itertuples():
        mine = [b for b in table.itertuples() if row.slope_from <= b.slope < row.slope_to]
        assert row.blocks == len(mine)
        assert row.land_ha == pytest.approx(sum(b.inside_ha for b in mine))
        assert row.cropland_ha == pytest.approx(sum(b.cropland_ha for b in mine))
    assert found["blocks"].sum() == 47
    assert found["land_share"].sum() == pytest.approx(1)
    axes = panels(seen)["n = 47 blocks; 1 without elevation"]
    heights = [patch.get_height() for patch in axes.patches]
    assert heights == pytest.approx(
        [*(100 * found["land_share"]), *(100 * found["cropland_share"])]
    )
    assert axes.get_ylabel() == "share (%)" and "degrees" in axes.get_xlabel()
    assert seen["figure"].get_supxlabel() == NOTE


def test_coverage_shares_by_source_and_of_the_better_imagery(province, drawn, tmp_path):
    table, files = province
    seen = drawn("block_classes")
    plot_coverage(
        blocks=files, sources=SOURCES, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv"
    )
    found = pd.read_csv(tmp_path / "a.csv").set_index(["of", "class"])["share"]
    order = ["planting", "non_planting", "snow_ice", "cloudy", "nodata"]
    pairs = list(zip(table["coverage_type_a"], table["coverage_type_b"], strict=True))
    better = [min(pair, key=order.index) for pair in pairs]
    for name in order:
        assert found["summer", name] == pytest.approx(sum(a == name for a, _ in pairs) / 48)
        assert found["better of both", name] == pytest.approx(better.count(name) / 48)
    low = sum(a in order[2:] and b in order[2:] for a, b in pairs) / 48
    names = [text.get_text() for text in seen["figure"].axes[-1].get_yticklabels()]
    assert names[2] == f"better of both, n = 48\nlow quality {low:.1%}"
    widths = [patch.get_width() for patch in seen["figure"].axes[-1].patches[:3]]
    assert widths == pytest.approx(
        [100 * found[of, "planting"] for of in (*SOURCES, "better of both")]
    )


def test_semantic_classes_on_the_map_and_in_the_bars(province, drawn, tmp_path):
    table, files = province
    seen = drawn("block_classes")
    plot_semantic(
        blocks=files, sources=SOURCES, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv"
    )
    order = list(style.SEMANTIC_COLOURS)
    shown = np.asarray(panels(seen)["winter"].images[0].get_array())
    for row in table.itertuples():
        assert order[int(shown[row.row, row.col])] == row.semantic_b
    found = pd.read_csv(tmp_path / "a.csv").set_index(["of", "class"])["blocks"]
    assert found["winter", "Noise"] == list(table["semantic_b"]).count("Noise")


def test_options_of_several_provinces_have_a_bar_each(two_provinces, drawn, tmp_path):
    _, files = two_provinces
    seen = drawn("block_classes")
    plot_options(
        blocks=files, sources=SOURCES, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv"
    )
    found = pd.read_csv(tmp_path / "a.csv")
    blocks = found.groupby("group", sort=False)["blocks"].sum()
    assert list(blocks.index) == ["all", "East", "West"]
    assert blocks["all"] == blocks["East"] + blocks["West"] == 90
    assert found.groupby("group")["share"].sum().tolist() == pytest.approx([1, 1, 1])
    bars = seen["figure"].axes[-1]
    assert [t.get_text().split(",")[0] for t in bars.get_yticklabels()] == ["all", "East", "West"]
    assert "only winter" in legend(seen["figure"].axes[0])


def test_quality_maps_share_their_colours(province, drawn, tmp_path):
    table, files = province
    seen = drawn("block_values")
    plot_quality(
        blocks=files, mosaics={"summer": [], "winter": []}, output=tmp_path / "a.png", pixels=20
    )
    by_title = panels(seen)
    for name in ("saturation", "sharpness"):
        images = [by_title[f"{source}: {name}"].images[0] for source in SOURCES]
        assert images[0].get_clim() == images[1].get_clim()
        row = table.iloc[10]
        value = np.asarray(images[1].get_array())[row["row"], row["col"]]
        assert value == row[f"{name}_b"]
    assert len(by_title) == 8


def test_area_fractions_are_counted_by_classes(province, drawn, tmp_path):
    table, files = province
    seen = drawn("block_values")
    table.loc[0, "af"] = 0.3  # an edge: the upper one of its class
    table.loc[1, "af"] = np.nan
    table.to_parquet(files[0])
    plot_fraction(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv")
    found = pd.read_csv(tmp_path / "a.csv")
    for row in found.itertuples():
        mine = [
            b for b in table.itertuples()
            if (b.af == 0 if row.af_to == 0 else row.af_from + 1e-9 < b.af <= row.af_to + 1e-9)
        ]  # fmt: skip
        assert row.blocks == len(mine)
        assert row.cropland_ha == pytest.approx(sum(b.cropland_ha for b in mine))
    assert found["blocks"].sum() == 47
    widths = [patch.get_width() for patch in seen["figure"].axes[1].patches]
    assert widths == found["blocks"].tolist()


def test_fractions_of_provinces_are_of_the_ground_that_is_known(two_provinces, drawn, tmp_path):
    tables, files = two_provinces
    drawn("block_values")
    plot_fraction(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv")
    found = pd.read_csv(tmp_path / "a.csv").set_index("province")
    assert found["af"].is_monotonic_decreasing
    shared = set(tables[0]["block_id"]) & set(tables[1]["block_id"])
    other = {row.block_id: row.inside_ha for row in tables[1].itertuples()}
    crop = known = 0.0
    for row in tables[0].itertuples():
        if row.block_id not in shared or row.inside_ha > other[row.block_id]:
            crop += row.cropland_ha
            known += row.inside_ha - row.unusable_ha
    assert found.loc["West", "af"] == pytest.approx(crop / known)


def test_labelled_blocks_are_counted_on_the_map(province, drawn, tmp_path):
    table, files = province
    seen = drawn("samples")
    plot_samples(blocks=files, output=tmp_path / "a.png")
    axes = panels(seen)["Labelled blocks, n = 48 blocks"]
    counts = [int(text.rsplit(": ", 1)[1]) for text in legend(axes)]
    labelled = list(table["labelled"])
    assert counts == [labelled.count(kind) for kind in ("positive", "negative", "")]
    shown = np.asarray(axes.images[0].get_array())
    assert (shown == 0).sum() == counts[0] and (shown == 1).sum() == counts[1]


@pytest.mark.parametrize("several", [False, True])
def test_sampling_density_by_county_or_province(province, two_provinces, drawn, tmp_path, several):
    files = (two_provinces if several else province)[1]
    seen = drawn("samples")
    plot_density(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv")
    found = pd.read_csv(tmp_path / "a.csv").set_index("place")
    assert set(found.index) == ({"East", "West"} if several else {"Left", "Right"}) | {"all"}
    assert found.index[-1] == "all"
    parts, whole = found.iloc[:-1], found.iloc[-1]
    assert parts[["blocks", "positive", "negative"]].sum().tolist() == whole.tolist()[:3]
    for row in found.itertuples():
        assert row.density == pytest.approx((row.positive + row.negative) / row.blocks)
    if not several:
        left = province[0][province[0]["county"] == "Left"]
        assert found.loc["Left", "positive"] == (left["labelled"] == "positive").sum()
    axes = seen["figure"].axes[0]
    assert axes.get_xlabel() == ("province" if several else "county")
    n = len(parts)
    tops = [axes.patches[k].get_height() + axes.patches[n + k].get_height() for k in range(n)]
    assert tops == pytest.approx(parts["density"].tolist())


def test_options_and_features_as_measured(province, tmp_path):
    table, files = province
    table.loc[0, "solidity_mean_a"] = np.nan
    table.to_parquet(files[0])
    write_feature_tables(
        blocks=files,
        sources=SOURCES,
        options_csv=tmp_path / "o.csv",
        features_csv=tmp_path / "f.csv",
    )
    options = pd.read_csv(tmp_path / "o.csv").set_index("option")
    assert list(options.index) == ["neither", "only summer", "only winter", "both"]
    mine = table[table["option"] == "only_b"]
    row = options.loc["only winter"]
    assert row["blocks"] == len(mine) and row["share"] == pytest.approx(len(mine) / 48)
    assert row["cropland_ha"] == pytest.approx(sum(mine["cropland_ha"]))
    assert row["slope_degrees"] == pytest.approx(np.median(mine["slope"]))
    low = np.mean([v in ("snow_ice", "cloudy", "nodata") for v in mine["coverage_type_a"]])
    assert row["low_quality_summer"] == pytest.approx(low)
    features = pd.read_csv(tmp_path / "f.csv").set_index(["feature", "source"])
    assert len(features) == 5 + 2 * 11 and features.index.is_unique
    assert features.loc[("solidity_mean", "summer"), "blocks"] == 47
    row = features.loc[("area", "winter")]
    assert row["median"] == pytest.approx(np.median(table["area_b"]))
    assert row["lower_quartile"] == pytest.approx(np.percentile(table["area_b"], 25))
    assert row["unit"] == "ha"
    kinds = list(table["coverage_type_a"])
    row = features.loc[("coverage_type", "summer")]
    assert row["commonest_share"] == pytest.approx(max(map(kinds.count, kinds)) / 48)


def test_figures_are_written_the_same_each_time(province, tmp_path):
    _, files = province
    for k in (1, 2):
        plot_semantic(
            blocks=files, sources=SOURCES, note=NOTE,
            output=tmp_path / f"{k}.png", table_csv=tmp_path / f"{k}.csv",
        )  # fmt: skip
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert imread(tmp_path / "1.png")[..., :3].std() > 0.05


def test_a_place_without_elevation_says_so(province, drawn, tmp_path):
    table, files = province
    table["slope"] = np.nan
    table.to_parquet(files[0])
    seen = drawn("block_values")
    plot_slope(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv")
    axes = panels(seen)["n = 0 blocks; 48 without elevation"]
    assert "no elevation is known here" in [text.get_text() for text in axes.texts]
    assert axes.get_ylim()[0] == 0
    assert pd.read_csv(tmp_path / "a.csv")["land_share"].sum() == 0


def test_the_flow_names_rules_that_exist_and_counts_of_the_run(province, drawn, tmp_path):
    table, files = province
    seen = drawn("flow")
    plot_flow(
        blocks=files, sources=SOURCES, coverage_model="resnet50", segmentation_model="segformer",
        label_round=4, products=8, output=tmp_path / "a.png",
    )  # fmt: skip
    texts = [text.get_text() for text in seen["figure"].axes[0].texts]
    labelled = sum(word != "" for word in table["labelled"])
    for words in ("48 blocks", f"round 4:\n{labelled} blocks labelled", "summer and winter"):
        assert words in texts
    assert any(text.startswith("segformer") for text in texts)
    assert f"{table['cropland_ha'].sum() / 1000:,.1f} thousand ha of cropland" in texts
    written = "\n".join(path.read_text() for path in Path("workflow/rules").glob("*.smk"))
    for stage in (stage for stages in LANES.values() for stage in stages):
        for rule in stage.rules:
            assert f"rule {rule}:" in written, rule


def test_counties_of_one_name_are_told_apart_and_the_largest_are_drawn(province, drawn, tmp_path):
    table, files = province
    table["county_id"] = [f"{k % 45:02d}" for k in range(len(table))]
    table["county"] = "Gulou"
    table.to_parquet(files[0])
    seen = drawn("samples")
    plot_density(blocks=files, output=tmp_path / "a.png", table_csv=tmp_path / "a.csv")
    found = pd.read_csv(tmp_path / "a.csv")
    assert len(found) == 45 + 1 and found["blocks"].iloc[:-1].value_counts().to_dict() == {
        1: 42,
        2: 3,
    }
    axes = seen["figure"].axes[0]
    assert len(axes.get_xticklabels()) == 40
    assert "5 smaller ones" in axes.get_xlabel()
    drawn_of = [text.get_text() for text in axes.texts]
    assert sum(text.endswith("/2") for text in drawn_of) == 3
    positive = (table["labelled"] == "positive").sum()
    assert f"positive ({positive} blocks)" in legend(axes)
