"""Cropland and irrigated land from several maps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import rasterio
from pydantic import ValidationError
from rasterio.transform import Affine

from cropalloc.grid import CellGrid
from cropalloc.settings.synergy import LandSettings, SynergySettings
from cropalloc.synergy import combine_cropland, default_ranks, read_ranks
from cropalloc.synergy.combine import agree
from cropalloc.synergy.ranks import rank_by_bits
from cropbase.errors import InputError
from cropbase.tables import write_table

GRID = CellGrid.from_bounds((100.0, 30.0, 100.4, 30.3), 360)  # 3 rows, 4 columns
PAPER = ["CACD", "CLCD", "GLC_FCS30", "CNLUCC"]


def write_raster(
    path, values, *, degrees=0.1, west=100.0, north=30.3, crs="EPSG:4326", nodata=None
):
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype=values.dtype,
        crs=crs,
        transform=Affine(degrees, 0, west, 0, -degrees, north),
        nodata=nodata,
    ) as dataset:
        dataset.write(values, 1)
    return str(path)


def source(path, name="one", **more):
    return {"name": name, "paths": [path], **more}


def combine(tmp_path, sources, irrigated=None, cells=None, year=2010, land=None, **more):
    row, col = (x.ravel() for x in np.mgrid[:3, :4])
    table = GRID.table(row, col, np.full(12, "A")) if cells is None else cells
    write_table(table, tmp_path / "cells.parquet")
    settings = {"cropland": {"sources": sources, **(land or {})}, **more}
    if irrigated:
        settings["irrigated"] = {"sources": irrigated}
    combine_cropland(
        cells=tmp_path / "cells.parquet",
        synergy=SynergySettings(**settings),
        year=year,
        synergy_path=tmp_path / "synergy.parquet",
        report_path=tmp_path / "report.csv",
    )
    return pd.read_parquet(tmp_path / "synergy.parquet"), pd.read_csv(tmp_path / "report.csv")


def measure(report, item, name):
    return float(report[(report["item"] == item) & (report["measure"] == name)]["value"].iloc[0])


AREAS = np.repeat(GRID.row_areas_ha, 4)
SHARES = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4))


def test_the_default_ranks_are_those_of_table_s7():
    ranks = default_ranks(PAPER)
    assert len(ranks) == 15 and sorted(ranks.values()) == list(range(1, 16))
    assert ranks[frozenset(PAPER)] == 1
    assert ranks[frozenset(["CACD", "CLCD", "GLC_FCS30"])] == 2
    assert ranks[frozenset(["CLCD", "GLC_FCS30", "CNLUCC"])] == 5
    assert ranks[frozenset(["CACD", "CLCD"])] == 6
    assert ranks[frozenset(["GLC_FCS30", "CNLUCC"])] == 11
    assert [ranks[frozenset([name])] for name in PAPER] == [12, 13, 14, 15]


def test_every_combination_has_its_rank_by_bits():
    ranks = default_ranks(PAPER)
    by_bits = rank_by_bits(ranks, PAPER)
    for bits in product([0, 1], repeat=4):
        group = frozenset(name for name, bit in zip(PAPER, bits, strict=True) if bit)
        index = sum(bit << i for i, bit in enumerate(bits))
        assert by_bits[index] == ranks.get(group, 0)


def test_a_source_without_this_year_leaves_the_ranks_of_the_others():
    by_bits = rank_by_bits(default_ranks(PAPER), ["CLCD", "CNLUCC"])
    assert by_bits.tolist() == [0, 13, 15, 10]  # none, CLCD, CNLUCC, both


def score_table(tmp_path, text):
    path = tmp_path / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_score_table_may_join_names_in_any_order_and_share_ranks(tmp_path):
    ranks = read_ranks(score_table(tmp_path, "sources,rank\na,2\nb,2\nb+a,1\n"), ["a", "b"])
    assert ranks == {frozenset("a"): 2, frozenset("b"): 2, frozenset("ab"): 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources,rank\na,2\na+b,1\n", r"lacks 1 combination\(s\)(.|\n)*missing: b"),
        ("sources,rank\na,2\nb,3\na+b,1\nc,4\n", "line 5: no source is called 'c'"),
        ("sources,rank\na,2\nb,3\na+b,1\nb+a,4\n", "line 5: b\\+a is given twice"),
        ("sources,rank\na,2\nb,high\na+b,1\n", "line 3: the rank is not a whole number"),
        ("source,score\na,2\n", "no column 'sources'"),
    ],
)
def test_faults_of_a_score_table_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_ranks(score_table(tmp_path, text), ["a", "b"])


def test_agreement_against_a_cell_by_cell_loop():
    rng = np.random.default_rng(4)
    area = rng.uniform(50, 90, 200)
    hectares = rng.uniform(0, 1, (3, 200)) * area * (rng.random((3, 200)) > 0.4)
    hectares[rng.random((3, 200)) < 0.2] = np.nan
    by_bits = rank_by_bits(default_ranks(list("abc")), list("abc"))
    result = agree(hectares, area, 0.1, by_bits)
    for cell in range(200):
        values = hectares[:, cell]
        seen = [v for v in values if v > 0.1 * area[cell]]  # NaN sees nothing
        assert result["agreement"][cell] == len(seen)
        if np.isnan(values).all():
            assert np.isnan(result["mean_ha"][cell]) and np.isnan(result["max_ha"][cell])
        else:
            assert result["mean_ha"][cell] == pytest.approx(np.mean(seen) if seen else 0)
            assert result["max_ha"][cell] == (max(seen) if seen else 0)
        group = frozenset(n for n, v in zip("abc", values, strict=True) if v > 0.1 * area[cell])
        assert result["rank"][cell] == default_ranks(list("abc")).get(group, 0)


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        ("fraction", 1.0),
        ("percent", 100.0),
        ("km2", AREAS.reshape(3, 4) / 100),
        ("hectares", AREAS.reshape(3, 4)),
    ],
)
def test_every_kind_of_value_means_the_same_hectares(tmp_path, kind, factor):
    path = write_raster(tmp_path / "a.tif", SHARES * factor)
    table, _ = combine(tmp_path, [source(path, kind=kind)])
    assert table["cropland_mean_ha"].to_numpy() == pytest.approx(SHARES.ravel() * AREAS, rel=1e-9)


def test_classes_count_with_their_shares(tmp_path):
    codes = np.random.default_rng(5).choice([10, 11, 20], (30, 40)).astype(np.uint8)
    path = write_raster(tmp_path / "a.tif", codes, degrees=0.01)
    table, _ = combine(tmp_path, [source(path, kind="classes", classes={10: 1.0, 11: 0.5})])
    weight = np.select([codes == 10, codes == 11], [1.0, 0.5], 0.0)
    fine = CellGrid.from_bounds(GRID.bounds, 36).row_areas_ha[:, None]
    expected = (weight * fine).reshape(3, 10, 4, 10).sum(axis=(1, 3)).ravel()
    assert table["cropland_mean_ha"].to_numpy() == pytest.approx(expected, rel=1e-9)


def test_unusable_pixels_of_the_2m_map_leave_the_denominator(tmp_path):
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[:, :20] = 1
    mask[0:10, 10:15] = 254  # half of cell (0, 1)
    mask[10:20, 20:30] = 254  # all of cell (1, 2)
    mask[20:30, 0:5] = 255  # half of cell (2, 0) is outside
    path = write_raster(tmp_path / "shard_a.tif", mask, degrees=0.01)
    table, report = combine(tmp_path, [source(path, kind="cropland_mask")])
    share = (table["cropland_mean_ha"] / AREAS).to_numpy().reshape(3, 4)
    assert share[0, 1] == pytest.approx(1.0)  # the usable half stands for all of it
    assert np.isnan(share[1, 2])  # nobody looked
    assert share[2, 0] == pytest.approx(0.5)  # outside holds none
    assert share[0, 3] == 0
    assert measure(report, "combined", "cells_no_source_covers") == 1
    assert measure(report, "one", "unusable_pixels") == pytest.approx(
        AREAS[1] / 2 + AREAS[6], rel=1e-6
    )
    assert measure(report, "one", "added_for_unusable_pixels") == pytest.approx(
        AREAS[1] / 2, rel=1e-6
    )


def test_shards_join_and_must_not_overlap(tmp_path):
    ones = np.ones((30, 20), dtype=np.uint8)
    write_raster(tmp_path / "s_1.tif", ones, degrees=0.01)
    write_raster(tmp_path / "s_2.tif", ones, degrees=0.01, west=100.2)
    pattern = str(tmp_path / "s_*.tif")
    table, _ = combine(tmp_path, [source(pattern, kind="cropland_mask")])
    assert table["cropland_mean_ha"].to_numpy() == pytest.approx(AREAS)
    write_raster(tmp_path / "s_3.tif", ones, degrees=0.01, west=100.1)
    with pytest.raises(InputError, match="source one: its files overlap"):
        combine(tmp_path, [source(pattern, kind="cropland_mask")])


def test_nodata_is_outside_or_unusable_as_set(tmp_path):
    values = np.full((30, 40), 0.5)
    values[:10, :5] = np.nan
    path = write_raster(tmp_path / "a.tif", values, degrees=0.01, nodata=np.nan)
    outside, _ = combine(tmp_path, [source(path)])
    unusable, _ = combine(tmp_path, [source(path, nodata_is="unusable")])
    assert outside["cropland_mean_ha"].iloc[0] == pytest.approx(AREAS[0] * 0.25)
    assert unusable["cropland_mean_ha"].iloc[0] == pytest.approx(AREAS[0] * 0.5)


def test_an_undeclared_nodata_value_can_be_configured(tmp_path):
    values = np.full((3, 4), 50.0)
    values[0, 0] = -9999
    path = write_raster(tmp_path / "a.tif", values)
    table, _ = combine(tmp_path, [source(path, kind="percent", nodata=-9999)])
    assert np.isnan(table["cropland_mean_ha"].iloc[0])
    with pytest.raises(InputError, match=r"a value is no percent(.|\n)*given: -9999"):
        combine(tmp_path, [source(path, kind="percent")])


def test_strips_of_one_row_change_nothing(tmp_path):
    path = write_raster(
        tmp_path / "a.tif", np.random.default_rng(6).random((29, 37)), degrees=0.0111
    )
    whole, _ = combine(tmp_path, [source(path)])
    strips, _ = combine(tmp_path, [source(path)], strip_rows=1)
    pd.testing.assert_frame_equal(whole, strips, rtol=1e-12)


def test_rounding_of_whole_km2_is_cut_and_told(tmp_path):
    km2 = np.full((3, 4), np.round(AREAS.max() / 100) + 1)
    path = write_raster(tmp_path / "a.tif", km2)
    table, report = combine(tmp_path, [source(path, kind="km2")])
    assert (table["cropland_max_ha"] <= AREAS * (1 + 1e-12)).all()
    assert measure(report, "one", "cut_to_pixel_area") == pytest.approx(
        (km2.ravel() * 100 - AREAS).sum()
    )


def test_irrigated_above_cropland_is_cut_or_cropland_raised(tmp_path):
    crop = SHARES.copy()
    crop[0, 0] = 0.0
    water = np.full((3, 4), 0.5)
    crops = [source(write_raster(tmp_path / "c.tif", crop), "c")]
    waters = [source(write_raster(tmp_path / "i.tif", water), "i")]
    excess = (np.maximum(water - crop, 0).ravel() * AREAS).sum()
    cut, report = combine(tmp_path, crops, waters)
    assert cut["irrigated_mean_ha"].to_numpy() == pytest.approx(
        np.minimum(crop, water).ravel() * AREAS
    )
    assert cut["cropland_mean_ha"].to_numpy() == pytest.approx(crop.ravel() * AREAS)
    assert measure(report, "above_cropland", "mean_ha") == pytest.approx(excess)
    raised, report = combine(tmp_path, crops, waters, irrigated_above_cropland="raise")
    assert raised["cropland_max_ha"].to_numpy() == pytest.approx(
        np.maximum(crop, water).ravel() * AREAS
    )
    assert raised["irrigated_mean_ha"].to_numpy() == pytest.approx(water.ravel() * AREAS)
    assert raised["cropland_rank"].iloc[0] == 2  # after the only combination of cropland sources
    assert raised["cropland_agreement"].iloc[0] == 0


def test_without_irrigated_sources_no_cell_has_irrigated_land(tmp_path):
    table, report = combine(tmp_path, [source(write_raster(tmp_path / "a.tif", SHARES))])
    assert (table["irrigated_max_ha"] == 0).all() and table["irrigated_rank"].isna().all()
    assert "no cell has irrigated land" in " ".join(report["sentence"].dropna())


def test_a_source_of_other_years_is_left_out_and_told(tmp_path):
    path = write_raster(tmp_path / "a_2010.tif", SHARES)
    pattern = str(tmp_path / "a_{year}.tif")
    sources = [source(pattern), source("nowhere_{year}.tif", "late", years=[2020])]
    table, report = combine(tmp_path, sources)
    assert table["cropland_rank"].tolist() == [2] * 12  # `one` alone, in a table of two sources
    assert report.set_index("measure").loc["left_out", "sentence"] == "has no map of 2010"
    with pytest.raises(InputError, match=r"no file .*a_2015\.tif"):
        combine(tmp_path, [source(pattern)], year=2015)
    assert path


def test_cells_between_the_strips_stay_missing_rows(tmp_path):
    cells = GRID.table(np.array([0, 2]), np.array([1, 3]), np.array(["A", "A"]))
    path = write_raster(tmp_path / "a.tif", SHARES)
    table, _ = combine(tmp_path, [source(path)], cells=cells, strip_rows=1)
    assert table["cell_id"].tolist() == [1, 11]
    expected = SHARES[[0, 2], [1, 3]] * AREAS[[1, 11]]
    assert table["cropland_mean_ha"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: source(str(p / "none.tif")), r"source one: no file .*none\.tif"),
        (
            lambda p: source(write_raster(p / "a.tif", SHARES, crs=None)),
            "no coordinate reference system",
        ),
        (lambda p: source(write_raster(p / "a.tif", SHARES), band=2), "has no band 2"),
        (lambda p: source(write_raster(p / "a.tif", SHARES * 100)), "a value is no fraction"),
        (
            lambda p: source(write_raster(p / "a.tif", SHARES, west=10.0)),
            "covers none of the 12 cells",
        ),
        (
            lambda p: source(
                write_raster(p / "a.tif", np.full((3, 4), 7, np.uint8)), kind="cropland_mask"
            ),
            "is no cropland mask",
        ),
    ],
)
def test_faults_of_a_source_are_named(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        combine(tmp_path, [make(tmp_path)])


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([source("a.tif"), source("b.tif")], "source names must differ; doubled: one"),
        ([source("a.tif", kind="classes")], "`classes` is needed"),
        ([source("a.tif", name="a+b")], "String should match pattern"),
    ],
)
def test_settings_refuse_sources_that_cannot_be(sources, message):
    with pytest.raises(ValidationError, match=message):
        LandSettings(sources=sources)
