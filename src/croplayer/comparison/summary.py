"""The province beside every product: agreement, structure, areas, definitions, findings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.tables import read_csv, read_table, write_csv, write_table
from croplayer.comparison.findings import gather_findings
from croplayer.comparison.measures import READINGS, deviation, readings
from croplayer.comparison.shard import PAIRS
from croplayer.grid.completeness import require_ids
from croplayer.grid.planning import read_plan
from croplayer.report.results import read_json, read_result
from croplayer.settings.comparison import ComparisonSettings
from croplayer.settings.products import Definition, Product
from croplayer.validation.confusion import Confusion
from croplayer.validation.province import compare_area

UNDISPUTED = "undisputed"
"""Reading by which pixels of unclear classes are left out of the agreement."""


def summarise_comparison(
    *,
    blocks: Path,
    tables: list[Path],
    classes: list[Path],
    terrain: list[Path],
    province_json: Path,
    products: dict[str, Product],
    own_definition: Definition,
    settings: ComparisonSettings,
    groups_csv: Path | None,
    output: Path,
) -> dict[str, Any]:
    """Pool the shards of every product and write the tables of the comparison into `output`.

    Parameters
    ----------
    blocks : the plan. tables, classes : what `compare_shard` wrote, of all shards and products.
    terrain : terrain tables, for the slope of each block.
    province_json : areas of the scenarios and the official area (`validate_province`).
    groups_csv : area of each group of Fig. 4 by the reference sample; None without a sample.

    Writes `blocks.parquet` (a row a block and product, with slope and the deviations of Eq. 6),
    `pixels.csv` (confusion and IoU by reading), `classes.csv` (what a product has under the
    cropland), `areas.csv` (percentage of the official area of products and scenarios),
    `slopes.csv` (Fig. 15), `definitions.csv` (the mismatch of definitions), `findings.csv` and
    `comparison.json` (flat numbers). Returns the last.

    Raises CompletenessError unless every product has every planned block once, InputError for
    unreadable files.
    """
    plan = read_plan(blocks)
    table = pd.concat([read_table(path) for path in tables], ignore_index=True)
    for name in products:
        mine = table[table["product"] == name]
        require_ids(mine, plan["block_id"], stage="compare_shard", path=f"product {name}")
    table = with_deviations(table, terrain)
    codes = _codes(classes, list(products))
    pixels = pixel_table(table, products)
    areas = area_table(table, products, read_result(province_json, level="province"), settings)
    groups = None if groups_csv is None else read_csv(groups_csv, ("group", "area_ha"))
    findings = gather_findings(
        table, codes, _file_findings(classes, list(products)), products, settings
    )
    write_table(table, output / "blocks.parquet")
    write_csv(pixels, output / "pixels.csv")
    write_csv(codes, output / "classes.csv")
    write_csv(areas, output / "areas.csv")
    write_csv(slope_table(table, settings), output / "slopes.csv")
    write_csv(definition_table(areas, products, own_definition, groups), output / "definitions.csv")
    write_csv(findings, output / "findings.csv")
    numbers = _numbers(pixels, areas, findings)
    write_json(output / "comparison.json", numbers)
    return numbers


def with_deviations(table: pd.DataFrame, terrain: Iterable[Path]) -> pd.DataFrame:
    """The block table with slope (degrees, median) and Div of Eq. 6 of every reading."""
    relief = pd.concat([read_table(path) for path in terrain], ignore_index=True)
    table = table.merge(relief[["block_id", "slope"]], on="block_id", how="left")
    for measure in ("af", "ed"):
        for reading in READINGS:
            table[f"div_{measure}_{reading}"] = deviation(
                table[f"{measure}_{reading}"], table[f"{measure}_ours"]
            )
    return table.sort_values(["product", "block_id"], ignore_index=True)


def confusion_of(sums: pd.Series, reading: str) -> Confusion:
    """The pooled pixels of `PAIRS` as counts with the final map as the truth.

    `strict` counts unclear classes as not cropland, `lenient` as cropland, `undisputed` leaves
    them out.
    """
    yes = ["in", "unclear"] if reading == "lenient" else ["in"]
    no = ["out", "unclear"] if reading == "strict" else ["out"]
    return Confusion(
        tp=int(sum(sums[f"px_crop_{k}"] for k in yes)),
        fp=int(sum(sums[f"px_other_{k}"] for k in yes)),
        fn=int(sum(sums[f"px_crop_{k}"] for k in no)),
        tn=int(sum(sums[f"px_other_{k}"] for k in no)),
    )


def pixel_table(table: pd.DataFrame, products: dict[str, Product]) -> pd.DataFrame:
    """A row a product and reading: counts, IoU and its kin, and the ground they speak of.

    Products without unclear classes have the strict reading alone, here and in the other tables.
    """
    rows = []
    for name, product in products.items():
        sums = table[table["product"] == name].drop(columns=["block_id", "product"]).sum()
        compared = sum(sums[f"ha_{pair}"] for pair in PAIRS)
        for reading in (*readings(product.unclear), *([UNDISPUTED] if product.unclear else [])):
            rows.append(
                {"product": name, "title": product.title, "reading": reading}
                | confusion_of(sums, reading).as_dict()
                | {
                    "compared_ha": compared,
                    "inside_ha": sums["inside_ha"],
                    "compared_share": compared / sums["inside_ha"],
                }
            )
    return pd.DataFrame(rows)


def area_table(
    table: pd.DataFrame,
    products: dict[str, Product],
    province: dict[str, Any],
    settings: ComparisonSettings,
) -> pd.DataFrame:
    """Percentage of the official area (Fig. 12 and 16): scenarios of this map, and products.

    A row a map and reading: kind (scenario or product), name, title, reading, cropland_ha,
    known_share (of the province that it says something about), official_area_ha,
    percent_of_official, within_tolerance. The last two are missing without an official area, and
    for a product that knows less of the province than `least_coverage`.
    """
    official, tolerance = province["official_area_ha"], province["area_tolerance"]
    rows = []
    for name, scenario in province["scenarios"].items():
        share = scenario["mapped_ha"] / province["inside_ha"]
        rows.append(("scenario", name, name, "strict", scenario["cropland_ha"], share, True))
    for name, product in products.items():
        sums = table[table["product"] == name][
            ["product_in_ha", "product_unclear_ha", "product_known_ha", "inside_ha"]
        ].sum()
        share = sums["product_known_ha"] / sums["inside_ha"]
        enough = share >= settings.least_coverage
        strict = sums["product_in_ha"]
        hectares = {"strict": strict, "lenient": strict + sums["product_unclear_ha"]}
        for reading in readings(product.unclear):
            area = hectares[reading]
            rows.append(("product", name, product.title, reading, area, share, enough))
    found = []
    for kind, name, title, reading, area, share, enough in rows:
        judged = compare_area(area, official if enough else None, tolerance)
        found.append(
            {
                "kind": kind,
                "name": name,
                "title": title,
                "reading": reading,
                "cropland_ha": area,
                "known_share": share,
                "official_area_ha": official,
                "percent_of_official": None if judged["ratio"] is None else 100 * judged["ratio"],
                "within_tolerance": judged["within_tolerance"],
                "tolerance_percent": 100 * tolerance,
            }
        )
    return pd.DataFrame(found)


def slope_table(table: pd.DataFrame, settings: ComparisonSettings) -> pd.DataFrame:
    """Deviations by slope class (Fig. 15): a row a product, reading and class.

    Blocks whose area fraction in the final map exceeds `least_af` and whose slope is known.
    Columns: product, reading, slope_from, slope_to (degrees), blocks, and the quartiles of the
    deviation of area fraction and of edge density.
    """
    edges = np.array([0.0, *settings.slope_edges_degrees, 90.0])
    counted = table[(table["af_ours"] > settings.least_af) & table["slope"].notna()]
    place = np.clip(np.digitize(counted["slope"], edges) - 1, 0, len(edges) - 2)
    rows = []
    for name in dict.fromkeys(table["product"]):
        for k in range(len(edges) - 1):
            mine = counted[(counted["product"] == name) & (place == k)]
            for reading in READINGS:
                row = {"product": name, "reading": reading}
                row |= {"slope_from": edges[k], "slope_to": edges[k + 1], "blocks": len(mine)}
                for measure in ("af", "ed"):
                    values = mine[f"div_{measure}_{reading}"]
                    for share, text in ((0.25, "q25"), (0.5, "median"), (0.75, "q75")):
                        row[f"div_{measure}_{text}"] = values.quantile(share)
                rows.append(row)
    return pd.DataFrame(rows)


def definition_table(
    areas: pd.DataFrame,
    products: dict[str, Product],
    ours: Definition,
    groups: pd.DataFrame | None,
) -> pd.DataFrame:
    """Where definitions differ, and what that does to the area.

    A row a product: the four groups of Fig. 4; `more` the groups that it holds and this map's
    definition does not, `less` the other way round, `unclear` those that it does not settle; areas
    of the strict and lenient readings. With a reference sample that tells groups apart also
    `definition_ha` and `definition_ha_unclear`: hectares that these groups add to or take from the
    area, were the product perfect, without and with the unclear ones.
    """
    known = (
        {}
        if groups is None or groups.empty
        else dict(zip(groups["group"], groups["area_ha"], strict=True))
    )
    rows = [{"product": "final_map", "title": "this map"} | ours.model_dump(mode="json")]
    for name, product in products.items():
        own = product.definition
        holds, may = set(own.groups("in")), set(own.groups("unclear"))
        wanted = set(ours.groups("in"))
        more, less = sorted(holds - wanted), sorted(wanted - holds - may)
        row = {"product": name, "title": product.title} | own.model_dump(mode="json")
        row |= {"more": ", ".join(more), "less": ", ".join(less), "unclear": ", ".join(sorted(may))}
        for reading in readings(product.unclear):
            mine = areas[(areas["name"] == name) & (areas["reading"] == reading)]
            row[f"{reading}_ha"] = mine["cropland_ha"].iloc[0]
        if known:
            surplus = sum(known[g] for g in more) - sum(known[g] for g in less)
            row["definition_ha"] = surplus
            row["definition_ha_unclear"] = surplus + sum(
                known[g] * (1 if g not in wanted else -1) for g in may
            )
        rows.append(row)
    return pd.DataFrame(rows)


def _codes(paths: list[Path], products: list[str]) -> pd.DataFrame:
    """Pixels of each code, summed over the shards: product, code, name, cropland, px_*."""
    rows = [
        {"product": name} | entry
        for name, value in _of_products(paths, products)
        for entry in value["classes"]
    ]
    keys = ["product", "code", "name", "cropland"]
    table = pd.DataFrame(rows, columns=[*keys, "px_crop", "px_other"])
    table = table.groupby(keys, as_index=False, dropna=False, sort=False).sum()
    return table.sort_values(["product", "code"], ignore_index=True)


def _file_findings(paths: list[Path], products: list[str]) -> dict[str, dict[str, set[str]]]:
    """product -> what is odd -> names of the files."""
    found: dict[str, dict[str, set[str]]] = {name: {} for name in products}
    for name, value in _of_products(paths, products):
        for text, files in value["findings"].items():
            found[name].setdefault(text, set()).update(files)
    return found


def _of_products(paths: list[Path], products: list[str]) -> list[tuple[str, dict[str, Any]]]:
    values = [(Path(path).parent.name, read_json(path)) for path in paths]
    for name, _ in values:
        if name not in products:
            raise InputError(f"folder {name} is of no product", allowed=", ".join(products))
    return values


def _numbers(pixels: pd.DataFrame, areas: pd.DataFrame, findings: pd.DataFrame) -> dict[str, Any]:
    """Flat numbers with units for the metrics of the run."""
    numbers: dict[str, Any] = {"findings": len(findings)}
    for row in pixels.itertuples():
        numbers[f"{row.product}_{row.reading}_iou"] = _plain(row.iou)
    for row in areas[areas["kind"] == "product"].itertuples():
        numbers[f"{row.name}_{row.reading}_ha"] = _plain(row.cropland_ha)
        numbers[f"{row.name}_{row.reading}_percent_of_official"] = _plain(row.percent_of_official)
    return numbers


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
