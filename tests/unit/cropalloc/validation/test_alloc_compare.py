"""Validation, products and baselines on a small generated case."""

from __future__ import annotations

import json
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from alloc_small_case import GRID, cells, members, targets, write_case
from shapely.geometry import box

from cropalloc.export import Places
from cropalloc.settings.validation import ProductMap, UnitBoundaries, ValidationSettings
from cropalloc.validation import baseline_areas, compare_product, validate_allocation
from cropalloc.validation.products import onto_cells, read_product
from cropbase.areas import row_pixel_areas_ha
from cropbase.errors import InputError
from cropbase.tables import write_table

V = ValidationSettings(min_units=2)


@pytest.fixture
def case(tmp_path):
    paths = write_case(tmp_path)
    rng = np.random.default_rng(0)
    areas = pd.DataFrame(
        [(c, crop, s) for c in range(24) for crop in ("wheat", "rice") for s in "IL"],
        columns=["cell_id", "crop", "system"],
    )
    areas["harvested_ha"] = rng.random(len(areas)) * 10
    areas["physical_ha"] = areas["harvested_ha"] / 2  # must not be what is compared
    write_table(areas, tmp_path / "areas.parquet")
    reference = pd.DataFrame(
        [(u, crop, 20.0 * k + 7) for crop in ("wheat", "rice") for k, u in enumerate("ABC")],
        columns=["unit_id", "crop", "harvested_ha"],
    )

    def run(reference=reference, validation=V, **more):
        reference.to_csv(tmp_path / "ref.csv", index=False)
        metrics = validate_allocation(
            cells=paths["cells"],
            units=paths["units"],
            areas=[tmp_path / "areas.parquet"],
            reference=tmp_path / "ref.csv",
            validation=validation,
            metrics_path=tmp_path / "m.json",
            pairs_path=tmp_path / "p.parquet",
            **more,
        )
        assert metrics == json.loads((tmp_path / "m.json").read_text())
        return metrics, pd.read_parquet(tmp_path / "p.parquet").set_index(["crop", "unit_id"])

    return run, areas, reference, paths


def test_pairs_are_harvested_sums_by_unit(case):
    run, areas, reference, _ = case
    metrics, pairs = run()
    expected = areas.merge(cells()).groupby(["crop", "leaf_id"])["harvested_ha"].sum()
    for (crop, unit), value in expected.items():
        assert pairs.loc[(crop, unit), "allocated_ha"] == pytest.approx(value)
    s = reference.query("crop == 'rice'")["harvested_ha"]
    r = np.corrcoef(expected["rice"], s)[0, 1]
    assert metrics["crops"]["rice"]["r"] == pytest.approx(r)
    assert metrics["crops"]["rice"]["n"] == 3


def test_units_may_be_ancestors_of_leaves(case):
    run, areas, _, _ = case
    reference = pd.DataFrame(
        [("P1", "wheat", 5.0), ("P2", "wheat", 6.0)], columns=["unit_id", "crop", "harvested_ha"]
    )
    _, pairs = run(reference)
    wheat = areas.merge(cells()).query("crop == 'wheat'")
    of_p1 = wheat[wheat["leaf_id"] != "C"]["harvested_ha"].sum()
    assert pairs.loc[("wheat", "P1"), "allocated_ha"] == pytest.approx(of_p1)


def test_units_within_one_another_are_refused(case):
    run, _, reference, _ = case
    mixed = pd.concat([reference, pd.DataFrame([("P1", "wheat", 3.0)], columns=reference.columns)])
    with pytest.raises(InputError, match="lie in one another: A in P1"):
        run(mixed)
    metrics, _ = run(mixed, V.model_copy(update={"level": 2}))
    assert metrics["crops"]["wheat"]["n"] == 3


def test_a_unit_without_cells_is_listed_and_not_counted(case):
    run, _, reference, _ = case
    more = pd.concat([reference, pd.DataFrame([("Z", "wheat", 9.0)], columns=reference.columns)])
    metrics, pairs = run(more)
    assert metrics["crops"]["wheat"]["n"] == 3
    assert metrics["crops"]["wheat"]["units_without_cells"] == 1
    assert metrics["crops"]["wheat"]["statistics_without_cells_ha"] == 9.0
    assert np.isnan(pairs.loc[("wheat", "Z"), "allocated_ha"])


def test_crops_of_one_side_are_listed(case):
    run, _, reference, _ = case
    metrics, _ = run(reference.replace({"crop": {"rice": "oats"}}))
    assert metrics["crops_without_reference"] == ["rice"]
    assert metrics["crops_not_allocated"] == ["oats"]


def test_polygons_take_cells_by_their_centres(case, tmp_path):
    run, areas, _, _ = case
    west, south, east, north = GRID.bounds
    middle = west + 3 / 12  # three columns each, across the leaves
    layer = gpd.GeoDataFrame(
        {"code": ["w", "e"]},
        geometry=[box(west, south, middle, north), box(middle, south, east, north)],
        crs="EPSG:4326",
    )
    layer.to_crs("EPSG:3857").to_file(tmp_path / "b.gpkg")
    reference = pd.DataFrame(
        [("w", "wheat", 1.0), ("e", "wheat", 2.0)], columns=["unit_id", "crop", "harvested_ha"]
    )
    boundaries = UnitBoundaries(path=tmp_path / "b.gpkg", attribute="code")
    _, pairs = run(reference, V.model_copy(update={"boundaries": boundaries}))
    wheat = areas.merge(cells()).query("crop == 'wheat'")
    expected = wheat[wheat["col"] < 3]["harvested_ha"].sum()
    assert pairs.loc[("wheat", "w"), "allocated_ha"] == pytest.approx(expected)


def test_few_units_have_no_measures(case):
    run, *_ = case
    metrics, _ = run(validation=ValidationSettings(min_units=4))
    assert metrics["crops"]["wheat"]["reason"] == "fewer than 4 units"
    assert "r" not in metrics["crops"]["wheat"]


@pytest.mark.parametrize(("both_zero", "n"), [("keep", 3), ("drop", 2)])
def test_units_without_the_crop_on_both_sides_may_be_dropped(case, both_zero, n):
    run, areas, reference, paths = case
    in_c = areas["cell_id"].isin(cells().query("leaf_id == 'C'")["cell_id"])
    write_table(areas[~in_c], paths["cells"].with_name("areas.parquet"))
    zero = reference.assign(
        harvested_ha=reference["harvested_ha"].where(reference["unit_id"] != "C", 0.0)
    )
    metrics, _ = run(zero, V.model_copy(update={"both_zero": both_zero}))
    assert metrics["crops"]["wheat"]["n"] == n


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.head(1)]), "has wheat of A twice"),
        (lambda t: t.assign(harvested_ha=-1.0), "wheat in A is no area"),
        (lambda t: t.assign(harvested_ha="many"), "wheat in A is no area"),
        (lambda t: t.drop(columns="crop"), "no column crop"),
        (lambda t: t.assign(unit_id="Q" + t["unit_id"]), "no cell lies in any unit"),
        (lambda t: t.assign(year=1999), "no row of 2010"),
        (lambda t: t.assign(crop="x" + t["crop"]), "no crop is both allocated and"),
    ],
)
def test_faults_of_the_reference_are_told(case, change, message):
    run, _, reference, _ = case
    with pytest.raises(InputError, match=message):
        run(change(reference), year=2010)


def tif(path, values, transform, **more):
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
        dtype="float64", crs=more.pop("crs", "EPSG:4326"), transform=transform, **more,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


@pytest.mark.parametrize("step", [1 / 6, 1 / 12, 1 / 60, 0.13])
def test_products_of_any_resolution_keep_their_hectares(step):
    rng = np.random.default_rng(7)
    transform = rasterio.Affine(step, 0, 99.6, 0, -step, 30.7)
    values = rng.random((int(1.2 / step), int(1.4 / step)))
    places = Places.of(cells(), GRID)
    found, off, outside = onto_cells(values, transform, places)
    assert found.sum() + off + outside == pytest.approx(values.sum())
    assert off == pytest.approx(0, abs=1e-9)
    # Brute force: many thin sub-pixels, each with its part of the pixel's ellipsoidal area.
    n = 60
    fine = rasterio.Affine(step / n, 0, 99.6, 0, -step / n, 30.7)
    row_area = row_pixel_areas_ha(fine, values.shape[0] * n).reshape(-1, n)
    row_share = (row_area / row_area.sum(axis=1, keepdims=True)).ravel()
    lat = 30.7 - step / n * (np.arange(len(row_share)) + 0.5)
    lon = 99.6 + step / n * (np.arange(values.shape[1] * n) + 0.5)
    row = np.floor((GRID.bounds[3] - lat) * 12).astype(int)
    col = np.floor((lon - GRID.bounds[0]) * 12).astype(int)
    dense = np.zeros((4, 6))
    r_ok, c_ok = (row >= 0) & (row < 4), (col >= 0) & (col < 6)
    big = np.repeat(np.repeat(values, n, axis=0), n, axis=1) * row_share[:, None] / n
    np.add.at(dense, (row[r_ok][:, None], col[c_ok][None, :]), big[np.ix_(r_ok, c_ok)])
    np.testing.assert_allclose(found, dense.ravel(), rtol=0.05)
    assert found.sum() == pytest.approx(dense.sum(), rel=0.01)


def test_a_product_on_the_same_grid_is_itself():
    values = np.arange(24.0).reshape(4, 6)
    found, off, outside = onto_cells(values, GRID.transform, Places.of(cells(), GRID))
    np.testing.assert_allclose(found, values.ravel(), rtol=1e-9)
    assert (off, outside) == pytest.approx((0, 0), abs=1e-9)


def test_products_are_read_from_zips_and_compared_like_the_maps(case, tmp_path):
    _, _, reference, paths = case
    values = np.random.default_rng(2).random((4, 6)) * 50
    values[0, 0] = -1
    tif(tmp_path / "spam_wheat.tif", values, GRID.transform, nodata=-1)
    with zipfile.ZipFile(tmp_path / "spam.zip", "w") as archive:
        archive.write(tmp_path / "spam_wheat.tif", "inner/spam_wheat.tif")
        archive.writestr("readme.txt", "not a map")
    reference.to_csv(tmp_path / "ref.csv", index=False)
    item = ProductMap(crop="wheat", path=tmp_path / "spam.zip", hectares_per_value=100)
    metrics = compare_product(
        product="SPAM", maps=[item], cells=paths["cells"], units=paths["units"],
        reference=tmp_path / "ref.csv", validation=V,
        metrics_path=tmp_path / "m.json", pairs_path=tmp_path / "p.parquet",
    )  # fmt: skip
    pairs = pd.read_parquet(tmp_path / "p.parquet").set_index("unit_id")
    known = np.where(values < 0, 0, values) * 100
    assert pairs.loc["A", "allocated_ha"] == pytest.approx(known[:, :2].sum())
    assert metrics["crops_not_allocated"] == ["rice"]


def test_faults_of_a_product_are_told(tmp_path):
    values = np.ones((4, 6))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.tif", "")
        archive.writestr("b.tif", "")
    with pytest.raises(InputError, match="exactly one GeoTIFF"):
        read_product(ProductMap(crop="wheat", path=tmp_path / "two.zip"))
    tif(tmp_path / "neg.tif", -values, GRID.transform)
    with pytest.raises(InputError, match="negative areas"):
        read_product(ProductMap(crop="wheat", path=tmp_path / "neg.tif"))
    tif(tmp_path / "merc.tif", values, rasterio.Affine(1, 0, 9, 0, -1, 9), crs="EPSG:3857")
    with pytest.raises(InputError, match="not north-up in EPSG:4326"):
        read_product(ProductMap(crop="wheat", path=tmp_path / "merc.tif"))
    with pytest.raises(InputError, match="cannot be opened"):
        read_product(ProductMap(crop="wheat", path=tmp_path / "none.tif"))


def systems_areas(intensity=2.0):
    table = targets()[["target_id", "crop", "year", "harvested_ha"]]
    parts = [table.assign(system=s, harvested_ha=table["harvested_ha"] / 2) for s in "HL"]
    both = pd.concat(parts).assign(intensity=intensity, share=0.5)
    return both.assign(physical_ha=both["harvested_ha"] / intensity)


@pytest.fixture
def base(tmp_path):
    rng = np.random.default_rng(4)
    land = cells()[["cell_id", "leaf_id"]].assign(cropland_ha=rng.random(24) * 100)
    write_table(land, tmp_path / "land.parquet")
    write_table(members(), tmp_path / "members.parquet")
    write_table(systems_areas(), tmp_path / "systems.parquet")
    names = [f"{crop}_{s}" for crop in ("wheat", "rice") for s in "HL"]
    scores = pd.DataFrame(rng.random((24, 4)) * 100, columns=names).assign(cell_id=range(24))
    write_table(scores, tmp_path / "scores.parquet")

    def run(kind, capped, land=land):
        write_table(land, tmp_path / "land.parquet")
        return baseline_areas(
            kind=kind, cells=tmp_path / "land.parquet", members=tmp_path / "members.parquet",
            systems_areas=tmp_path / "systems.parquet", scores=tmp_path / "scores.parquet",
            year=2010, capped=capped, areas_path=tmp_path / "b.parquet",
        )  # fmt: skip

    return run, land, scores


def sums_of_targets(areas):
    joined = areas.merge(cells()[["cell_id", "leaf_id"]]).merge(members())
    return joined.groupby(["crop", "target_id", "system"])["harvested_ha"].sum()


@pytest.mark.parametrize("kind", ["cropland", "suitability_cropland"])
@pytest.mark.parametrize("capped", [True, False])
def test_baselines_place_every_target_in_full(base, kind, capped):
    run, _, _ = base
    found = sums_of_targets(run(kind, capped))
    wanted = systems_areas().set_index(["crop", "target_id", "system"])["harvested_ha"]
    np.testing.assert_allclose(found, wanted[found.index], rtol=1e-9)
    assert set(wanted[wanted > 0].index) == set(found.index)


def test_the_uncapped_baseline_is_in_proportion(base):
    run, land, scores = base
    areas = run("suitability_cropland", False).query("crop == 'rice' and system == 'H'")
    at = cells().query("leaf_id == 'A'")["cell_id"].to_numpy()
    weight = (land["cropland_ha"] * scores["rice_H"]).to_numpy()[at]
    found = areas.set_index("cell_id").loc[at, "physical_ha"]
    np.testing.assert_allclose(found, weight / weight.sum() * 70.7 / 4)


def test_the_capped_baseline_never_exceeds_cropland_while_there_is_room(base):
    run, land, _ = base
    assert land["cropland_ha"].sum() > 1.2 * systems_areas()["physical_ha"].sum()
    areas = run("suitability_cropland", True)
    used = areas.groupby("cell_id")["physical_ha"].sum().reindex(range(24), fill_value=0)
    assert (used <= land["cropland_ha"] * (1 + 1e-6)).all()
    assert areas["beyond_ha"].sum() < 1e-6


def test_what_does_not_fit_is_said_to_be_beyond(base):
    run, land, _ = base
    small = land.assign(cropland_ha=land["cropland_ha"] / 10)
    areas = run("cropland", True, small)
    in_p1 = small.query("leaf_id in ['A', 'B']")["cropland_ha"].sum()
    in_p2 = small.query("leaf_id == 'C'")["cropland_ha"].sum()
    lack = (1100.1 / 2 - in_p1) + (333.3 / 2 - in_p2)
    assert areas["beyond_ha"].sum() == pytest.approx(lack, rel=1e-3)


def test_without_a_score_cropland_weighs_and_without_cropland_all_cells(base, tmp_path, caplog):
    run, land, scores = base
    write_table(scores.assign(rice_H=np.nan), tmp_path / "scores.parquet")
    run("suitability_cropland", False)
    assert "rice_H in A: no cell with a score" in caplog.text
    areas = run("cropland", False, land.assign(cropland_ha=0.0))
    assert areas.query("crop == 'rice' and system == 'L'")["physical_ha"].nunique() == 2


def test_a_target_without_a_cell_is_left_out_and_told(base, caplog):
    run, land, _ = base
    areas = run("cropland", True, land[land["leaf_id"] != "C"])
    assert "target P2 of wheat H has 83.325 ha but no cell" in caplog.text
    assert areas["harvested_ha"].sum() == pytest.approx(1000.1 + 70.7 + 29.3)


def test_faults_of_baselines_are_told(base, tmp_path):
    run, _, scores = base
    write_table(scores.assign(rice_L=-1.0), tmp_path / "scores.parquet")
    with pytest.raises(InputError, match="negative score"):
        run("suitability_cropland", True)
    write_table(scores.head(5), tmp_path / "scores.parquet")
    with pytest.raises(InputError, match="lacks 19 cell"):
        run("suitability_cropland", True)
