"""Benches of what people draw and label: a province's polygons, its labels, its tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
from fault_bench import Bench
from label_province import PROVINCE, LabelProvince

from croplayer.active.labels import import_labels
from croplayer.active.tables import import_table
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks
from croplayer.imports.via import read_via
from croplayer.settings.labels import LabelSettings
from croplayer.settings.regions import counties_of, region_of

GRID = BlockGrid(0.05, 64, 0.1)


def vector(name: str, frame: gpd.GeoDataFrame | None = None, /, **columns: Any):
    """Write a vector file anew; columns `geometry` and `crs` make a frame of them."""

    def spoil(bench: Bench) -> None:
        made = frame
        if made is None:
            made = gpd.GeoDataFrame(
                {k: v for k, v in columns.items() if k not in ("geometry", "crs")},
                geometry=columns["geometry"],
                crs=columns.get("crs", 4326),
            )
        path = bench.folder / name
        path.unlink(missing_ok=True)
        if path.suffix == ".parquet":
            made.to_parquet(path)
        else:
            made.to_file(path)

    return spoil


class Plan(Bench):
    """A province and its counties, of which blocks are planned."""

    def build(self) -> None:
        vector("province.gpkg", geometry=[PROVINCE], name=["p"])(self)
        columns = {"county_id": ["1"], "county": ["C"], "city": ["D"]}
        vector("counties.gpkg", geometry=[PROVINCE], **columns)(self)

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        super().__init__(folder, template)
        self.province: dict[str, Any] = {
            "boundary": "province.gpkg", "boundary_layer": None, "boundary_query": None,
            "counties": "counties.gpkg", "counties_layer": None, "counties_query": None,
            "repair_counties": False, "county_id_field": "county_id", "county_name_field": "county",
            "city_name_field": "city",
        }  # fmt: skip

    def work(self) -> object:
        paths = {k: self.folder / self.province[k] for k in ("boundary", "counties")}
        province = self.province | paths
        region = region_of(province)
        return plan_blocks(
            province="p",
            region=region,
            counties=counties_of(province, region),
            grid=GRID,
            output=self.out / "blocks.parquet",
        )


class Labels(Bench):
    """Label layers of four blocks, to be imported."""

    def build(self) -> None:
        shutil.copytree(
            LabelProvince(self.folder / "province").labels, self.folder, dirs_exist_ok=True
        )
        plan = Plan(self.folder / "planned")
        plan.work()

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        super().__init__(folder, template)
        self.plan = folder / "planned/out/blocks.parquet"
        self.files = {"cropland": "cropland.gpkg", "extents": "extents.gpkg"}
        self.settings: dict[str, Any] = {}

    def work(self) -> None:
        import_labels(
            **{k: [self.folder / name] for k, name in self.files.items()},
            blocks=self.plan,
            grid=GRID,
            settings=LabelSettings(**({k: "x" for k in ("cropland", "extents")} | self.settings)),
            polygons_out=self.out / "polygons.parquet",
            extents_out=self.out / "extents.parquet",
            sources=["a", "b"],
            report=self.out / "findings.csv",
            page=self.out / "findings.html",
        )


class Table(Labels):
    """A table of block labels, to be settled."""

    name, table = "semantic", "semantic.csv"

    def work(self) -> None:
        import_table(
            name=self.name,
            files=[self.folder / self.table],
            blocks=self.plan,
            sources=["a", "b"],
            output=self.out / "semantic.csv",
            report=self.out / "semantic_findings.csv",
        )


class Via(Bench):
    """Annotations of the VGG Image Annotator."""

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        super().__init__(folder, template)
        self.region = {
            "shape_attributes": {
                "name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 5],
            },
            "region_attributes": {},
        }  # fmt: skip
        self.write({"a.tif1": {"filename": "a.tif", "size": 1, "regions": [self.region]}})

    def write(self, content: object) -> None:
        (self.folder / "via.json").write_text(json.dumps(content), "utf-8")

    def work(self) -> object:
        return read_via(self.folder / "via.json")
