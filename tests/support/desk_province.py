"""A generated province of twelve small blocks with everything that the review desk reads."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import yaml
from rasterio.windows import Window

from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid

NAME = "tiny"
SOURCES = ("google", "mapbox")
PIXELS = 128
GRID = BlockGrid(0.05, PIXELS, 0.1)
ROWS, COLS = 3, 4


@dataclass
class Tiny:
    """The province's folders, blocks (row by row), and the arrays of its shards' ground.

    images : source -> (rows, columns, 3) uint8 of all blocks; masks : source -> (rows, columns).
    """

    folder: Path
    ids: list[str]
    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def origin(self) -> tuple[int, int]:
        """(column, row) on the global pixel grid of the arrays' first pixel."""
        window = GRID.block_window(_first())
        return window.col, window.row

    def table(self, task: str) -> Path:
        return self.folder / "labels" / f"{task}.csv"

    def configure(self, **desk) -> None:
        """Write the configuration with these keys of `desk`."""
        path = self.config / "provinces" / f"{NAME}.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values["desk"] |= desk
        path.write_text(yaml.safe_dump(values), encoding="utf-8")

    @contextmanager
    def served(self, *words: str):
        """The desk as a process of its own; yields (process, address)."""
        command = [sys.executable, "-m", "croplayer.desk", NAME, "--port", "0"]
        process = subprocess.Popen(
            [*command, *words], cwd=self.folder, stdout=subprocess.PIPE, text=True
        )
        try:
            for line in process.stdout:
                if line.startswith("Open "):
                    yield process, line.split()[1]
                    break
            else:
                raise AssertionError("the desk ended before it listened")
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()


def _first() -> Block:
    first = GRID.block_at(112.001, 24.149)
    return Block(first.row // 2 * 2, first.col // 2 * 2)


def make_province(folder: Path) -> Tiny:
    """Write the province's configuration and results into `folder`."""
    first = _first()
    blocks = [Block(first.row + r, first.col + c) for r in range(ROWS) for c in range(COLS)]
    ids = [GRID.block_id(block) for block in blocks]
    rng = np.random.default_rng(3)
    tiny = Tiny(folder, ids, {}, {})
    for source in SOURCES:
        # Smooth colours, so that JPEG keeps them to a step or two.
        y, x = np.mgrid[0 : ROWS * PIXELS, 0 : COLS * PIXELS]
        shift = 60 if source == "mapbox" else 0
        tiny.images[source] = np.stack(
            [x // 4 + shift, y // 3, (x + y) // 6 + shift], axis=-1
        ).astype(np.uint8)
        coarse = rng.random((ROWS * 16, COLS * 16)) > 0.6
        tiny.masks[source] = np.kron(coarse, np.ones((8, 8))).astype(np.uint8)
        tiny.masks[source][:40, :24] = 255
    results = folder / "results" / NAME
    _write_plan(results, blocks, ids)
    for shard in GRID.shards(blocks):
        _write_rasters(tiny, results, shard)
    _write_tables(results, ids, rng)
    _write_config(folder)
    return tiny


def _write_plan(results: Path, blocks: list[Block], ids: list[str]) -> None:
    table = gpd.GeoDataFrame(
        {
            "block_id": ids,
            "row": [block.row for block in blocks],
            "col": [block.col for block in blocks],
            "shard_id": [GRID.shard_id(block) for block in blocks],
            "county": ["North"] * 6 + ["South"] * 6,
        },
        geometry=[GRID.polygon(block) for block in blocks],
        crs=4326,
    )
    write_table(table, results / "plan" / "blocks.parquet")


def _write_rasters(tiny: Tiny, results: Path, shard) -> None:
    window = GRID.shard_window(shard.blocks)
    col, row = tiny.origin
    rows = slice(window.row - row, window.row - row + window.height)
    cols = slice(window.col - col, window.col - col + window.width)
    shape = {"height": window.height, "width": window.width, "dtype": "uint8"}
    place = {**shape, "transform": GRID.transform(window)}
    whole = Window(0, 0, window.width, window.height)
    for source in SOURCES:
        image = np.moveaxis(tiny.images[source][rows, cols], -1, 0)
        valid = tiny.masks[source][rows, cols] != 255
        path = results / "mosaic" / source / f"{shard.shard_id}.tif"
        write_cog(path, [(whole, image, valid)], bands=3, **place)
        mask = tiny.masks[source][rows, cols][np.newaxis]
        path = results / "mask" / source / f"{shard.shard_id}.tif"
        write_cog(path, [(whole, mask)], bands=1, nodata=255, **place)


def _write_tables(results: Path, ids: list[str], rng: np.random.Generator) -> None:
    both = pd.DataFrame([(b, s) for b in ids for s in SOURCES], columns=["block_id", "source"])
    p = rng.dirichlet(np.ones(4), len(both))
    semantic = both.assign(semantic_class="TP", p_tp=p[:, 0], p_fp=p[:, 1], p_noise=p[:, 2],
                           p_artifacts=p[:, 3])  # fmt: skip
    write_table(semantic, results / "semantic" / "classes.parquet")
    consistency = np.repeat(rng.random(len(ids)), 2)
    consistency[:2] = np.nan
    features = both.assign(coverage_type="planting", af=rng.random(len(both)), slope=2.0,
                           consistency=consistency)  # fmt: skip
    write_table(features, results / "features" / "shard.parquet")
    (results / "truth.json").write_text(
        json.dumps({"p_tp": p[:, 0].tolist(), "consistency": consistency[::2].tolist()})
    )


def _write_config(folder: Path) -> None:
    labels = {
        task: str(folder / "labels" / f"{task}.csv") for task in ("coverage", "semantic", "options")
    }
    source = {"kind": "raster", "attribution": "generated", "generated": True}
    values = {
        "province": {
            "title": "Tiny (generated)",
            "generated": True,
            "boundary": str(folder / "province.gpkg"),
            "counties": str(folder / "counties.gpkg"),
        },
        "grid": {"block_degrees": 0.05, "pixels_per_block": PIXELS, "shard_degrees": 0.1},
        "sources": {name: {**source, "paths": [str(folder / "none.tif")]} for name in SOURCES},
        "terrain": {"dem": []},
        "labels": labels,
        "desk": {"database": str(folder / "answers" / "desk.sqlite")},
    }
    (folder / "config" / "provinces").mkdir(parents=True)
    (folder / "config" / "default.yaml").write_text("{}\n", encoding="utf-8")
    path = folder / "config" / "provinces" / f"{NAME}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
