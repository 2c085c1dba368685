"""Write the standalone report of a case: one page, and a folder of map tiles beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.colors import to_hex
from rasterio.features import shapes

from cropalloc.export.names import MAP_SYSTEMS, find_maps, read_map
from cropalloc.grid.cellgrid import CellGrid, read_cells
from cropalloc.report.contents import WHEN, case_contents
from cropalloc.report.style import AREA_SHADES, INK, crop_title, hectares, read_picture
from cropalloc.settings.maps import MapSettings
from cropbase.atlas.drawing import draw_values
from cropbase.atlas.foot import closing, origin
from cropbase.atlas.items import item_parts
from cropbase.atlas.mapdata import Blocks, Entry, Fact, Outline, RasterLayer, map_data
from cropbase.atlas.page import write_report
from cropbase.atlas.pyramid import TileLayer, write_pyramid
from cropbase.atlas.sampling import RasterSet
from cropbase.tables import read_csv, read_table

PACKAGES = ("numpy", "rasterio", "shapely", "geopandas", "highspy", "scipy", "snakemake")
SYSTEMS = {"A": "all systems", "I": "irrigated", "H": "rainfed, high input", "L": "rainfed, low"}
MOST_CELLS = 20_000
"""Cells of a case up to which a pop-up tells of the single cell."""
_GROUP = "Harvested area"
_SHARPER = 4
"""Pixels of the deepest tiles along the edge of a cell."""


@dataclass(frozen=True)
class CaseMaps:
    """The maps of a case.

    Parameters
    ----------
    folders : year -> folder of GeoTIFFs. names : how their files are called.
    cells, units : tables of the cells and of the units. accounts : year -> account of hectares.
    """

    folders: Mapping[int, Path]
    names: MapSettings
    cells: Path
    units: Path
    accounts: Mapping[int, Path]


def write_case_report(
    maps: CaseMaps | None,
    *,
    output: Path,
    tiles: Path,
    name: str,
    title: str,
    years: Sequence[int],
    jobs: Sequence[str],
    parts: Collection[str],
    configuration: Mapping[str, Any],
    inputs: Sequence[Path],
    tiles_megabytes: float,
    note: str = "",
    threads: int = 1,
) -> None:
    """Write the page `output` and the folder `tiles` beside it.

    Parameters
    ----------
    maps : None for a case that ends with its statistics; the folder is then empty.
    name, title : of the case. years : its node years. jobs : parts of its allocation.
    parts : keys of `contents.WHEN` besides `always` that this run has.
    configuration : the effective one, shown in the foot. inputs : files that the page rests on.
    tiles_megabytes : what the tiles may take (`cropbase.atlas.pyramid.choose_zoom`).
    note : what must be said of generated data.

    Raises InputError for files that cannot be read.
    """
    numbered, others, absent = item_parts(
        case_contents(years, jobs), output.parent, parts={"always", *parts}, missing=WHEN
    )
    foot = [
        origin(subject=("Case", f"{title} ({name})"), note=note, inputs=inputs, packages=PACKAGES),
        closing(configuration, less="", with_map=maps is not None),
    ]
    if maps is None:
        # The rule promises a folder.
        tiles.mkdir(parents=True, exist_ok=True)
        atlas = None
    else:
        atlas = _atlas(maps, tiles, round(tiles_megabytes * 1e6), threads)
    write_report(
        output,
        title=f"Harvested area of crops: {title}",
        lead=_lead(maps, years),
        note=note,
        atlas=atlas,
        groups=[
            ("paper", "Figures of the paper", numbered),
            ("more", "More of this run", others),
        ],
        absent=absent,
        foot="\n".join(foot),
    )


def _lead(maps: CaseMaps | None, years: Sequence[int]) -> list[str]:
    lead = [f"Years: {', '.join(map(str, years))}. Areas are harvested hectares."]
    for year, path in (maps.accounts if maps else {}).items():
        account = read_csv(path, ["system", "statistics_ha", "slack_ha", "map_ha", "judged"])
        judged = account[account["judged"] & (account["system"] == "A")]
        total, slack, placed = (
            judged[column].sum() for column in ("statistics_ha", "slack_ha", "map_ha")
        )
        lead.append(
            f"{year}: statistics {total:,.0f} ha, on the map {placed:,.0f} ha, not placed "
            f"{slack:,.0f} ha."
        )
    return lead


def _atlas(maps: CaseMaps, folder: Path, budget_bytes: int, threads: int) -> dict[str, Any]:
    """What the map shows; the tiles are written into `folder`."""
    files = {
        (crop, system, year): path
        for year, home in maps.folders.items()
        for system in MAP_SYSTEMS
        for crop, path in find_maps(home, maps.names, year=year, system=system).items()
    }
    cells, grid = read_cells(maps.cells)
    layers = _layers(files)
    cell_degrees = grid.resolution_arcseconds / 3600
    bounds = _bounds(cells, cell_degrees)
    pyramid = write_pyramid(
        [layer.tiles for layer in layers],
        boxes=np.array([bounds]),
        folder=folder,
        pixel_degrees=cell_degrees / _SHARPER,
        budget_bytes=budget_bytes,
        threads=threads,
    )
    return map_data(
        bounds=bounds,
        folder=folder.name,
        pyramid=pyramid,
        layers=layers,
        outlines=[_units(maps, cells, grid, files)],
        blocks=_cells(cells, grid, files) if len(cells) <= MOST_CELLS else None,
        choices={_GROUP: ["Crop", "System", "Year"]},
    )


Files = Mapping[tuple[str, str, int], Path]
"""(crop, system, year) -> map."""


def _layers(files: Files) -> list[RasterLayer]:
    """A layer a map; the maps of a crop share their colours, so that they can be compared."""
    shades = tuple(to_hex(AREA_SHADES(step)) for step in np.linspace(0, 1, 32))
    newest = max(year for _, _, year in files)
    first = next(iter(sorted(files)))[0]
    layers = []
    for crop in dict.fromkeys(crop for crop, _, _ in files):
        top = _top([path for (c, system, _), path in files.items() if c == crop and system == "A"])
        legend = (Entry(f"0 to {top:.3g} ha a cell and more", shades),)
        for system in SYSTEMS:
            for year in sorted({year for c, s, year in files if (c, s) == (crop, system)}):
                rasters = RasterSet.open([files[crop, system, year]])
                layers.append(
                    RasterLayer(
                        TileLayer(
                            f"{crop}_{system}_{year}", draw_values(rasters, shades=shades, top=top)
                        ),
                        f"{crop_title(crop)}, {SYSTEMS[system]}, {year}",
                        _GROUP,
                        legend,
                        shown=(crop, system, year) == (first, "A", newest),
                        choice=(crop_title(crop), SYSTEMS[system], str(year)),
                    )
                )
    return layers


def _top(paths: Sequence[Path]) -> float:
    """99th percentile of the cells with the crop, of all its years."""
    known = [values[values > 0] for values in (read_picture(path)[0] for path in paths)]
    every = np.concatenate(known) if known else np.empty(0)
    return float(np.percentile(every, 99)) if every.size else 1.0


def _bounds(cells: pd.DataFrame, size: float) -> tuple[float, float, float, float]:
    half = size / 2
    return (
        float(cells["lon"].min() - half),
        float(cells["lat"].min() - half),
        float(cells["lon"].max() + half),
        float(cells["lat"].max() + half),
    )


def _values_of_cells(cells: pd.DataFrame, path: Path) -> np.ndarray:
    """(cells,) hectares on a map, 0 outside it."""
    values, transform = read_map(path)
    rows = np.floor((cells["lat"].to_numpy() - transform.f) / transform.e).astype(int)
    cols = np.floor((cells["lon"].to_numpy() - transform.c) / transform.a).astype(int)
    return np.nan_to_num(values[rows, cols])


def _cells(cells: pd.DataFrame, grid: CellGrid, files: Files) -> Blocks:
    """Hectares of every crop and system in each cell."""
    facts = [Fact("unit", "", [cells["leaf_id"].tolist()])]
    for crop, year in dict.fromkeys((crop, year) for crop, _, year in files):
        columns = [
            _values_of_cells(cells, files[crop, system, year]).tolist() for system in SYSTEMS
        ]
        facts.append(Fact(f"{crop_title(crop)} {year}", "ha", columns))
    return Blocks(
        size_degrees=grid.resolution_arcseconds / 3600,
        ids=[str(cell) for cell in cells["cell_id"]],
        rows=(cells["row"] + grid.first_row).tolist(),
        cols=(cells["col"] + grid.first_col).tolist(),
        views=[],
        heads=[system for system in SYSTEMS],
        facts=facts,
        word="Cell",
    )


def _units(maps: CaseMaps, cells: pd.DataFrame, grid: CellGrid, files: Files) -> Outline:
    """The units that cells belong to, along the edges of the cells, with their hectares."""
    codes, names = pd.factorize(cells["leaf_id"], sort=True)
    raster = np.full((grid.rows, grid.columns), -1, dtype=np.int32)
    raster[cells["row"], cells["col"]] = codes
    parts: dict[int, list] = {}
    for shape, code in shapes(raster, mask=raster >= 0, transform=grid.transform):
        parts.setdefault(int(code), []).append(shapely.geometry.shape(shape))
    titles = read_table(maps.units).set_index("unit_id")["name"]
    facts: list[dict[str, Any]] = [{} for _ in names]
    for (crop, system, year), path in files.items():
        if system != "A":
            continue
        totals = np.bincount(codes, _values_of_cells(cells, path), minlength=len(names))
        for row, total in zip(facts, totals, strict=True):
            row[f"{crop_title(crop)} {year}"] = hectares(total)
    frame = gpd.GeoDataFrame(
        {"name": [str(titles.get(name, name)) for name in names]},
        geometry=[shapely.union_all(parts[code]) for code in range(len(names))],
        crs="EPSG:4326",
    )
    return Outline("units", "Units", frame, "name", INK, width=1.0, facts=facts)
