"""A bench of the stages of a shard: four small generated blocks, from imagery to county files."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
import torch
from choosing_case import MODEL
from fault_bench import Bench
from PIL import Image
from rasterio.transform import from_bounds
from workspaces import REPOSITORY

from cropbase.atomic import write_json
from cropbase.webmercator import TileMatrix
from croplayer.blocks import integration, semantic
from croplayer.blocks.features import measure_features
from croplayer.blocks.integrate import integrate_shard
from croplayer.blocks.integration import choose_options
from croplayer.blocks.semantic import classify_semantic
from croplayer.comparison.catalogue import read_catalogue
from croplayer.comparison.shard import compare_shard
from croplayer.export.counties import export_counties
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks, planned, read_plan
from croplayer.quality.assess import assess_quality
from croplayer.quality.model import CoverageModel, CoverageNet, save_model
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model
from croplayer.segmentation.inference import segment_shard
from croplayer.settings.export import ExportSettings
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.products import ProductRaster
from croplayer.settings.quality import QualitySettings
from croplayer.settings.sources import MbtilesSource, RasterSource
from croplayer.settings.terrain import TerrainSettings
from croplayer.terrain.measure import measure_terrain
from croplayer.tiles.ledger import create_schema
from croplayer.tiles.mosaic import build_mosaic
from croplayer.validation.official import official_area_ha
from croplayer.validation.province import validate_province

GRID = BlockGrid(0.05, 64, 0.1)
PROVINCE = shapely.box(112.0, 24.0, 112.1, 24.1)
SHARD = "E11200N2400"
SOURCES = ("a", "b")
ZOOM = 9


def write_raster(path: Path, array: np.ndarray, bounds: Any, **profile: Any) -> None:
    """Write (bands, rows, columns) as a GeoTIFF in EPSG:4326, or as `profile` says."""
    bands, height, width = array.shape
    path.unlink(missing_ok=True)
    options = {
        "driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": array.dtype,
        "crs": "EPSG:4326", "transform": from_bounds(*bounds, width, height),
    }  # fmt: skip
    with rasterio.open(path, "w", **(options | profile)) as dataset:
        dataset.write(array)


def png(pixels: np.ndarray) -> bytes:
    """A PNG of (rows, columns, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def constant_model(folder: Path, design: Any, answer: str) -> None:
    """A model of blocks that knows one answer."""
    card = {
        "features": list(design.features), "classes": list(design.classes), "kind": "constant",
        "classes_present": [answer],
    }  # fmt: skip
    write_json(folder / "card.json", card)
    write_json(folder / "model.json", {"constant": answer})


class Shard(Bench):
    """Files of one province of one shard; `stage` is the rule whose work is done."""

    stage = "build_mosaic"

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        self.sources: dict[str, Any] = {
            "a": RasterSource(paths=(str(folder / "a.tif"),)),
            "b": MbtilesSource(path=str(folder / "b.mbtiles"), zoom=ZOOM),
        }
        self.halo = 64
        self.settings: dict[str, Any] = {}
        super().__init__(folder, template)

    # --------------------------------------------------------------------- inputs
    def build(self) -> None:
        random = np.random.default_rng(0)
        around = (111.95, 23.95, 112.15, 24.15)
        image = random.integers(0, 255, (3, 200, 200), dtype=np.uint8)
        write_raster(self.folder / "a.tif", image, around)
        self.write_tiles(random.integers(0, 255, (256, 256, 3), dtype=np.uint8))
        height = np.linspace(0, 300, 10_000, dtype=np.float32).reshape(1, 100, 100)
        write_raster(self.folder / "dem.tif", height, around)
        codes = random.choice(np.array([1, 2, 5, 7], np.uint8), (1, 200, 200))
        write_raster(self.folder / "product.tif", codes, around)
        names = {"county_id": ["1"], "county": ["C"], "city": ["D"]}
        counties = gpd.GeoDataFrame(names, geometry=[PROVINCE], crs=4326)
        counties.to_file(self.folder / "counties.gpkg")
        plan_blocks(
            province="p",
            region=PROVINCE,
            counties=counties,
            grid=GRID,
            output=self.folder / "blocks.parquet",
        )
        (self.folder / "areas.csv").write_text("province,area_ha,source\np,5000,survey\n")
        (self.folder / "corrections.csv").write_text("block_id,option,reason\n")
        self.write_models()
        for stage in STAGES[: STAGES.index("compare_shard")]:
            self.run(stage, self.folder)

    def write_tiles(self, pixels: np.ndarray) -> None:
        """The same image in every tile around the province."""
        matrix = TileMatrix(ZOOM, 256)
        path = self.folder / "b.mbtiles"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            create_schema(connection, "main")
            connection.execute("INSERT INTO images VALUES ('x', ?)", (png(pixels),))
            col, row = int(matrix.x(112.05)) // 256, int(matrix.y(24.05)) // 256
            for x in range(col - 1, col + 2):
                for y in range(row - 1, row + 2):
                    connection.execute(
                        "INSERT INTO map VALUES (?, ?, ?, 'x')", (ZOOM, x, matrix.tiles - 1 - y)
                    )
        connection.close()

    def write_models(self) -> None:
        """Untrained models: what they answer is of no matter here."""
        torch.manual_seed(0)
        network = CoverageNet("resnet18", 8).eval()
        coverage = CoverageModel(
            net=network, architecture="resnet18", width=8, image_pixels=40, input_pixels=32,
            min_crop_share=0.5, trained=(True,) * 5,
        )  # fmt: skip
        save_model(coverage, self.folder / "coverage")
        model = build_model(MODEL)
        storage.save_weights(model, self.folder / "segmentation")
        storage.save_description(model, MODEL.architecture, 64, self.folder / "segmentation")
        constant_model(self.folder / "semantic", semantic.DESIGN, "TP")
        constant_model(self.folder / "integration", integration.DESIGN, "both")

    # --------------------------------------------------------------------- stages
    def work(self) -> None:
        self.run(self.stage, self.out)

    def run(self, stage: str, out: Path) -> None:
        """Run a stage on the files of `folder`; what it makes goes to `out`."""
        getattr(self, f"_{stage}")(out)

    def of_source(self, name: str, suffix: str = ".tif") -> dict[str, Path]:
        """source -> its file of a stage."""
        return {s: self.folder / f"{name}_{s}{suffix}" for s in SOURCES}

    @property
    def common(self) -> dict[str, Any]:
        """Blocks and grid, as the scripts read them."""
        return {"blocks": planned(read_plan(self.folder / "blocks.parquet")), "grid": GRID}

    def _build_mosaic(self, out: Path) -> None:
        for name, source in self.sources.items():
            build_mosaic(
                source_name=name,
                source=source,
                tiles=None,
                mosaic=MosaicSettings(halo_pixels=self.halo),
                output=out / f"mosaic_{name}.tif",
                **self.common,
            )

    def _assess_quality(self, out: Path) -> None:
        for name, mosaic in self.of_source("mosaic").items():
            assess_quality(
                mosaic=mosaic,
                source_name=name,
                model_dir=self.folder / "coverage",
                settings=QualitySettings(device="cpu"),
                output=out / f"quality_{name}.parquet",
                **self.common,
            )

    def _measure_terrain(self, out: Path) -> None:
        measure_terrain(
            dem=[self.folder / "dem.tif"],
            settings=TerrainSettings(dem=[], **self.settings),
            output=out / "terrain.parquet",
            **self.common,
        )

    def _segment_shard(self, out: Path) -> None:
        for name, mosaic in self.of_source("mosaic").items():
            segment_shard(
                mosaic=mosaic,
                model_dir=self.folder / "segmentation",
                settings=MODEL,
                probability=out / f"probability_{name}.tif",
                mask=out / f"mask_{name}.tif",
                **self.common,
            )

    def _measure_features(self, out: Path) -> None:
        measure_features(
            masks=self.of_source("mask"),
            quality=self.of_source("quality", ".parquet"),
            terrain=self.folder / "terrain.parquet",
            output=out / "features.parquet",
            sources=SOURCES,
            **self.common,
        )

    def _classify_semantic(self, out: Path) -> None:
        classify_semantic(
            features=[self.folder / "features.parquet"],
            model_dir=self.folder / "semantic",
            sources=SOURCES,
            blocks=self.folder / "blocks.parquet",
            output=out / "classes.parquet",
        )

    def _choose_options(self, out: Path) -> None:
        choose_options(
            features=[self.folder / "features.parquet"],
            semantic=self.folder / "classes.parquet",
            model_dir=self.folder / "integration",
            corrections=self.folder / "corrections.csv",
            sources=SOURCES,
            blocks=self.folder / "blocks.parquet",
            output=out / "options.parquet",
        )

    def _integrate_shard(self, out: Path) -> None:
        integrate_shard(
            masks=self.of_source("mask"),
            options=self.folder / "options.parquet",
            boundary=PROVINCE,
            sources=SOURCES,
            output=out / "map.tif",
            **self.common,
        )

    def _compare_shard(self, out: Path) -> None:
        product = read_catalogue(REPOSITORY / "config/products.yaml").products["esri"]
        compare_shard(
            maps=[self.folder / "map.tif"],
            files=[self.folder / self.settings.get("product", "product.tif")],
            name="esri",
            product=ProductRaster(**product.raster()),
            boundary=PROVINCE,
            output=out / "comparison.parquet",
            classes=out / "comparison.json",
            **self.common,
        )

    def _validate_province(self, out: Path) -> None:
        area = official_area_ha("p", table=self.folder / "areas.csv")
        validate_province(
            maps=[self.folder / "map.tif"],
            masks={name: [path] for name, path in self.of_source("mask").items()},
            blocks=self.folder / "blocks.parquet",
            boundary=PROVINCE,
            counties=self.folder / "counties.gpkg",
            grid=GRID,
            official_area_ha=area,
            output=out / "province.json",
        )

    def _export_counties(self, out: Path) -> None:
        export_counties(
            maps=[self.folder / "map.tif"],
            counties=self.folder / "counties.gpkg",
            counties_fields=("county_id", "county", "city"),
            blocks=self.folder / "blocks.parquet",
            grid=GRID,
            settings=ExportSettings(),
            parquet=out / "counties.parquet",
            archive=out / "p.tar.gz",
            table=out / "areas.csv",
        )


STAGES = (
    "build_mosaic", "assess_quality", "measure_terrain", "segment_shard", "measure_features",
    "classify_semantic", "choose_options", "integrate_shard", "compare_shard", "validate_province",
    "export_counties",
)  # fmt: skip


# -------------------------------------------------------------------------- how files are spoilt
def raster(name: str, change: Callable[[SimpleNamespace], None]) -> Callable[[Shard], None]:
    """Write a raster anew after `change` of its array, bounds or profile."""

    def spoil(bench: Shard) -> None:
        path = bench.folder / name
        with rasterio.open(path) as dataset:
            file = SimpleNamespace(
                array=dataset.read(), bounds=dataset.bounds, profile={"nodata": dataset.nodata}
            )
        change(file)
        write_raster(path, file.array, file.bounds, **file.profile)

    return spoil


def without_last_block(name: str) -> Callable[[Shard], None]:
    """Take the south-eastern block (E11205N2400) from a table, or the southern row from a raster."""

    def spoil(bench: Shard) -> None:
        path = bench.folder / name
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            table[table["block_id"] != "E11205N2400"].to_parquet(path, index=False)
            return
        halo = bench.halo if name.startswith("mosaic") else 0
        gone = GRID.pixels_per_block + halo

        def cut(file: SimpleNamespace) -> None:
            west, south, east, north = file.bounds
            pixel = (north - south) / file.array.shape[1]
            file.array = file.array[:, :-gone]
            file.bounds = (west, south + gone * pixel, east, north)

        raster(name, cut)(bench)

    return spoil
