"""The import of labels, run on frames of a test."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from label_layers import BLOCKS, GRID, extents, fields

from croplayer.active.labels import import_labels
from croplayer.settings.labels import LabelSettings


@pytest.fixture
def case(tmp_path):
    """A function that runs the import on two frames and returns (polygons, extents, report)."""

    def run(cropland=None, areas=None, *, suffix=".gpkg", **settings):
        cropland = fields() if cropland is None else cropland
        areas = extents() if areas is None else areas
        paths = {}
        for name, frame in (("cropland", cropland), ("extents", areas)):
            if isinstance(frame, Path):
                paths[name] = frame
                continue
            paths[name] = tmp_path / f"{name}{suffix}"
            write = frame.to_parquet if suffix == ".parquet" else frame.to_file
            write(paths[name])
        plan = tmp_path / "blocks.parquet"
        gpd.GeoDataFrame(
            {"block_id": [GRID.block_id(block) for block in BLOCKS]},
            geometry=[GRID.polygon(block) for block in BLOCKS],
            crs=4326,
        ).to_parquet(plan)
        out = tmp_path / "out"
        sources = settings.pop("sources", None)
        for_training = settings.pop("for_training", True)
        report = out / settings.pop("report", "report.csv")
        lock = settings.pop("lock", None)
        import_labels(
            **paths,
            blocks=plan,
            grid=GRID,
            settings=LabelSettings(**settings),
            polygons_out=out / "polygons.parquet",
            extents_out=out / "extents.parquet",
            report=report,
            sources=sources,
            for_training=for_training,
            lock=lock,
        )
        table = pd.read_csv(report, dtype=str) if report.suffix == ".csv" else report
        return (
            gpd.read_parquet(out / "polygons.parquet"),
            gpd.read_parquet(out / "extents.parquet"),
            table,
        )

    run.folder = tmp_path / "out"
    return run
