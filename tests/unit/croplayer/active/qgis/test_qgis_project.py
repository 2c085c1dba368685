"""The QGIS project: its structure everywhere, and QGIS itself where it is installed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import choosing_case
import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from choosing_case import BLOCKS, GRID, SOURCES, Case, make_case

from croplayer.active.choosing.thumbnails import draw_thumbnails
from croplayer.active.qgis.project import write_project
from croplayer.active.qgis.virtual import write_vrt
from croplayer.report.chosen import picture_chosen, plot_chosen
from croplayer.settings.active import ActiveSettings
from croplayer.settings.labels import LabelSettings

SETTINGS = ActiveSettings(blocks=6, random_share=0.34, windows_per_edge=8, chips_per_edge=1)
DRAW = Path(choosing_case.__file__).with_name("draw_qgis_project.py")
LAYERS = {
    "draw_here_extents", "draw_here_cropland", "suggested_extents", "chosen_blocks",
    "drawn_so_far_extents",
    *(f"{stage}_{s}" for stage in ("cropland_mask", "cropland_probability", "imagery_mosaic") for s in SOURCES),
}  # fmt: skip


def write(case: Case, round_number: int = 1) -> Path:
    """Write the project of the chosen blocks beside them."""
    outputs = case.outputs()
    home = outputs["chosen"].parent
    extents = case.home / "drawn" / "extents.gpkg"
    if not extents.exists():
        extents.parent.mkdir()
        gpd.read_parquet(case.home / "labels/extents.parquet").to_file(extents)
    write_project(
        chosen=outputs["chosen"],
        suggested=outputs["suggested"],
        mosaics=case.files("mosaic"),
        probability=case.files("probability"),
        masks=case.files("mask"),
        grid=GRID,
        labels=LabelSettings(extents=extents),
        label_round=round_number,
        title="A province & more",
        project=home / "project.qgz",
        virtual=home / "layers",
        new_labels=home / "new_labels",
    )
    return home / "project.qgz"


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    made = make_case(tmp_path_factory.mktemp("project"))
    made.choose(SETTINGS)
    return made


@pytest.fixture(scope="module")
def project(case) -> Path:
    return write(case)


def document(project: Path) -> ElementTree.Element:
    with zipfile.ZipFile(project) as archive:
        assert archive.namelist() == ["project.qgs"]
        return ElementTree.fromstring(archive.read("project.qgs"))


def test_every_layer_is_there_and_its_file_opens_from_the_projects_folder(project):
    root = document(project)
    assert root.tag == "qgis" and root.findtext("title") == "A province & more"
    layers = {layer.findtext("id"): layer for layer in root.iter("maplayer")}
    assert set(layers) == LAYERS
    assert {node.get("id") for node in root.iter("layer-tree-layer")} == LAYERS
    for layer_id, layer in layers.items():
        assert len(layer_id) > 10, "QGIS renames layers with shorter ids"
        source = layer.findtext("datasource")
        path, _, name = source.partition("|layername=")
        assert path.startswith("."), "paths are relative"
        if layer.get("type") == "raster":
            with rasterio.open(project.parent / path) as dataset:
                assert dataset.crs.to_epsg() == 4326
        else:
            info = pyogrio.read_info(project.parent / path, layer=name or None)
            assert info["crs"] == "EPSG:4326"
        assert layer.findtext("srs/spatialrefsys/authid") == "EPSG:4326"
    assert root.findtext("properties/Paths/Absolute") == "false"


def test_the_folder_can_be_moved_as_a_whole(case, project, tmp_path):
    shutil.copytree(case.home, tmp_path / "moved")
    there = tmp_path / "moved" / project.relative_to(case.home)
    for layer in document(there).iter("maplayer"):
        source = layer.findtext("datasource").partition("|")[0]
        assert (there.parent / source).resolve().is_relative_to(tmp_path / "moved")
        assert (there.parent / source).exists()


def test_the_same_inputs_give_the_same_bytes(case, project):
    before = project.read_bytes()
    assert write(case).read_bytes() == before


def test_forms_allow_what_the_import_allows(project):
    layers = {layer.findtext("id"): layer for layer in document(project).iter("maplayer")}

    def values(layer: str, field: str) -> list[str]:
        path = f"fieldConfiguration/field[@name='{field}']/editWidget"
        widget = layers[layer].find(path)
        assert widget.get("type") == "ValueMap"
        return [o.get("value") for o in widget.iterfind(".//Option[@name='map']/Option/Option")]

    settings = LabelSettings()
    assert values("draw_here_extents", "split") == ["train", "validation"]
    assert values("draw_here_cropland", "class") == [
        *settings.cropland_classes,
        *settings.other_classes,
    ]
    assert values("draw_here_cropland", "source") == ["", *SOURCES]
    hard = layers["draw_here_extents"].find("constraints/constraint[@field='extent_id']")
    assert (hard.get("notnull_strength"), hard.get("unique_strength")) == ("1", "1")


def test_label_layers_are_empty_and_hold_their_allowed_values(project):
    folder = project.parent / "new_labels" / "round_2"
    for name, field in (("cropland", "class"), ("extents", "split")):
        frame = gpd.read_file(folder / f"{name}.gpkg")
        assert len(frame) == 0 and frame.crs.to_epsg() == 4326
        with sqlite3.connect(folder / f"{name}.gpkg") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            allowed = database.execute(
                "SELECT value FROM gpkg_data_column_constraints JOIN gpkg_data_columns USING "
                "(constraint_name) WHERE column_name = ? AND constraint_type = 'enum'",
                (field,),
            ).fetchall()
        assert ("paddy" if name == "cropland" else "train",) in allowed


def test_what_somebody_drew_is_never_touched(case, project):
    drawn = project.parent / "new_labels" / "round_2" / "extents.gpkg"
    frame = gpd.GeoDataFrame(
        {"extent_id": ["mine"], "split": ["train"]}, geometry=[GRID.polygon(BLOCKS[5])], crs=4326
    )
    frame.to_file(drawn)
    before = drawn.read_bytes()
    write(case)
    assert drawn.read_bytes() == before
    write(case, round_number=2)
    assert len(gpd.read_file(project.parent / "new_labels" / "round_3" / "extents.gpkg")) == 0
    assert drawn.read_bytes() == before
    drawn.unlink()
    write(case)


@pytest.mark.parametrize("stage", ["mosaic", "mask"])
def test_a_virtual_raster_shows_the_pixels_of_its_shards(case, tmp_path, stage):
    paths = case.files(stage)["a"]
    assert len(paths) > 1
    write_vrt(tmp_path / "all.vrt", paths, GRID)
    with rasterio.open(tmp_path / "all.vrt") as whole:
        for path in paths:
            with rasterio.open(path) as shard:
                inner = rasterio.windows.Window(32, 32, shard.width - 64, shard.height - 64)
                bounds = rasterio.windows.bounds(inner, shard.transform)
                window = whole.window(*bounds).round_offsets().round_lengths()
                assert (whole.read(window=window) == shard.read(window=inner)).all()
                assert (whole.dataset_mask(window=window) == shard.dataset_mask(window=inner)).all()


def test_thumbnails_and_map_are_drawn(case, project):
    outputs = case.outputs()
    folder = outputs["chosen"].parent / "thumbnails"
    draw_thumbnails(
        chosen=outputs["chosen"], suggested=outputs["suggested"], mosaics=case.files("mosaic"),
        probability=case.files("probability"), folder=folder,
    )  # fmt: skip
    ids = set(gpd.read_file(outputs["chosen"])["block_id"])
    assert {path.stem for path in folder.glob("*.png")} == ids
    with rasterio.open(next(folder.glob("*.png"))) as picture:
        assert (picture.width, picture.height) == (2 * 256 + 4, 2 * (256 + 16) + 4)
        assert len(np.unique(picture.read(1))) > 50
    figure = case.home / "chosen.png"
    plot_chosen(
        blocks=case.home / "plan/blocks.parquet", scores=outputs["scores"], chosen=outputs["chosen"],
        suggested=outputs["suggested"], mosaics=case.files("mosaic")["a"],
        extents=case.home / "labels/extents.parquet", output=figure,
    )  # fmt: skip
    with rasterio.open(figure) as picture:
        assert picture.width > 800


def test_a_province_without_a_block_to_choose_still_gets_pictures_and_a_project(tmp_path):
    case = make_case(tmp_path)
    everywhere = shapely.union_all([GRID.polygon(block) for block in BLOCKS])
    everything = gpd.GeoDataFrame({"extent_id": ["x"]}, geometry=[everywhere], crs=4326)
    everything.to_parquet(tmp_path / "everything.parquet")
    case.choose(SETTINGS, extents=tmp_path / "everything.parquet")
    outputs = case.outputs()
    project = write(case)
    assert {layer.findtext("id") for layer in document(project).iter("maplayer")} == LAYERS
    picture_chosen(
        blocks=tmp_path / "plan/blocks.parquet", scores=outputs["scores"], chosen=outputs["chosen"],
        suggested=outputs["suggested"], mosaics=case.files("mosaic"),
        probability=case.files("probability"), extents=None, figure=tmp_path / "chosen.png",
        thumbnails=tmp_path / "thumbnails", title="", note="",
    )  # fmt: skip
    assert (tmp_path / "chosen.png").exists() and not list((tmp_path / "thumbnails").iterdir())


IN_QGIS = """
import json, os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsProject, QgsVectorLayerUtils
app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
found = {"read": project.read(sys.argv[1]), "title": project.title()}
layers = project.mapLayers()
found["valid"] = {name: layer.isValid() for name, layer in layers.items()}
extents = layers["draw_here_extents"]
found["widgets"] = {f.name(): f.editorWidgetSetup().type() for f in extents.fields()}
found["split"] = extents.fields().field("split").editorWidgetSetup().config()["map"]
found["categories"] = [c.value() for c in layers["chosen_blocks"].renderer().categories()]
found["read_only"] = layers["chosen_blocks"].readOnly()
found["new"] = []
context = extents.createExpressionContext()
for window in layers["suggested_extents"].getFeatures():
    for distance in (-1e-4, 0, 3e-4):  # inside it, as it is, and over parts of its neighbours
        shape = window.geometry() if distance == 0 else window.geometry().buffer(distance, 2)
        made = QgsVectorLayerUtils.createFeature(extents, shape, {}, context)
        ok = all(QgsVectorLayerUtils.validateAttribute(extents, made, k)[0] for k in range(len(made.fields())))
        found["new"].append([window["extent_id"], window["split"], made["extent_id"], made["split"], window["source"] == made["source"] and ok])
made["split"] = "test"
found["refused"] = not QgsVectorLayerUtils.validateAttribute(extents, made, extents.fields().indexOf("split"))[0]
print("FOUND " + json.dumps(found))
"""


def _python_with_qgis() -> str | None:
    for name in ("python3", "/usr/bin/python3"):
        path = shutil.which(name)
        if (
            path
            and subprocess.run([path, "-c", "import qgis.core"], capture_output=True).returncode
            == 0
        ):
            return path
    return None


@pytest.fixture(scope="module")
def python_with_qgis() -> str:
    python = _python_with_qgis()
    if python is None:
        pytest.skip("QGIS is not installed (Debian: apt-get install python3-qgis)")
    return python


def test_qgis_draws_imagery_and_blocks(python_with_qgis, project, tmp_path):
    command = [python_with_qgis, DRAW, project, tmp_path / "map.png"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    with rasterio.open(tmp_path / "map.png") as picture:
        bands = picture.read([1, 2, 3])
    # The mosaic is noise of all colours; blocks drawn at random have black outlines.
    assert bands.std(axis=(1, 2)).min() > 20
    assert (bands.max(axis=0) < 20).sum() > 200


def test_qgis_opens_the_project_and_its_forms_work(python_with_qgis, case, project):
    result = subprocess.run(
        [python_with_qgis, "-c", IN_QGIS, str(project)], capture_output=True, text=True, timeout=120
    )
    line = next((t for t in result.stdout.splitlines() if t.startswith("FOUND ")), None)
    assert line, result.stdout + result.stderr
    found = json.loads(line.removeprefix("FOUND "))
    assert found["read"] and found["title"] == "A province & more"
    assert set(found["valid"]) == LAYERS and all(found["valid"].values())
    assert found["widgets"]["split"] == found["widgets"]["source"] == "ValueMap"
    assert found["split"] == [{"train": "train"}, {"validation": "validation"}]
    assert "random" in found["categories"] and found["read_only"]
    assert found["refused"], "a value outside the list must not be saved"
    windows = gpd.read_file(case.outputs()["suggested"])
    assert len(found["new"]) == 3 * len(windows)
    for extent_id, split, new_id, new_split, ok in found["new"]:
        # Drawn over a suggestion, a new extent takes its id and split.
        assert (new_id, new_split, ok) == (extent_id, split, True)
