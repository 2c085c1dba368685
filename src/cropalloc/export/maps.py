"""Rule `write_maps`: GeoTIFFs of harvested hectares a cell, by crop and system."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rasterio.windows import Window

from cropalloc.export.account import account_of_maps, check_account
from cropalloc.export.areas import crops_of_areas, read_areas
from cropalloc.export.names import MAP_SYSTEMS, map_name
from cropalloc.export.places import Places
from cropalloc.settings.maps import MapSettings
from cropbase.atomic import atomic_path
from cropbase.errors import CompletenessError, InputError
from cropbase.jobs import progress
from cropbase.rasters import TILE, write_cog
from cropbase.tables import read_table

log = logging.getLogger(__name__)

_TITLES = {"I": "irrigated", "H": "rainfed, high input", "L": "rainfed, low input", "A": "all"}


def write_maps(
    *,
    cells: Path,
    areas: Sequence[Path],
    targets: Path,
    members: Path,
    systems_areas: Path,
    slack: Sequence[Path],
    maps: MapSettings,
    year: int,
    folder: Path,
    account_path: Path,
    known_for: Literal["target", "whole_area"] = "target",
) -> list[Path]:
    """Write the maps of one year and the account of every hectare.

    Parameters
    ----------
    cells : `grid/cells.parquet`. areas, slack : those of every group of `allocate`.
    targets, members : tables of `harmonise_statistics`. systems_areas : that of
        `classify_systems`.
    folder : a map a crop of `targets` and system: (rows, columns) of the case's grid, EPSG:4326,
        tiled COG, harvested hectares a cell, 0 where the crop is not, nodata outside the case.
        A = (I + H) + L in the type that is stored, so the files agree bit by bit. Overviews are
        means: hectares a cell of the full resolution.
    account_path : CSV, see `account_of_maps`; the maps' areas are those of the stored values.
    known_for : `systems.known_for`; systems are judged a target only where they are known so.

    Returns the maps' paths. Raises InputError for tables that cannot be used and CompletenessError
    where a map lacks or adds more than `maps.tolerance_share` of a target's statistic less its
    reported slack; the account is written before, so that the user sees where.
    """
    _, places = Places.read(cells)
    allocated = crops_of_areas(areas)
    wanted = _of_year(read_table(targets), year, targets)
    by_system = _of_year(read_table(systems_areas), year, systems_areas)
    covers = _of_year(read_table(members), year, members)
    crops = sorted(wanted["crop"].unique())
    foreign = sorted(set(allocated) - set(crops))
    if foreign:
        raise CompletenessError(
            f"areas are allocated to {', '.join(foreign)}, of which {targets} has no target",
            remedy="run the allocation of this year anew",
        )
    leaf = read_table(cells, columns=["cell_id", "leaf_id"]).sort_values("cell_id")["leaf_id"]
    written, sums = [], []
    for crop in progress(crops, what=f"maps of {year}", unit="crops"):
        layers = _layers(read_areas(areas, crop), places, maps.dtype)
        for system in MAP_SYSTEMS:
            path = Path(folder) / map_name(maps, crop=crop, system=system, year=year)
            _write(path, layers[system], places, maps, crop=crop, system=system, year=year)
            written.append(path)
            by_leaf = pd.Series(layers[system].astype(np.float64)).groupby(leaf.to_numpy()).sum()
            sums.append(
                by_leaf.rename("map_ha").rename_axis("leaf_id").reset_index().assign(
                    crop=crop, system=system
                )
            )  # fmt: skip
    account = account_of_maps(
        map_sums=pd.concat(sums, ignore_index=True),
        targets=wanted,
        members=covers,
        systems_areas=by_system,
        slack=read_slack(slack),
        known_for=known_for,
    )
    with atomic_path(account_path) as path:
        account.to_csv(path, index=False, lineterminator="\n", float_format="%.12g")
    check_account(account, tolerance_share=maps.tolerance_share, path=account_path)
    return written


def read_slack(paths: Sequence[Path]) -> pd.DataFrame:
    """The slack of all groups: `kind, unit_id, crop, system, hectares`."""
    columns = ["kind", "unit_id", "crop", "system", "hectares"]
    parts = [pd.DataFrame(columns=columns)]
    for path in paths:
        try:
            part = pd.read_csv(path, dtype={name: str for name in columns[:-1]}, encoding="utf-8")
            parts.append(part[columns])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"table of slack {path} cannot be read", given=error) from None
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _of_year(table: pd.DataFrame, year: int, path: Path) -> pd.DataFrame:
    chosen = table[table["year"] == year]
    if chosen.empty:
        raise InputError(
            f"table {path} has no row of {year}",
            given=", ".join(str(y) for y in sorted(table["year"].unique())),
        )
    return chosen


def _layers(table: pd.DataFrame, places: Places, dtype: str) -> dict[str, np.ndarray]:
    """System -> (n_cells,) of `dtype`, hectares; A sums what is stored of the others."""
    layers = {}
    for system in "IHL":
        rows = table[table["system"] == system]
        layer = np.zeros(len(places.cell_id), dtype=dtype)
        layer[places.positions(rows["cell_id"].to_numpy())] = rows["harvested_ha"].to_numpy()
        layers[system] = layer
    layers["A"] = (layers["I"] + layers["H"]) + layers["L"]
    return layers


def _write(
    path: Path,
    values: np.ndarray,
    places: Places,
    maps: MapSettings,
    *,
    crop: str,
    system: str,
    year: int,
) -> None:
    nodata = float(maps.nodata)
    title = f"Harvested area of {crop}, {_TITLES[system]}, {year}"
    tags = {
        "title": title,
        "crop": crop,
        "system": system,
        "year": str(year),
        "unit": "hectares of harvested area a cell",
        "source": maps.source,
        "version": maps.version,
        "note": maps.note,
    }

    def windows() -> Iterator[tuple[Window, np.ndarray]]:
        for top in range(0, places.height, TILE):
            bottom = min(top + TILE, places.height)
            first, last = np.searchsorted(places.rows, [top, bottom])
            strip = np.full((1, bottom - top, places.width), nodata, dtype=maps.dtype)
            strip[0, places.rows[first:last] - top, places.columns[first:last]] = values[first:last]
            yield Window(0, top, places.width, bottom - top), strip

    write_cog(
        path,
        windows(),
        height=places.height,
        width=places.width,
        bands=1,
        dtype=maps.dtype,
        transform=places.transform,
        nodata=nodata,
        compression=maps.compression,
        overview_resampling="average",
        tags={key: value for key, value in tags.items() if value},
        descriptions=[f"{title} (ha a cell)"],
    )
