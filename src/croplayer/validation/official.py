"""The official cropland area of a province, from its configuration or from a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_csv

COLUMNS = ("province", "area_ha", "source")


def official_area_ha(
    name: str, *, area_ha: float | None = None, table: str | Path | None = None
) -> float | None:
    """The official cropland area of province `name`, hectares; None where none is configured.

    Parameters
    ----------
    area_ha : the figure itself, if the configuration gives it.
    table : CSV with columns province, area_ha, source.

    Raises InputError if the table is absent, lacks a column or the province, names it twice, or
    holds an area that is not a positive number of hectares.
    """
    if table is None:
        return area_ha
    frame = read_csv(table, COLUMNS, what="table of official areas", as_text=True)
    rows = frame[frame["province"].str.strip() == name]
    if len(rows) != 1:
        raise InputError(
            f"table of official areas {table}: {len(rows)} rows for province {name!r}",
            allowed="exactly one",
        )
    text = rows["area_ha"].iloc[0]
    value = pd.to_numeric(text, errors="coerce")
    if not value > 0:
        raise InputError(
            f"table of official areas {table}: the area of province {name!r} is not positive",
            given=text,
            allowed="hectares above zero; leave official_area_table out if none is known",
        )
    return float(value)
