"""Several provinces: how many a map brings within the tolerance of the official area (Fig. 16)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropbase.tables import read_csv, write_csv

AREA_COLUMNS = ("kind", "name", "title", "reading", "percent_of_official", "within_tolerance")


def compare_provinces(
    *, areas: dict[str, Path], titles: dict[str, str], output: Path, counts: Path
) -> pd.DataFrame:
    """Write the area tables of several provinces as one, and the count for each map.

    Parameters
    ----------
    areas : province -> its `areas.csv` (`croplayer.comparison.summary.area_table`).
    titles : province -> its name as people read it.

    The table: province, province_title, and the columns of `areas.csv`; scenarios of single sources
    are named by their place, `only A` and `only B`, because sources differ between provinces.
    Returns `count_within` of it, which is written to `counts`.
    """
    parts = []
    for province, path in areas.items():
        table = read_csv(path, AREA_COLUMNS)
        singles = [n for n in table["name"] if str(n).startswith("only_")]
        letters = {name: f"only {letter}" for name, letter in zip(singles, "AB", strict=False)}
        scenario = table["kind"] == "scenario"
        table.loc[scenario, "title"] = table.loc[scenario, "name"].replace(letters)
        table.loc[scenario, "name"] = table.loc[scenario, "title"]
        table.insert(0, "province_title", titles[province])
        table.insert(0, "province", province)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    write_csv(table, output)
    found = count_within(table)
    write_csv(found, counts)
    return found


def count_within(table: pd.DataFrame) -> pd.DataFrame:
    """kind, name, title, reading, judged, within: provinces with an official area that the map
    covers, and how many of them it brings within the tolerance."""
    judged = table[table["percent_of_official"].notna()]
    counted = judged.assign(within=judged["within_tolerance"].astype(bool))
    keys = ["kind", "name", "title", "reading"]
    found = counted.groupby(keys, sort=False)["within"].agg(["size", "sum"]).reset_index()
    return found.rename(columns={"size": "judged", "sum": "within"})
