"""Two crops of twelve cells with all that their suitability scores are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import Affine

from cropalloc.grid import CellGrid
from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.suitability import score_suitability
from cropbase.tables import write_table

GRID = CellGrid.from_bounds((100.0, 30.0, 100.4, 30.3), 360)  # 3 rows, 4 columns
SHAPE = GRID.shape
CROPS = """
vocabularies: {spam: synonyms, gaez: synonyms}
left_out: {}
crops:
  wheat: {title: Wheat, group: cereals, dry_matter_share: 0.8, names: {spam: whea, gaez: [wheat, whe]}}
  maize: {title: Maize, group: cereals, dry_matter_share: 0.5, names: {spam: maiz, gaez: [maize]}}
  rye: {title: Rye, group: cereals, dry_matter_share: 1.0, proxy: wheat, names: {spam: ryex}}
"""
RNG = np.random.default_rng(0)
YIELD = {c + s: RNG.uniform(0.5, 9, SHAPE) for c in ("whea", "maiz") for s in "IH"}
INDEX = RNG.uniform(1, 99, SHAPE)
TRAVEL = RNG.uniform(5, 900, SHAPE)
PRICE = {"wheat": 250.0, "maize": 180.0}


def write_raster(
    path, values, *, degrees=0.1, west=100.0, north=30.3, crs="EPSG:4326", nodata=np.nan
):
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype="float32",
        crs=crs,
        transform=Affine(degrees, 0, west, 0, -degrees, north),
        nodata=nodata,
    ) as dataset:
        dataset.write(values.astype("float32"), 1)
    return str(path)


def write_case(folder: Path) -> Path:
    """A folder with everything that two crops need."""
    row, col = (x.ravel() for x in np.mgrid[: SHAPE[0], : SHAPE[1]])
    cells = GRID.table(row, col, np.where(col < 2, "west", "east"))
    write_table(cells, folder / "cells.parquet")
    mean = np.linspace(0.1, 0.9, 12) * cells["area_ha"]
    synergy = pd.DataFrame({"cell_id": cells["cell_id"], "cropland_mean_ha": mean})
    write_table(synergy.assign(cropland_max_ha=mean), folder / "synergy.parquet")
    for name, values in YIELD.items():
        write_raster(folder / f"{name[:4]}_{name[4]}_py_2010.tif", values)
    write_raster(folder / "whea_L_bs_2010.tif", INDEX)
    write_raster(folder / "travel.tif", TRAVEL)
    (folder / "crops.yaml").write_text(CROPS, encoding="utf-8")
    prices = pd.DataFrame({"crop": list(PRICE), "price": list(PRICE.values())})
    prices.to_csv(folder / "prices.csv", index=False)
    return folder


BOTH = ["west", "east"]
ALL = [("N", "wheat", "IHL", BOTH), ("N", "maize", "IH", BOTH)]


def score(folder, wanted=ALL, year=2010, **change):
    areas = [(t, c, year, s, 5.0) for t, c, systems, _ in wanted for s in systems]
    members = [(c, year, t, leaf) for t, c, _, leaves in wanted for leaf in leaves]
    write_table(
        pd.DataFrame(areas, columns=["target_id", "crop", "year", "system", "physical_ha"]),
        folder / "areas.parquet",
    )
    write_table(
        pd.DataFrame(members, columns=["crop", "year", "target_id", "leaf_id"]).drop_duplicates(),
        folder / "members.parquet",
    )
    settings = {
        "potential_yield": f"{folder}/{{spam}}_{{system}}_py_{{year}}.tif",
        "suitability_index": f"{folder}/{{spam}}_{{system}}_bs_{{year}}.tif",
        "prices": {"path": folder / "prices.csv"},
        "travel_time": {"path": f"{folder}/travel.tif"},
    } | change
    score_suitability(
        **{name: folder / f"{name}.parquet" for name in ("cells", "synergy", "areas", "members")},
        suitability=SuitabilitySettings(**settings),
        crops_file=folder / "crops.yaml",
        year=year,
        scores_path=folder / "scores.parquet",
        report_path=folder / "report.csv",
    )
    return pd.read_parquet(folder / "scores.parquet"), pd.read_csv(folder / "report.csv")
