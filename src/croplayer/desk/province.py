"""All that the desk knows of a province, gathered once when it starts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np

from cropbase.atlas.sampling import RasterSet
from cropbase.errors import InputError
from croplayer.active.refresh import current_round
from croplayer.desk.facts import Facts
from croplayer.desk.handout import Handout, Item
from croplayer.desk.labeltable import rows_of
from croplayer.desk.orders import ORDERS, orders_of
from croplayer.desk.store import Store
from croplayer.desk.tasks import Task, tasks_of
from croplayer.desk.tiles import TileCutter
from croplayer.grid import Block, BlockGrid
from croplayer.grid.planning import read_plan
from croplayer.settings import Settings, load_settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a block lies: bounds (west, south, east, north) in degrees, its window (column, row,
    width, height) on the global pixel grid, and its county."""

    bounds: tuple[float, float, float, float]
    pixels: tuple[int, int, int, int]
    county: str


@dataclass
class DeskProvince:
    """A province at the desk.

    name, settings : the province and its configuration.
    blocks : the plan, in the order of the map: row by row, there and back.
    sampled : ids of the blocks that are handed out, in that order.
    places : where each of these lies.
    orders : the orders that can be had, with what people read.
    reasons : why a block is on the ranked list.
    round : the round of labels that the workflow found when it last ran.
    """

    name: str
    settings: Settings
    sources: list[str]
    tasks: dict[str, Task]
    blocks: gpd.GeoDataFrame
    sampled: list[str]
    places: dict[str, Place]
    facts: Facts
    tiles: TileCutter
    store: Store
    handouts: dict[str, Handout]
    orders: dict[str, str]
    reasons: dict[str, str]
    round: int


def open_province(
    name: str,
    *,
    config_folder: Path = Path("config"),
    results: Path = Path("results"),
    ranked: Path | None = None,
    database: Path | None = None,
) -> DeskProvince:
    """Gather what the desk needs.

    Parameters
    ----------
    ranked : a list of blocks to begin with: CSV, Parquet or a vector file with `block_id`, and
        optionally `rank` (1 first) and `reason`.
    database : keep the answers there and not in the file of the configuration.

    Raises ConfigError for a faulty configuration, InputError if the province is not planned, has no
    mosaic yet, or a file cannot be used.
    """
    settings = load_settings(name, config_folder, str(results))
    folder = results / name
    sources = list(settings.sources)
    tasks = tasks_of(sources)
    blocks = _plan_of(folder, name)
    blocks["county"] = blocks["county"].fillna("") if "county" in blocks else ""
    imagery = {
        source: RasterSet.open((folder / "mosaic" / source).glob("*.tif")) for source in sources
    }
    if not any(layer.files for layer in imagery.values()):
        raise InputError(
            f"province {name!r} has no mosaic yet",
            given=f"no GeoTIFF in {folder / 'mosaic'}",
            remedy=f"run the workflow first: snakemake --config provinces={name}",
        )
    masks = {source: RasterSet.open((folder / "mask" / source).glob("*.tif")) for source in sources}
    facts = Facts(folder, sources)
    sampled = _sampled(blocks, settings.desk.every_blocks)
    orders, reasons = orders_of(sampled, facts, settings.desk.double_seed, ranked)
    store = open_store(name, settings, database)
    handouts = {
        key: Handout(
            task,
            store,
            sources=sources,
            orders=orders,
            labelled=() if settings.desk.relabel else _labelled(settings, task),
            double_share=settings.desk.double_share,
            seed=settings.desk.double_seed,
            claim_minutes=settings.desk.claim_minutes,
        )
        for key, task in tasks.items()
    }
    return DeskProvince(
        name=name,
        settings=settings,
        sources=sources,
        tasks=tasks,
        blocks=blocks,
        sampled=sampled,
        places=_places(blocks, set(sampled), settings.grid.grid()),
        facts=facts,
        tiles=TileCutter(settings.grid.grid(), imagery=imagery, masks=masks),
        store=store,
        handouts=handouts,
        orders={key: title for key, title in ORDERS.items() if key in orders},
        reasons=reasons,
        round=current_round(folder / "labels"),
    )


def open_store(name: str, settings: Settings, database: Path | None = None) -> Store:
    """The database of a province's answers. Raises InputError if it cannot be used."""
    path = database or settings.desk.database or settings.data_root / "desk" / f"{name}.sqlite"
    return Store(
        path,
        {
            "province": name,
            "sources": ",".join(settings.sources),
            "block_degrees": str(settings.grid.block_degrees),
        },
    )


def _plan_of(folder: Path, name: str) -> gpd.GeoDataFrame:
    path = folder / "plan" / "blocks.parquet"
    if not path.exists():
        raise InputError(
            f"province {name!r} is not planned: {path} does not exist",
            remedy=f"run the workflow first: snakemake --config provinces={name}",
        )
    table = read_plan(path)
    # There and back: neighbours in the list are neighbours on the ground.
    along = np.where(table["row"] % 2 == 0, table["col"], -table["col"])
    return table.iloc[np.lexsort((along, table["row"]))].reset_index(drop=True)


def _places(blocks: gpd.GeoDataFrame, wanted: set[str], grid: BlockGrid) -> dict[str, Place]:
    places = {}
    for row in blocks.itertuples():
        if row.block_id in wanted:
            block = Block(int(row.row), int(row.col))
            window = grid.block_window(block)
            pixels = (window.col, window.row, window.width, window.height)
            places[str(row.block_id)] = Place(grid.bounds(block), pixels, str(row.county))
    return places


def _sampled(blocks: gpd.GeoDataFrame, every: int) -> list[str]:
    chosen = (blocks["row"] % every == 0) & (blocks["col"] % every == 0)
    if not chosen.any():
        raise InputError(
            "no block of the province is in the systematic sample",
            given=f"desk.every_blocks: {every}, {len(blocks)} blocks",
            remedy="set desk.every_blocks to a smaller number",
        )
    return blocks.loc[chosen, "block_id"].astype(str).tolist()


def table_path(settings: Settings, task: Task, folder: Path | None = None) -> Path | None:
    """Where the answers of a task go: what the configuration names, or a table in `folder`."""
    if folder is not None:
        return folder / f"{task.key}.csv"
    return getattr(settings.labels, task.key)


def _labelled(settings: Settings, task: Task) -> Sequence[Item]:
    """The items that the label table of a task already holds."""
    path = table_path(settings, task)
    if path is None or not path.exists():
        return []
    if path.is_file() and path.suffix.lower() != ".csv":
        log.warning("%s is no CSV: the blocks that it holds are handed out, too", path)
        return []
    return [Item(*(*row.key, "")[:2]) for row in rows_of(path, task)]
