"""Prices of crops at one node year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cropalloc.settings.suitability import PriceSettings
from cropalloc.statistics.crops import Concordance
from cropbase.errors import InputError
from cropbase.tables import read_csv


def read_prices(
    settings: PriceSettings, concordance: Concordance, crops: list[str], year: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Price a tonne of every crop, and the crop that it was taken from where that is another.

    Raises InputError naming every crop without a price at that year and without a fallback, a
    price that is no positive number, and a crop with two prices.
    """
    path = settings.path
    wanted = [settings.crop_column, settings.price_column, settings.year_column]
    wanted = [column for column in wanted if column is not None]
    table = read_csv(path, wanted, what="price table", key="suitability.prices")
    years = None
    if settings.year_column is not None:
        years = ", ".join(sorted({str(value) for value in table[settings.year_column]}))
        table = table[table[settings.year_column] == year]
    prices: dict[str, float] = {}
    for line, row in zip(table.index + 2, table.to_dict("records"), strict=True):
        crop = concordance.try_find(str(row[settings.crop_column]), settings.vocabulary)
        if crop is None:
            continue  # a price of a crop that the case does not know harms nobody
        given = row[settings.price_column]
        if pd.isna(given):
            continue  # the same as no row
        price = pd.to_numeric(given, errors="coerce")
        if not np.isfinite(price):
            raise InputError(
                f"price table {path}, line {line}: the price of {crop} is no number",
                given=repr(given),
                remedy="write a number with a decimal point, or leave it empty",
            )
        if price <= 0:
            raise InputError(
                f"price table {path}, line {line}: the price of {crop} is not above 0",
                given=row[settings.price_column],
            )
        if crop in prices and prices[crop] != price:
            raise InputError(
                f"price table {path}, line {line}: {crop} has two prices",
                given=f"{prices[crop]:g} and {price:g}",
                remedy="name the column with the year under prices.year_column, or drop one",
            )
        prices[crop] = float(price)
    taken: dict[str, str] = {}
    missing = []
    for crop in crops:
        if crop in prices:
            continue
        other = settings.fallbacks.get(crop)
        if other in prices:
            taken[crop] = other
        else:
            missing.append(crop)
    if missing:
        when = f" of {year}" if settings.year_column is not None else ""
        raise InputError(
            f"price table {path} has no price{when} of {', '.join(missing)}",
            given=f"rows of {years}" if years is not None and not prices else None,
            allowed=f"priced are {', '.join(sorted(prices))}" if prices else None,
            remedy="add a row for each, or name a crop with a like price under "
            f"suitability.prices.fallbacks, e.g. `{missing[0]}: {min(prices, default='wheat')}`",
        )
    for crop, other in taken.items():
        prices[crop] = prices[other]
    return {crop: prices[crop] for crop in crops}, taken
