"""The maps of a year's largest crops, found by name and account."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropalloc.export.names import find_maps
from cropalloc.report.maps import plot_maps
from cropalloc.settings.maps import MapSettings


def plot_crops(
    *,
    folder: Path,
    account: Path,
    maps: MapSettings,
    year: int,
    output: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Draw the six crops with the largest mapped area, largest first (PNG).

    Parameters
    ----------
    folder, account : what `write_maps` wrote of the year.

    Raises InputError if the folder holds no map of the year.
    """
    table = pd.read_csv(account, encoding="utf-8")
    area = table[table["system"] == "A"].groupby("crop")["map_ha"].sum()
    found = find_maps(folder, maps, year=year)
    ordered = sorted(found, key=lambda crop: (-area.get(crop, 0.0), crop))
    plot_maps(
        maps={crop: found[crop] for crop in ordered},
        output=output,
        title=title,
        note=note,
    )
