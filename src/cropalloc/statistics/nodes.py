"""Rule `average_statistics`: five-year means at the node years, and interpolation between them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.settings.statistics import StatisticsSettings
from cropbase.errors import InputError
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

SERIES = ["unit_id", "crop", "variable"]


def average_statistics(
    *,
    reported: str | Path,
    units: str | Path,
    statistics: StatisticsSettings,
    nodes_path: str | Path,
) -> None:
    """Means of the years around each node, and linear interpolation inside a series.

    Source: paper, Harmonization of statistical data ("statistical values from 1988 to 1992 were
    utilized to map the crop patterns in 1990").

    Parameters
    ----------
    reported, units : tables of `read_statistics`.
    statistics : uses `nodes`, `half_width_years`, `extend`.
    nodes_path : output with the columns of `reported`; `year` is the node, `value` in hectares,
        `flag` is `mean_of_<n>` (n years), `interpolated` or `extended`.

    Raises InputError if no figure lies near any node.
    """
    figures = read_table(reported)
    table = node_values(
        figures,
        nodes=statistics.nodes,
        half_width_years=statistics.half_width_years,
        extend=statistics.extend,
    )
    if table.empty:
        raise InputError(
            f"no figure lies within {statistics.half_width_years} years of a node",
            given=f"figures of {figures['year'].min()} to {figures['year'].max()}, "
            f"nodes {', '.join(map(str, statistics.nodes))}",
            remedy="set `statistics.nodes` to years that the statistics cover",
        )
    for node in sorted(set(statistics.nodes) - set(table["year"])):
        log.warning("node %d has no figure", node)
    known = read_table(units).rename(columns={"name": "unit_name"})
    table = table.merge(known, on="unit_id", how="left", validate="m:1")
    order = ["variable", "crop", "year", "level", "unit_id"]
    table = table.sort_values(order, ignore_index=True)[list(figures.columns)]
    log.info("%s", table["flag"].value_counts().to_dict())
    write_table(table, nodes_path)


def node_values(
    figures: pd.DataFrame, *, nodes: list[int], half_width_years: int, extend: bool
) -> pd.DataFrame:
    """Node values of every series (unit, crop, variable).

    `figures` has the columns `unit_id, crop, variable, year, value, source`, one value a year; the
    result has `unit_id, crop, variable, year, value, unit_of_measure, source, flag`, hectares, a
    row where a node has a value. Means of fewer years than the window holds are no fault: the flag
    counts the years.
    """
    means = []
    for node in nodes:
        near = figures[(figures["year"] - node).abs() <= half_width_years]
        grouped = near.groupby(SERIES, sort=True)
        mean = grouped.agg(
            value=("value", "mean"),
            count=("value", "size"),
            source=("source", lambda names: "; ".join(sorted(set(names)))),
        ).reset_index()
        means.append(mean.assign(year=node))
    known = pd.concat(means, ignore_index=True)
    known["flag"] = [f"mean_of_{count}" for count in known["count"]]
    filled = _fill(known, np.asarray(nodes), extend)
    table = pd.concat([known.drop(columns="count"), filled], ignore_index=True)
    return table.assign(unit_of_measure="ha")[
        [*SERIES, "year", "value", "unit_of_measure", "source", "flag"]
    ]


def _fill(known: pd.DataFrame, nodes: np.ndarray, extend: bool) -> pd.DataFrame:
    """Values of the nodes that a series lacks between (or, extended, beyond) its own nodes."""
    rows = []
    for names, series in known.groupby(SERIES, sort=True):
        if len(series) == len(nodes):
            continue
        series = series.sort_values("year")
        years, values = series["year"].to_numpy(), series["value"].to_numpy()
        for node in nodes[~np.isin(nodes, years)]:
            place = int(np.searchsorted(years, node))
            inside = 0 < place < len(years)
            if not inside and not extend:
                continue
            value = float(np.interp(node, years, values))
            used = series.iloc[[place - 1, place] if inside else [0 if place == 0 else -1]]
            sources = sorted({part for text in used["source"] for part in text.split("; ")})
            flag = "interpolated" if inside else "extended"
            rows.append((*names, int(node), value, "; ".join(sources), flag))
    return pd.DataFrame(rows, columns=[*SERIES, "year", "value", "source", "flag"])
