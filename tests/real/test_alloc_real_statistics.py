"""Statistics of Australia, Malawi and China as they were published, irregularities and all."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics import average_statistics, harmonise_statistics, read_statistics
from cropbase.errors import InputError

DATA = Path(
    os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).parents[2].parent / "shared" / "data")
)
CROPS = Path(__file__).parents[2] / "config" / "crops.yaml"
AUSTRALIA = DATA / "australia" / "statistics"
MALAWI = DATA / "malawi"
CHINA = DATA / "china"
CHINAAG = CHINA / "chinaag_prefecture"
NBS = CHINA / "nbs_province_2016_2023"
pytestmark = pytest.mark.skipif(
    not all(folder.exists() for folder in (AUSTRALIA, MALAWI, NBS, CHINAAG)),
    reason=f"no real data at {DATA}",
)


def run(folder, values, *, harmonise=True):
    statistics = StatisticsSettings.model_validate(values)
    at = {name: folder / name for name in (
        "units.parquet", "reported.parquet", "findings.csv", "nodes.parquet", "targets.parquet",
        "members.parquet", "audit.csv", "reference.parquet",
    )}  # fmt: skip
    read_statistics(
        statistics=statistics, crops_file=CROPS, units_path=at["units.parquet"],
        reported_path=at["reported.parquet"], findings_path=at["findings.csv"],
    )  # fmt: skip
    if harmonise:
        average_statistics(
            reported=at["reported.parquet"], units=at["units.parquet"], statistics=statistics,
            nodes_path=at["nodes.parquet"],
        )  # fmt: skip
        harmonise_statistics(
            nodes=at["nodes.parquet"], units=at["units.parquet"], leaves=None,
            statistics=statistics, targets_path=at["targets.parquet"],
            members_path=at["members.parquet"], audit_path=at["audit.csv"],
            reference_path=at["reference.parquet"],
        )  # fmt: skip
    read = {".parquet": pd.read_parquet, ".csv": lambda p: pd.read_csv(p, keep_default_na=False)}
    return SimpleNamespace(**{p.stem: read[p.suffix](p) for p in at.values() if p.exists()})


def assert_sums_and_partition(result):
    nation = result.nodes[result.nodes["level"] == 0].set_index(["year", "crop"])["value"]
    sums = result.targets.groupby(["year", "crop"])["harvested_ha"].sum()
    for key, value in nation.items():
        assert sums[key] == pytest.approx(value, rel=1e-9)
    parents = set(result.units["parent_id"].dropna())
    leaves = set(result.units["unit_id"]) - parents
    for key, group in result.members.groupby(["year", "crop"]):
        assert group["leaf_id"].is_unique
        if key in nation:
            assert set(group["leaf_id"]) == leaves
    assert (result.targets["harvested_ha"] >= 0).all()


def australia(**more):
    return {
        "units": {
            "kind": "levels", "path": str(AUSTRALIA / "adm_list_2010_AUS.csv"),
            "levels": [{"id": f"adm{i}_code", "name": f"adm{i}_name"} for i in range(3)],
        },
        "sources": [{
            "kind": "wide", "name": "ABS", "paths": [str(AUSTRALIA / "ha_adm_2010_AUS.csv")],
            "unit_of_measure": "ha", "vocabulary": "spam", "unit_column": "adm_code",
            "level_column": "adm_level", "year": 2010, "ignore_columns": ["adm_name"],
        }],
        "nodes": [2010],
        **more,
    }  # fmt: skip


def test_australia(tmp_path):
    result = run(tmp_path, australia())
    assert result.units["level"].value_counts().to_dict() == {0: 1, 1: 8, 2: 749}
    raw = pd.read_csv(AUSTRALIA / "ha_adm_2010_AUS.csv").iloc[:, 3:]
    assert len(result.reported) == int((raw.notna() & (raw != -999)).sum().sum())
    assert result.reported["crop"].nunique() == 26
    assert_sums_and_partition(result)
    # The one crop with a national figure only.
    sweet_potato = result.targets[result.targets["crop"] == "sweet_potato"]
    assert sweet_potato[["target_id", "harvested_ha"]].values.tolist() == [["AU0", 850.0]]
    assert result.audit["factor"].replace("", "1").astype(float).between(0.98, 1.01).all()


def test_australia_missing_as_zero_has_fewer_open_residuals(tmp_path):
    unknown = run(tmp_path / "a", australia())
    zero = run(tmp_path / "b", australia(missing="zero"))
    assert_sums_and_partition(zero)
    # Only what nobody below reported is left as a residual.
    assert zero.targets["residual"].sum() < unknown.targets["residual"].sum()
    assert (zero.targets["harvested_ha"] == 0).sum() > (unknown.targets["harvested_ha"] == 0).sum()


def test_malawi(tmp_path):
    path = str(MALAWI / "ha_2010_MWI_long.csv")
    values = {
        "units": {"kind": "rows", "path": path, "id": "adm_code", "name": "adm_name", "level": "adm_level"},
        "boundaries": {"path": str(MALAWI / "adm_map_gaul2008_mwi.geojson"), "id": "FIPS2", "name": "ADM2_NAME"},
        "sources": [{
            "kind": "long", "name": "Malawi", "paths": [path], "unit_of_measure": "ha",
            "vocabulary": "spam", "unit_column": "adm_code", "level_column": "adm_level",
            "crop_column": "crop", "value_column": "ha", "year": 2010,
        }],
        "nodes": [2010],
    }  # fmt: skip
    result = run(tmp_path, values)
    assert result.units["level"].value_counts().to_dict() == {0: 1, 1: 3, 2: 27}
    assert set(result.units.loc[result.units["level"] == 1, "parent_id"]) == {"MWI"}
    lowest = result.reported[result.reported["level"] == 2]
    assert 1 - len(lowest) / (27 * 29) == pytest.approx(0.434, abs=1e-3)
    assert result.findings["finding"].str.contains("Likoma").sum() == 3
    assert_sums_and_partition(result)
    assert result.targets["residual"].sum() == 7


def china_units():
    folder = CHINA / "boundaries_province_prefecture"
    return {
        "units": {
            "kind": "levels", "path": str(folder / "chn_admin_level2.csv"),
            "levels": [
                {"id": f"ADM{i}_PCODE", "name": f"ADM{i}_ZH", "other_names": [f"ADM{i}_EN"]}
                for i in range(3)
            ],
        },
        "exclude_units": ["CN071", "CN081", "CN082"],
        "aliases": {"全国": "中国"},
        "name_suffixes": ["市", "地区", "盟", "省", "自治区", "壮族自治区", "回族自治区", "维吾尔自治区"],
        "crops": "paper",
    }  # fmt: skip


def nbs(name, level, pattern, **more):
    return {
        "kind": "nbs", "name": name, "paths": [str(NBS / pattern)], "level": level,
        "unit_of_measure": "kha", **more,
    }  # fmt: skip


NATION = ("nation", 0, "全国数据/全国数据/全国播种面积.csv")
PROVINCES = ("provinces", 1, "分省数据/数据/农作物播种面积/*.csv")
PREFECTURES = {
    "kind": "wide", "name": "prefectures", "paths": [str(CHINAAG / "city_acreage_allcrops.csv")],
    "unit_of_measure": "kha", "unit_column": "region", "level": 2, "year_column": "year",
    "crop_columns": ["acre_corn", "acre_soy", "acre_rice", "acre_wheat"],
    "crop_names": {
        "acre_corn": "maize", "acre_soy": "soybean", "acre_rice": "rice", "acre_wheat": "wheat",
    },
}  # fmt: skip


def test_china_2020(tmp_path):
    values = {
        **china_units(), "nodes": [2020],
        "sources": [nbs(*NATION, unit="全国"), nbs(*PROVINCES), PREFECTURES],
    }  # fmt: skip
    result = run(tmp_path, values)
    reported = result.reported
    assert reported[reported["level"] == 1]["unit_id"].nunique() == 31
    # Not one of the 93 prefectures is lost; marks of footnotes are read over, and that is listed.
    assert reported[reported["level"] == 2]["unit_id"].nunique() == 93
    assert "'济源市' is joined to '济源市〔1〕' by the name without notes, spaces and case" in set(
        result.findings["finding"]
    )
    assert not result.findings["finding"].str.contains("joins to no unit$").any()
    # Means of 2018 to 2022, from the printed figures of Henan.
    rice = [601.70, 608.23, 617.07, 616.60, 620.41]
    node = result.nodes.query("unit_name == '河南省' and crop == 'rice'").iloc[0]
    assert node["value"] == pytest.approx(1000 * sum(rice) / 5, rel=1e-12)
    assert node["flag"] == "mean_of_5"
    assert_sums_and_partition(result)
    # "no source has a figure" of tea: the exports hold no perennial crops.
    assert set(result.targets["crop"]) == set(reported["crop"]) and "tea" not in set(
        reported["crop"]
    )


def workbook(path, measure, **more):
    return {
        "kind": "workbook", "name": Path(path).stem, "paths": [str(CHINAAG / path)],
        "unit_of_measure": measure, "unit": {"column": "B"}, "crop": {"column": "A"},
        "year": {"column": "C"}, "value_columns": "D", "item_contains": "播种面积", "level": 2,
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "measure", "sheet", "crop"),
    [
        ("raw/heilongjiang/hlj.xls", "ha", 1, "rice"),
        ("raw/henan/hn.xls", "kha", 1, "wheat"),
        ("raw/shandong/sd.xls", "ha", 1, "maize"),
        ("raw/liaoning/ln.xls", "kha", 1, "maize"),
        ("raw/jilin/jl.xls", "ha", 1, "maize"),
    ],
)
def test_yearbook_workbooks_agree_with_the_table_made_from_them_by_others(
    tmp_path, path, measure, sheet, crop
):
    values = {**china_units(), "nodes": [2010], "sources": [workbook(path, measure, sheet=sheet)]}
    raw = run(tmp_path / "raw", values, harmonise=False).reported
    values["sources"] = [PREFECTURES]
    clean = run(tmp_path / "clean", values, harmonise=False).reported
    both = raw[raw["crop"] == crop].merge(clean, on=["unit_id", "crop", "year"])
    assert len(both) > 50
    ratio = (both["value_x"] / both["value_y"]).dropna()
    assert ratio.median() == pytest.approx(1, abs=1e-6)


def test_the_unit_of_measure_of_a_yearbook_is_checked(tmp_path):
    source = workbook("raw/heilongjiang/hlj.xls", "kha", sheet=1)
    with pytest.raises(InputError, match=r"declares unit_of_measure: kha[\s\S]*ha in .*hlj\.xls"):
        run(tmp_path, {**china_units(), "nodes": [2010], "sources": [source]})


def test_a_yearbook_page_with_crops_across_merged_headers(tmp_path):
    source = {
        "kind": "workbook", "name": "Henan 2010", "paths": [str(CHINAAG / "raw/henan/hnmiss.xls")],
        "sheet": "2010", "unit_of_measure": "kha", "measure_cell": "A4", "level": 2,
        "unit": {"column": "A"}, "crop": {"rows": [5, 6, 7]}, "year": {"fixed": "2010"},
        "value_columns": "H:S", "first_row": 11,
        "left_out": ["豆类 legume", "油料 Oilbearing"], "crop_names": {"烟叶 Fluecured": "tobacco"},
    }  # fmt: skip
    values = {**china_units(), "crops": "all", "nodes": [2010], "sources": [source]}
    page = run(tmp_path / "page", values, harmonise=False)
    assert page.reported["unit_id"].nunique() == 18 and page.reported["crop"].nunique() == 10
    zhengzhou = page.reported.query("unit_name == '郑州市'").set_index("crop")["value"]
    printed = {"rice": 1.27, "wheat": 176.37, "sesame": 1.61, "cotton": 4.7, "tobacco": 0.98}
    for crop, kha in printed.items():
        assert zhengzhou[crop] == pytest.approx(1000 * kha, rel=1e-12)
    values["sources"] = [PREFECTURES]
    clean = run(tmp_path / "clean", values, harmonise=False).reported
    both = page.reported.merge(clean, on=["unit_id", "crop", "year"])
    assert len(both) > 60
    assert (both["value_x"] / both["value_y"]).median() == pytest.approx(1, abs=0.01)


def test_faostat_and_the_bureau_agree_on_china_in_2020(tmp_path):
    faostat = {
        "kind": "faostat", "name": "FAOSTAT", "unit_of_measure": "ha",
        "paths": [str(DATA / "global" / "faostat" / "FAOSTAT_2020.csv")],
        "areas": {"China, mainland": "CN"},
    }  # fmt: skip
    values = {**china_units(), "nodes": [2020], "sources": [faostat]}
    fao = run(tmp_path / "fao", values, harmonise=False).reported.set_index("crop")["value"]
    assert len(fao) == 16
    values["sources"] = [nbs(*NATION, unit="全国")]
    own = run(tmp_path / "nbs", values, harmonise=False).reported.query("year == 2020")
    own = own.set_index("crop")["value"]
    for crop in ("maize", "rice", "wheat", "soybean"):
        assert fao[crop] == pytest.approx(own[crop], rel=0.02), crop
