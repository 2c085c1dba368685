"""The command that checks label files and mends copies of them."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from label_province import BLOCKS, EXTENTS, FIELDS, LabelProvince, extents, fields

from croplayer.active.check import main

BOW = shapely.Polygon([(112.02, 24.02), (112.025, 24.025), (112.025, 24.02), (112.02, 24.025)])
SLIVER = shapely.box(112.001, 24.001, 112.00102, 24.00102)


@pytest.fixture
def province(tmp_path, monkeypatch) -> LabelProvince:
    made = LabelProvince(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def check(province, *words) -> int:
    return main(["p", "--config-folder", str(province.config), *words])


def findings(folder="results/p/labels/check") -> pd.DataFrame:
    return pd.read_csv(f"{folder}/findings.csv", dtype=str)


def draw(province, shapes, **columns):
    columns = {"class": ["paddy"] * len(shapes)} | columns
    fields(shapes, **columns).to_file(province.labels / "cropland.gpkg")


def test_labels_without_fault(province, capsys):
    assert check(province) == 0
    said = capsys.readouterr().out
    assert "0 errors" in said and "cropland: 3 features" in said
    assert set(findings()["severity"]) == {"info"}


FAULTS = {
    "invalid geometry": (lambda p: draw(p, [*FIELDS, BOW]), "invalid_geometry"),
    "overlap": (
        lambda p: draw(p, [*FIELDS, shapely.box(112.012, 24.010, 112.0145, 24.013)]),
        "overlap",
    ),
    "drawn twice": (lambda p: draw(p, [*FIELDS, FIELDS[1]]), "double"),
    "sliver": (lambda p: draw(p, [*FIELDS, SLIVER]), "sliver"),
    "outside the extents": (
        lambda p: draw(p, [*FIELDS, shapely.box(112.04, 24.04, 112.045, 24.045)]), "outside_extents",
    ),
    "unknown class": (lambda p: draw(p, FIELDS, **{"class": ["rice", "paddy", "paddy"]}), "attribute"),
    "no crs": (
        lambda p: fields().set_crs(None, allow_override=True).to_parquet(p.labels / "cropland.parquet")
        or p.configure(cropland=str(p.labels / "cropland.parquet")),
        "crs",
    ),
    "leakage": (
        lambda p: extents().set_geometry([EXTENTS[0], EXTENTS[0]]).to_file(p.labels / "extents.gpkg"),
        "leakage",
    ),
    "leakage by distance": (lambda p: p.configure(leakage_metres=9000), "leakage"),
    "not negative": (
        lambda p: extents(sample=["negative", "positive"]).to_file(p.labels / "extents.gpkg"), "sample",
    ),
    "time": (lambda p: draw(p, FIELDS, labelled_at=["noon", "", ""]), "attribute"),
    "extent outside the province": (
        lambda p: extents().set_geometry([EXTENTS[0], shapely.box(113, 25, 113.1, 25.1)])
        .to_file(p.labels / "extents.gpkg"),
        "outside_blocks",
    ),
    "block of another province": (
        lambda p: (p.labels / "options.csv").write_text("block_id,option\nE1N1,both\n"), "row",
    ),
    "unreadable table": (lambda p: (p.labels / "options.csv").write_text("x\n1\n"), "file"),
    "missing file": (lambda p: (p.labels / "cropland.gpkg").unlink(), "file"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_in_the_table_and_on_the_page(province, fault, capfd):
    spoil, kind = FAULTS[fault]
    spoil(province)
    code = check(province)
    rows = findings()
    found = rows[rows["kind"] == kind]
    assert len(found)
    assert code == int((rows["severity"] == "error").any())
    page = (province.folder / "results/p/labels/check/check.html").read_text()
    assert kind in page
    assert "Traceback" not in capfd.readouterr().err


def spoil_everything(province):
    shapes = [
        *FIELDS, BOW, SLIVER, FIELDS[2], shapely.box(112.0175, 24.011, 112.0199, 24.013),
    ]  # fmt: skip
    classes = ["Paddy", "irrigated dry", "terraces", "fallow", "fallow", "terraces", "fallow"]
    frame = fields(shapes, **{"class": classes}).to_crs(32649)
    frame.to_file(province.labels / "cropland.gpkg")
    extents(split=["Train", "validation"]).to_file(province.labels / "extents.gpkg")
    path = province.labels / "semantic.csv"
    path.write_text(path.read_text().replace("TP", "tp", 1) + f"{BLOCKS[3]},b,TP\n")


def test_fix_writes_repaired_copies_and_every_change_and_touches_no_original(province, capsys):
    spoil_everything(province)
    before = {p.name: p.read_bytes() for p in province.labels.iterdir()}
    assert check(province) == 1
    assert check(province, "--fix") == 0
    assert {p.name: p.read_bytes() for p in province.labels.iterdir()} == before
    fixed = province.folder / "results/p/labels/check/fixed"
    changes = pd.read_csv(fixed / "changes.csv", dtype=str)
    kinds = changes.groupby("labels")["change"].apply(lambda c: sorted(x.split(" ")[0] for x in c))
    assert kinds["cropland"] == ["cut", "left", "left", "make_valid", "spelling", "spelling"]
    assert kinds["extents"] == ["spelling"]
    assert kinds["semantic"] == ["left", "spelling"]
    assert not (fixed / "options.csv").exists(), "what needs no repair has no copy"
    assert "0 errors" in capsys.readouterr().out

    copy = gpd.read_file(fixed / "cropland.gpkg")
    assert copy.crs.to_epsg() == 32649, "the copy stays in the CRS of the original"
    assert copy["class"].tolist() == ["paddy", "irrigated_dry", "terraces", "fallow", "fallow"]
    assert copy.geometry.is_valid.all()
    overlap = shapely.intersection(*copy.geometry.iloc[[1, 4]])
    assert overlap.area < 1
    original = fields([*FIELDS[:3], shapely.make_valid(BOW)], **{"class": ["", "", "", ""]}).to_crs(
        32649
    )
    assert copy.geometry.iloc[:4].area.tolist() == pytest.approx(original.area.tolist(), rel=1e-9)
    # As much ground is cropland as before, but for the sliver.
    shapes = gpd.read_file(province.labels / "cropland.gpkg").geometry.make_valid()
    lost = (
        shapely.union_all(shapes.to_numpy()).area - shapely.union_all(copy.geometry.to_numpy()).area
    )
    assert lost == pytest.approx(shapes.iloc[4].area, abs=1)


def test_fix_leaves_alone_what_has_no_one_right_answer(province):
    draw(province, FIELDS, **{"class": ["rice", "paddy", "paddy"]})
    assert check(province, "--fix") == 1
    fixed = "results/p/labels/check/fixed"
    assert pd.read_csv(f"{fixed}/changes.csv").empty
    assert findings(fixed)["kind"].tolist().count("attribute") == 1


def test_two_annotators_on_one_ground_are_compared_and_not_refused(province):
    shifted = shapely.affinity.translate(FIELDS[0], 0.001, 0)
    draw(province, [FIELDS[0], shifted], annotator=["x", "y"])
    both = extents().iloc[[0, 0, 1]].reset_index(drop=True)
    both["extent_id"], both["annotator"] = ["a", "a2", "b"], ["x", "y", ""]
    both.to_file(province.labels / "extents.gpkg")
    (province.labels / "options.csv").write_text(
        "block_id,option,annotator\n"
        + "".join(
            f"{b},both,x\n{b},{o},y\n"
            for b, o in zip(BLOCKS, ["both"] * 3 + ["only_a"], strict=True)
        )
    )
    assert check(province) == 0
    table = pd.read_csv("results/p/labels/check/agreement.csv")
    drawn = table[table["of"] == "cropland"].iloc[0]
    assert (drawn["first"], drawn["second"]) == ("x", "y")
    assert drawn["iou"] == pytest.approx(3 / 5, abs=1e-3)
    assert table.loc[table["of"] == "options", "agreement"].tolist() == [0.75]
    page = (province.folder / "results/p/labels/check/check.html").read_text()
    assert "Agreement of annotators" in page
    assert "disagreement" in page


def test_polygons_of_two_annotators_that_overlap_elsewhere_are_refused(province):
    draw(
        province, [FIELDS[0], shapely.affinity.translate(FIELDS[0], 0.001, 0)], annotator=["x", "y"]
    )
    assert check(province) == 1
    assert "overlap" in set(findings()["kind"])


def test_folders_of_files_are_checked_as_one(province, capsys):
    folder = province.labels / "drawn"
    folder.mkdir()
    fields(FIELDS[:2]).to_file(folder / "x.gpkg")
    fields(FIELDS[2:]).to_crs(32649).to_file(folder / "y.shp")
    province.configure(cropland=str(folder))
    assert check(province) == 0
    assert "cropland: 3 features" in capsys.readouterr().out


def test_an_unknown_province_is_one_message(province, capsys):
    assert main(["q", "--config-folder", str(province.config)]) == 1
    assert "no configuration of a province 'q'" in capsys.readouterr().err
