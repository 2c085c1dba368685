"""The summary of a province: pooled agreement, areas, slopes, definitions, findings, accuracy."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cropbase.errors import CompletenessError, InputError
from cropbase.tables import write_table
from croplayer.comparison.accuracy import assess_reference
from croplayer.comparison.provinces import compare_provinces
from croplayer.comparison.sample import read_sample
from croplayer.comparison.shard import compare_shard
from croplayer.comparison.summary import slope_table, summarise_comparison
from croplayer.settings.comparison import ComparisonSettings
from croplayer.settings.products import ProductRaster
from croplayer.validation.confusion import Confusion


class Case:
    """The place beside made products, with what the summary needs."""

    def __init__(self, place, catalogue):
        self.place, self.catalogue = place, catalogue
        self.files, self.tables, self.classes = {}, [], []
        ids = [place.grid.block_id(b) for b in place.blocks]
        plan = gpd.GeoDataFrame(
            {"block_id": ids, "row": [b.row for b in place.blocks], "col": [b.col for b in place.blocks]},
            geometry=[place.grid.polygon(b) for b in place.blocks], crs=4326,
        )  # fmt: skip
        write_table(plan, place.folder / "plan.parquet")
        write_table(
            pd.DataFrame({"block_id": ids, "slope": [1.0, 3.0, 12.0, 40.0]}),
            place.folder / "terrain.parquet",
        )
        self.province(official=5000.0)

    def province(self, official):
        scenario = {"cropland_ha": 5100.0, "mapped_ha": 9000.0}
        result = {
            "level": "province", "official_area_ha": official, "area_tolerance": 0.1, "inside_ha": 10000.0,
            "scenarios": {"only_a": scenario, "only_b": scenario | {"cropland_ha": 3000.0}},
        }  # fmt: skip
        (self.place.folder / "province.json").write_text(json.dumps(result))

    def add(self, name, path):
        table = self.place.folder / name / "s.parquet"
        compare_shard(
            maps=self.place.maps, files=[path], name=name,
            product=ProductRaster(**self.catalogue.products[name].raster()), blocks=self.place.blocks,
            boundary=self.place.boundary, grid=self.place.grid, output=table,
            classes=table.with_suffix(".json"),
        )  # fmt: skip
        self.files[name] = [path]
        self.tables.append(table)
        self.classes.append(table.with_suffix(".json"))
        return self

    def summarise(self, groups=None, **settings):
        folder = self.place.folder / "comparison"
        numbers = summarise_comparison(
            blocks=self.place.folder / "plan.parquet", tables=self.tables, classes=self.classes,
            terrain=[self.place.folder / "terrain.parquet"], province_json=self.place.folder / "province.json",
            products={n: self.catalogue.products[n] for n in self.files},
            own_definition=self.catalogue.own_definition, settings=ComparisonSettings(**settings),
            groups_csv=groups, output=folder,
        )  # fmt: skip
        return numbers, lambda name: pd.read_csv(folder / f"{name}.csv")


@pytest.fixture
def case(place, catalogue):
    return Case(place, catalogue)


def test_agreement_is_pooled_over_blocks_by_reading(case):
    path = case.place.product("esri.tif", [5, 4, 2], crs="EPSG:32649", pixel=60)
    numbers, read = case.add("esri", path).summarise()
    table = pd.read_parquet(case.tables[0])
    pixels = read("pixels").set_index("reading")
    total = {k: int(table[k].sum()) for k in table.columns if k.startswith("px_")}
    strict = Confusion(
        total["px_crop_in"], total["px_other_in"], total["px_crop_out"] + total["px_crop_unclear"],
        total["px_other_out"] + total["px_other_unclear"],
    )  # fmt: skip
    lenient = Confusion(
        total["px_crop_in"] + total["px_crop_unclear"], total["px_other_in"] + total["px_other_unclear"],
        total["px_crop_out"], total["px_other_out"],
    )  # fmt: skip
    left_out = Confusion(
        total["px_crop_in"], total["px_other_in"], total["px_crop_out"], total["px_other_out"]
    )
    for name, expected in (("strict", strict), ("lenient", lenient), ("undisputed", left_out)):
        assert pixels.loc[name, "iou"] == pytest.approx(expected.iou, abs=1e-7)
        assert pixels.loc[name, "tn"] == expected.tn
        assert numbers[f"esri_{name}_iou"] == pytest.approx(expected.iou)
    blocks = pd.read_parquet(case.place.folder / "comparison" / "blocks.parquet")
    expected = (blocks["af_strict"] - blocks["af_ours"]) / blocks["af_ours"]
    np.testing.assert_allclose(blocks["div_af_strict"], expected)
    assert set(blocks["slope"]) == {1.0, 3.0, 12.0, 40.0}


def test_areas_are_put_beside_the_official_one(case):
    path = case.place.product("wc.tif", [40, 10], pixel=0.0004)
    _, read = case.add("worldcover", path).summarise()
    areas = read("areas").set_index("name")
    table = pd.read_parquet(case.tables[0])
    assert areas.loc["only_a", "percent_of_official"] == pytest.approx(102)
    assert areas.loc["only_a", "within_tolerance"] and not areas.loc["only_b", "within_tolerance"]
    mine = areas.loc["worldcover"]
    assert mine["cropland_ha"] == pytest.approx(table["product_in_ha"].sum())
    assert mine["percent_of_official"] == pytest.approx(100 * mine["cropland_ha"] / 5000)
    assert mine["known_share"] == pytest.approx(1)


def test_without_an_official_area_nothing_is_judged(case):
    case.province(None)
    path = case.place.product("wc.tif", [40, 10], pixel=0.0004)
    numbers, read = case.add("worldcover", path).summarise()
    assert read("areas")["percent_of_official"].isna().all()
    assert numbers["worldcover_strict_percent_of_official"] is None


def half(case, name):
    """A product whose file ends in the middle of the province."""
    import rasterio

    whole = case.place.product("whole.tif", [40, 10])
    with rasterio.open(whole) as dataset:
        array, t = dataset.read(1), dataset.transform
    width = int((112.05 - t.c) / t.a)
    path = case.place.folder / name
    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=width, count=1, dtype="uint8",
        crs="EPSG:4326", transform=t,
    ) as dataset:  # fmt: skip
        dataset.write(array[:, :width], 1)
    return path


def test_half_a_product_is_told_and_not_put_beside_the_official_area(case):
    numbers, read = case.add("worldcover", half(case, "half.tif")).summarise()
    findings = read("findings").set_index("kind")
    assert "covers 5" in findings.loc["coverage", "finding"]
    assert "not put beside the official" in findings.loc["coverage", "consequence"]
    areas, pixels = read("areas").set_index("name"), read("pixels").iloc[0]
    assert np.isnan(areas.loc["worldcover", "percent_of_official"])
    assert 0.4 < areas.loc["worldcover", "known_share"] < 0.6
    assert pixels["compared_share"] < 0.6 and pixels["iou"] > 0
    assert numbers["findings"] == len(read("findings"))


def test_another_year_strange_codes_and_unverified_legends_are_told(case):
    path = case.place.product("fromglc10v01_24_112.tif", [10, 20, 33], pixel=8.983152841195215e-05)
    _, read = case.add("from_glc10", path).summarise(map_year=2020)
    findings = read("findings").set_index("kind")["finding"]
    assert "is of 2017, the map of 2020" in findings["year"]
    assert "class codes outside its legend: 33 on" in findings["codes"]
    assert "not verified" in findings["legend"]
    assert 33 in set(read("classes").query("name != name")["code"])


def test_a_shifted_grid_is_told(case):
    """The final map itself as a product, moved one of its pixels to the east and south."""
    import rasterio

    t = case.place.transform
    codes = np.where(case.place.ours == 1, 40, 10).astype(np.uint8)
    path = case.place.folder / "moved.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=128, width=128, count=1, dtype="uint8", crs="EPSG:4326",
        transform=rasterio.Affine(t.a, 0, t.c + t.a, 0, t.e, t.f + t.e),
    ) as dataset:  # fmt: skip
        dataset.write(codes, 1)
    _, read = case.add("worldcover", path).summarise()
    finding = read("findings").set_index("kind").loc["shift", "finding"]
    assert "northward and westward" in finding


def test_a_missing_block_fails_by_name(case):
    path = case.place.product("wc.tif", [40, 10])
    case.add("worldcover", path)
    table = pd.read_parquet(case.tables[0])
    write_table(table.iloc[1:], case.tables[0])
    with pytest.raises(CompletenessError, match=table["block_id"].iloc[0]):
        case.summarise()


def test_slope_classes_hold_the_blocks_of_the_histogram():
    table = pd.DataFrame(
        {
            "product": "p", "block_id": list("abcde"), "slope": [1.0, 3.0, 3.5, 3.9, 50.0],
            "af_ours": [0.5, 0.05, 0.5, 0.5, 0.5],
            **{f"div_{m}_{r}": [0.0, 9.0, 0.2, 0.4, -1.0] for m in ("af", "ed") for r in ("strict", "lenient")},
        }
    )  # fmt: skip
    found = (
        slope_table(table, ComparisonSettings())
        .query("reading == 'strict'")
        .set_index("slope_from")
    )
    assert found["blocks"].tolist() == [1, 2, 0, 0, 0, 1]
    assert found.loc[2.0, "div_af_median"] == pytest.approx(0.3)
    assert np.isnan(found.loc[5.0, "div_af_median"])
    assert found.loc[25.0, "slope_to"] == 90


# ---------------------------------------------------------------- reference sample
def sample_files(place, groups=True, points=60):
    """A made sample: two strata, reference after the final map with some errors."""
    rng = np.random.default_rng(2)
    rows, cols = np.nonzero(place.inside() & (place.ours <= 1))
    pick = rng.choice(len(rows), points, replace=False)
    t = place.transform
    lon, lat = t.c + (cols[pick] + 0.5) * t.a, t.f + (rows[pick] + 0.5) * t.e
    truth = (place.ours[rows[pick], cols[pick]] == 1) ^ (rng.random(points) < 0.1)
    names = np.array(["annual_herbaceous", "greenhouse"])[(rng.random(points) < 0.3).astype(int)]
    kind = names if groups else np.full(points, "cropland", dtype=object)
    table = pd.DataFrame(
        {"lon": lon, "lat": lat, "stratum": np.where(lon < 112.05, "west", "east"),
         "reference": np.where(truth, kind, "not_cropland")}
    )  # fmt: skip
    csv, strata = place.folder / "points.csv", place.folder / "strata.csv"
    table.to_csv(csv, index=False)
    pd.DataFrame({"stratum": ["west", "east"], "area_ha": [4000, 6000]}).to_csv(strata, index=False)
    return csv, strata, table


def assessed(case, csv, strata):
    folder = case.place.folder
    table = assess_reference(
        maps=case.place.maps, products={n: case.catalogue.products[n] for n in case.files}, files=case.files,
        own_definition=case.catalogue.own_definition, points=csv, strata=strata,
        boundary=case.place.boundary, grid=case.place.grid,
        accuracy_csv=folder / "accuracy.csv", groups_csv=folder / "groups.csv",
    )  # fmt: skip
    return table, pd.read_csv(folder / "groups.csv")


def test_a_product_is_judged_by_its_own_definition_too(case):
    case.add("worldcover", case.place.product("wc.tif", [40, 10], pixel=0.0004))
    csv, strata, points = sample_files(case.place)
    table, groups = assessed(case, csv, strata)
    assert table["map"].tolist() == ["final_map"] + ["worldcover"] * 3
    assert table["definition"].tolist() == ["ours", "ours", "own_strict", "own_lenient"]
    weight = points["stratum"].map({"west": 4000, "east": 6000}) / points.groupby("stratum")[
        "lon"
    ].transform("size")
    crop = points["reference"] != "not_cropland"
    annual = points["reference"] == "annual_herbaceous"
    assert table["reference_area_ha"].iloc[1] == pytest.approx(weight[crop].sum())
    # Greenhouses are out by the definition of WorldCover.
    assert table["reference_area_ha"].iloc[2] == pytest.approx(weight[annual].sum())
    assert 0.8 < table["overall"].iloc[0] < 1 and table["overall_se"].iloc[0] > 0
    glass = groups.set_index("group").loc["greenhouse", "area_ha"]
    assert glass == pytest.approx(weight[crop & ~annual].sum())
    _, read = case.summarise(groups=case.place.folder / "groups.csv")
    definitions = read("definitions").set_index("product")
    assert definitions.loc["worldcover", "less"] == "greenhouse"
    assert definitions.loc["worldcover", "definition_ha"] == pytest.approx(-glass)


def test_a_sample_without_groups_and_a_vector_file(case):
    csv, strata, points = sample_files(case.place, groups=False)
    layer = gpd.GeoDataFrame(
        points[["stratum", "reference"]],
        geometry=shapely.points(points["lon"], points["lat"]),
        crs=4326,
    ).to_crs(32649)
    layer.to_file(case.place.folder / "points.gpkg")
    case.add("worldcover", case.place.product("wc.tif", [40, 10]))
    first, groups = assessed(case, csv, strata)
    second, _ = assessed(case, case.place.folder / "points.gpkg", strata)
    assert first["definition"].unique().tolist() == ["ours"] and groups.empty
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, s: t.drop(columns="stratum"), ["no column 'stratum'"]),
        (lambda t, s: t.assign(reference="crop"), ["unknown reference class", "not_cropland"]),
        (
            lambda t, s: t.assign(reference=["cropland", "greenhouse"] * (len(t) // 2)),
            ["are mixed"],
        ),
        (lambda t, s: t.assign(lon=t["lat"], lat=t["lon"]), ["outside the province", "order"]),
        (lambda t, s: t.assign(lon="x"), ["row 1 has no coordinates"]),
        (lambda t, s: t.assign(stratum="north"), ["stratum 'north' has no area", "west"]),
        (lambda t, s: t[t["stratum"] == "west"], ["stratum 'east' has 0 point(s)"]),
        (lambda t, s: s.write_text("stratum,area_ha\nwest,0\neast,1\n"), ["'west' has no area"]),
        (lambda t, s: s.write_text("stratum,area_ha\nwest,1\nwest,1\n"), ["'west' twice"]),
    ],
)
def test_faults_of_a_sample_are_one_readable_message(place, change, words):
    csv, strata, table = sample_files(place)
    changed = change(table, strata)
    if isinstance(changed, pd.DataFrame):
        changed.to_csv(csv, index=False)
    with pytest.raises(InputError) as caught:
        read_sample(csv, strata, place.boundary)
    for word in words:
        assert word in str(caught.value)


def test_provinces_within_the_tolerance_are_counted(tmp_path):
    columns = ["kind", "name", "title", "reading", "percent_of_official", "within_tolerance"]
    rows = {
        "p": [
            ("scenario", "only_x", "only_x", "strict", 95, True),
            ("product", "e", "E", "strict", 130, False),
        ],
        "q": [
            ("scenario", "only_y", "only_y", "strict", 80, False),
            ("product", "e", "E", "strict", 99, True),
        ],
        "r": [
            ("scenario", "only_x", "only_x", "strict", 101, True),
            ("product", "e", "E", "strict", None, None),
        ],
    }
    paths = {}
    for province, values in rows.items():
        paths[province] = tmp_path / f"{province}.csv"
        pd.DataFrame(values, columns=columns).to_csv(paths[province], index=False)
    counts = compare_provinces(
        areas=paths,
        titles=dict.fromkeys(rows, "T"),
        output=tmp_path / "all.csv",
        counts=tmp_path / "n.csv",
    ).set_index("name")
    assert counts.loc["only A", ["judged", "within"]].tolist() == [3, 2]
    assert counts.loc["e", ["judged", "within"]].tolist() == [2, 1]
    assert len(pd.read_csv(tmp_path / "all.csv")) == 6
