"""The built-in allocation case in small (generated: two counties, four towns, 288 cells), to be spoilt."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import rasterio
import yaml
from alloc_stages import Stages
from alloc_tiny_province import write_province
from rasterio.transform import Affine
from workspaces import REPOSITORY, merge

from cropalloc.demo.generate import generate_case
from cropalloc.settings import load_case

TABLE = {"kind": "long", "unit_column": "unit_id", "year_column": "year", "crop_column": "crop"}
YEARBOOK = {
    **TABLE,
    "name": "yearbook",
    "paths": ["{results}/generated/statistics.csv"],
    "unit_of_measure": "kha",
    "value_column": "area_kha",
}
TINY: dict[str, Any] = {
    "extends": "demo_allocation",
    "case": {"title": "Tiny (generated)"},
    "demo": None,
    "statistics": {"nodes": [2020], "sources": [YEARBOOK], "use_levels": None},
    "synergy": {
        "cropland": {
            "sources": [
                {"name": name, "paths": [f"{{results}}/generated/cropland_{name}_{{year}}.tif"]}
                for name in ("smooth", "coarse")
            ]
        }
    },
}


def generate(folder: Path) -> Path:
    """Generate the case's inputs below a folder; returns where they lie."""
    generate_case(folder / "generated", write_province(folder / "province"))
    return folder / "generated"


class TinyCase:
    """The case's configuration and inputs, to be spoilt by a test."""

    def __init__(self, folder: Path, generated: Path) -> None:
        """`generated` : inputs of `generate`; what stages made beside them is taken along."""
        self.folder = folder
        self.home = folder / "results/tiny"
        self.inputs = self.home / "generated"
        shutil.copytree(generated.parent, self.home, ignore=shutil.ignore_patterns("province"))
        shutil.copytree(
            REPOSITORY / "config/allocation", folder / "config/allocation", dirs_exist_ok=True
        )
        self.values = yaml.safe_load(yaml.safe_dump(TINY))
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Merge `changes` into the case's file."""
        merge(self.values, changes)
        path = self.folder / "config/allocation/tiny.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")

    def stages(self) -> Stages:
        """The stages, from the configuration as it is now."""
        case = load_case("tiny", self.folder / "config", results=str(self.folder / "results"))
        return Stages(case, self.home, REPOSITORY / "config/crops.yaml")

    def table(self, name: str) -> pd.DataFrame:
        """A CSV below the case's results."""
        return pd.read_csv(self.home / name, dtype={"unit_id": str, "target_id": str})


def edit(name, change):
    """Spoil a CSV of the inputs: `change` takes the table of texts and returns another."""

    def spoil(case):
        path = case.inputs / name
        change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return spoil


def put(name, where, column, text):
    """Write `text` into `column` of the rows for which `where` holds (None: the first row)."""

    def change(table):
        rows = table.index == 0 if where is None else table.eval(where)
        table.loc[rows, column] = text
        return table

    return edit(name, change)


def rewrite(name, change):
    """Spoil a raster: `change` takes values and profile and returns both."""

    def spoil(case):
        path = case.inputs / name
        with rasterio.open(path) as dataset:
            values, profile = change(dataset.read(1), dict(dataset.profile))
        keep = {k: profile[k] for k in ("width", "height", "count", "crs", "transform", "nodata")}
        path.unlink()
        with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, **keep) as dataset:
            dataset.write(values, 1)

    return spoil


def remove(name):
    return lambda case: (case.inputs / name).unlink()


def cut_short(name):
    return lambda case: os.truncate(case.inputs / name, 900)


def configure(**changes):
    return lambda case: case.configure(**changes)


def moved(cells):
    def change(values, profile):
        t = profile["transform"]
        return values, profile | {"transform": Affine(t.a, t.b, t.c + cells * t.a, t.d, t.e, t.f)}

    return change


def both(*spoils):
    return lambda case: [spoil(case) for spoil in spoils]


def redraw(change):
    """Spoil the boundaries: `change` takes the layer of towns and returns another."""

    def spoil(case):
        path = case.inputs / "towns.gpkg"
        towns = gpd.read_file(path)
        path.unlink()
        change(towns).to_file(path, layer="towns")

    return spoil


def keep_towns(where):
    return redraw(lambda towns: towns[towns.eval(where)])


SMOOTH = "cropland_smooth_2020.tif"
