"""Production systems of a small generated case (Eq. 3-7), against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio
from alloc_small_case import GRID, cells, write_case
from pydantic import ValidationError

from cropalloc.settings.systems import ShareGrid, SystemsSettings, UnitTable
from cropalloc.systems import classify_systems
from cropbase.errors import InputError


@pytest.fixture
def case(tmp_path):
    paths = write_case(tmp_path)

    def classify(**settings):
        areas = classify_systems(
            **paths,
            systems=SystemsSettings(**settings),
            areas_path=tmp_path / "areas.parquet",
            clips_path=tmp_path / "clips.csv",
        )
        return areas.set_index(["crop", "target_id", "system"]), pd.read_csv(tmp_path / "clips.csv")

    return classify


def table(folder, name, text, **more):
    path = folder / name
    path.write_text(text.replace(" ", ""), encoding="utf-8")
    return UnitTable(path=path, **more)


FULL = """adm_code,system,wheat,rice
N,S,0.1,0
N,L,0.2,0.5
N,H,0.3,0.25
N,I,0.4,0.25
P2,L,0,-999
P2,H,1,-999
P2,I,0,-999
"""


def test_full_shares_merge_s_into_l_and_climb_to_the_nearest_ancestor(case, tmp_path):
    areas, clips = case(shares=table(tmp_path, "ps.csv", FULL))
    shares = areas["share"].unstack()
    np.testing.assert_allclose(shares.loc[("wheat", "P1"), ["I", "H", "L"]], [0.4, 0.3, 0.3])
    np.testing.assert_allclose(shares.loc[("wheat", "P2"), ["I", "H", "L"]], [0, 1, 0])
    np.testing.assert_allclose(shares.loc[("rice", "P2"), ["I", "H", "L"]], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(shares.loc[("rice", "P1~rest"), ["I", "H", "L"]], [0.25, 0.25, 0.5])
    sums = areas["harvested_ha"].unstack()
    assert (sums["I"] + sums["H"])[("wheat", "P1")] + sums["L"][("wheat", "P1")] == 1000.1
    assert clips.empty


def test_rows_below_the_deepest_level_do_not_count(case, tmp_path):
    areas, _ = case(shares=table(tmp_path, "ps.csv", FULL, deepest_level=0))
    assert areas["share"][("wheat", "P2", "H")] == pytest.approx(0.3)


def test_shares_that_do_not_sum_to_one_are_scaled_and_told(case, tmp_path):
    text = FULL.replace("N,I,0.4,0.25", "N,I,0.405,0.25")
    areas, clips = case(shares=table(tmp_path, "ps.csv", text))
    assert areas["share"][("wheat", "P1", "I")] == pytest.approx(0.405 / 1.005)
    assert set(clips["system"]) == {"I", "H", "L"}
    assert clips.set_index("system")["before"]["I"] == pytest.approx(0.405)


def test_shares_far_from_one_are_an_error(case, tmp_path):
    with pytest.raises(InputError, match=r"shares of wheat in N sum to 1\.5"):
        case(shares=table(tmp_path, "ps.csv", FULL.replace("N,I,0.4,", "N,I,0.9,")))


RATES = dict(
    irrigated="adm_code,wheat,rice\nN,0.5,0.9\nP2,0.2,\n",
    fertiliser="adm_code,wheat,rice\nP1,90,240\nP2,60,120\n",
    recommended="crop,kg\nwheat,150\nrice,200\n",
)


def rates(folder, **changes):
    text = RATES | changes
    wide = {"system_column": None}
    return {
        "irrigated": table(folder, "irrigated.csv", text["irrigated"], **wide),
        "fertiliser": table(folder, "fertiliser.csv", text["fertiliser"], **wide),
        "recommended": table(
            folder,
            "recommended.csv",
            text["recommended"],
            form="long",
            unit_column=None,
            value_column="kg",
            **wide,
        ),
    }


def test_high_input_is_the_ratio_of_rates_cut_to_what_irrigation_leaves(case, tmp_path):
    areas, clips = case(**rates(tmp_path))
    share = areas["share"].unstack()
    # wheat: P1 90/150 = 0.6 but 0.5 is irrigated; P2 60/150 = 0.4 with 0.2 irrigated.
    np.testing.assert_allclose(share.loc[("wheat", "P1"), ["I", "H", "L"]], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(share.loc[("wheat", "P2"), ["I", "H", "L"]], [0.2, 0.4, 0.4])
    # rice: 240/200 = 1.2 in P1 (A and the rest), 120/200 = 0.6 in P2; 0.9 irrigated.
    listed = clips.set_index(["crop", "unit_id"])
    assert list(listed.index) == [("rice", "A"), ("rice", "P1"), ("rice", "P2"), ("wheat", "P1")]
    assert listed.loc[("wheat", "P1"), "before"] == pytest.approx(0.6)
    assert listed.loc[("wheat", "P1"), "after"] == pytest.approx(0.5)
    assert listed.loc[("rice", "A"), "before"] == pytest.approx(1.2)
    assert (areas["share"] >= 0).all()


def test_a_rate_that_is_nowhere_is_an_error_naming_crop_and_unit(case, tmp_path):
    with pytest.raises(InputError, match="wheat: P2") as error:
        case(**rates(tmp_path, fertiliser="adm_code,wheat,rice\nP1,90,240\nP2,,120\n"))
    assert "default_high_input_ratio" in str(error.value)


def test_a_default_fills_what_is_nowhere(case, tmp_path):
    settings = rates(tmp_path, fertiliser="adm_code,wheat,rice\nP1,90,240\nP2,,120\n")
    areas, _ = case(**settings, default_high_input_ratio=0.1)
    assert areas["share"][("wheat", "P2", "H")] == pytest.approx(0.1)


def test_irrigated_percent_is_an_error(case, tmp_path):
    with pytest.raises(InputError, match="irrigated share of rice in A is 90") as error:
        case(**rates(tmp_path, irrigated="adm_code,wheat,rice\nN,50,90\n"))
    assert "scale" in str(error.value)


def raster(path, values, transform=GRID.transform):
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
        dtype="float32", crs="EPSG:4326", transform=transform, nodata=-9,
    ) as file:  # fmt: skip
        file.write(values.astype("float32"), 1)
    return path


@pytest.mark.parametrize("weighted", [False, True])
def test_grid_shares_are_weighted_means_over_the_cells_of_a_target(case, tmp_path, weighted):
    rng = np.random.default_rng(3)
    share, crop = rng.random((4, 6)), rng.random((4, 6)) * 100
    share[0, 0] = -9  # unknown in one cell of A
    grid = {"rasters": {"all": raster(tmp_path / "i.tif", share)}}
    if weighted:
        grid |= {"weight": "cropland", "cropland": raster(tmp_path / "c.tif", crop)}
    areas, _ = case(irrigated=ShareGrid(**grid), default_high_input_ratio=0.0)
    weight = crop if weighted else cells()["area_ha"].to_numpy().reshape(4, 6)
    known = np.where(share >= 0, weight, 0)
    for key, columns in (
        (("wheat", "P1"), slice(0, 4)),
        (("rice", "A"), slice(0, 2)),
        (("rice", "P1~rest"), slice(2, 4)),
    ):
        expected = (share * known)[:, columns].sum() / known[:, columns].sum()
        assert areas["share"][(*key, "I")] == pytest.approx(expected, rel=1e-6)


def test_a_target_without_known_cells_takes_its_ancestor_s_mean(case, tmp_path):
    share = np.full((4, 6), 0.25)
    share[:, 4:] = -9  # nothing is known of C and so of P2
    areas, _ = case(
        irrigated=ShareGrid(rasters={"all": raster(tmp_path / "i.tif", share)}),
        default_high_input_ratio=0.0,
    )
    assert areas["share"][("wheat", "P2", "I")] == pytest.approx(0.25)


def test_a_raster_elsewhere_is_an_error(case, tmp_path):
    away = rasterio.Affine(1, 0, 10, 0, -1, 10)
    path = raster(tmp_path / "i.tif", np.ones((2, 2)), away)
    with pytest.raises(InputError, match="no value in any cell"):
        case(irrigated=ShareGrid(rasters={"all": path}), default_high_input_ratio=0.0)


def test_physical_area_follows_intensity_by_crop_and_system_and_harvested_is_kept(case, tmp_path):
    text = "adm_code,system,wheat,rice\nN,I,1.5,2\nP2,I,1.25,\nN,H,1,1\nN,S,1.2,\nN,L,1.1,\n"
    areas, clips = case(
        shares=table(tmp_path, "ps.csv", FULL), intensity=table(tmp_path, "ci.csv", text)
    )
    intensity = areas["intensity"]
    assert intensity[("wheat", "P1", "I")] == 1.5
    assert intensity[("wheat", "P2", "I")] == 1.25
    assert intensity[("wheat", "P1", "L")] == 1.1
    assert intensity[("rice", "A", "L")] == 1.0  # default
    np.testing.assert_allclose(
        areas["physical_ha"] * intensity, areas["harvested_ha"], rtol=1e-15, atol=0
    )
    assert list(clips["reason"].str.contains("intensity of S differs")) == [True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adm_code,system,wheat,rice\nN,X,1,1\n", "line 2: unknown system"),
        ("adm_code,system,wheat,rice\nN,I,one,1\n", "line 2: the value of N, wheat, I is no num"),
        ("adm_code,system,wheat,rice\nN,I,1,1\nN,I,1,1\n", "line 3: the value of .* given twice"),
        ("adm_code,system,wheat,rice\nN,I,-1,1\n", "line 2: the value of N, wheat, I is negative"),
        ("unit,system,wheat,rice\nN,I,1,1\n", "no column adm_code"),
        ("adm_code,system,weizen\nN,I,1\n", "no column of any crop"),
        ("adm_code,system,wheat,rice\nX,I,1,1\n", "names no unit of the case"),
        ("adm_code,system,wheat,rice\nN,I,1,\nN,H,0,\nN,L,0,\n", "rice: A, P1, P2"),
    ],
)
def test_faults_of_a_table_name_file_line_and_unit(case, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        case(shares=table(tmp_path, "ps.csv", text))


def test_an_absent_table_is_named(case, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv does not exist"):
        case(shares=UnitTable(path=tmp_path / "nowhere.csv"))


def test_years_of_a_table_are_exact_unless_the_nearest_is_asked_for(case, tmp_path):
    text = "".join(
        ("year," if k == 0 else "2008,") + line + "\n" for k, line in enumerate(FULL.split())
    )
    with pytest.raises(InputError, match="no row of 2010"):
        case(shares=table(tmp_path, "ps.csv", text, year_column="year"))
    areas, _ = case(shares=table(tmp_path, "ps.csv", text, year_column="year", year_rule="nearest"))
    assert areas["share"][("wheat", "P1", "I")] == pytest.approx(0.4)


def test_crop_names_go_through_the_concordance(tmp_path):
    paths = write_case(tmp_path)
    crops = tmp_path / "crops.yaml"
    crops.write_text(
        "vocabularies: {spam: synonyms}\ncrops:\n"
        + "".join(
            f"  {name}: {{title: {name.title()}, group: Cereals, dry_matter_share: 0.9, "
            f"names: {{spam: {code}}}}}\n"
            for name, code in (("wheat", "whea"), ("rice", "rize"))
        )
    )
    path = tmp_path / "ps.csv"
    path.write_text(FULL.replace("wheat,rice", "whea,rize"))
    areas = classify_systems(
        **paths,
        systems=SystemsSettings(shares=UnitTable(path=path)),
        areas_path=tmp_path / "a.parquet",
        clips_path=tmp_path / "c.csv",
        crops_path=crops,
    )
    assert set(areas["crop"]) == {"wheat", "rice"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give `shares`, `irrigated` or"),
        ({"default_irrigated_share": 0.5}, "`fertiliser` and `recommended`, or"),
        ({"shares": {"path": "a"}, "irrigated": {"kind": "table", "path": "b"}}, "not both"),
        ({"irrigated": {"kind": "grid", "rasters": {"all": "a"}, "weight": "cropland"}}, "croplan"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        SystemsSettings.model_validate(settings)
