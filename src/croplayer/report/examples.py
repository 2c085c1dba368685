"""Pictures of what the words mean: coverage types (Table 1, Fig. 2), label classes (Table 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes

from cropbase.figures import image, save_figure, scale_bar
from cropbase.tables import read_csv, read_geotable, write_csv
from croplayer.blocks.classes import COVERAGE_TYPES
from croplayer.report.block_classes import WORDS
from croplayer.report.block_table import read_block_tables
from croplayer.report.shards import read_imagery
from croplayer.report.style import INK, PAPER, YELLOW, Extent, draw_rings, fonts, new_figure

PIXELS = 260
"""Longer edge of a picture."""
COVERAGE_MEANINGS = {
    "planting": "crops stand on the fields",
    "non_planting": "fields are bare, harvested or fallow",
    "snow_ice": "snow or ice covers the ground",
    "cloudy": "clouds or haze hide the ground",
    "nodata": "the provider has no image there",
}
CLASS_MEANINGS = {
    "cropland": "cropland of any kind",
    "paddy": "for rice, lotus and other crops that stand in water, also in turn with dry ones",
    "irrigated_dry": "watered by people, or without any irrigation",
    "terraces": "strips or steps along the contours of a slope",
    "fallow": "not planted for the time being",
    "greenhouse": "under plastic, the soil below unchanged",
    "scattered_trees": "crops with single trees between them",
    "no cropland": "extents in which nothing is cropland, though some of it may look so",
}
NO_CROPLAND = "no cropland"


@dataclass(frozen=True)
class Example:
    """One picture: what ground, of which source, and what is written above it."""

    extent: Extent
    source: str
    title: str
    outlines: Sequence[shapely.Geometry] = ()


def plot_coverage_examples(
    *,
    blocks: Sequence[Path],
    labels: Path | None,
    mosaics: Mapping[str, list[Path]],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
    most: int = 5,
) -> None:
    """Blocks of each coverage type (PNG, Fig. 2), and the types with their counts (CSV, Table 1).

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`). labels : labelled coverage types (`block_id, source,
        coverage_type`); None where the model was trained elsewhere: examples are then predicted.
    mosaics : source -> rasters of its shards, A first. most : pictures of a type.

    `table_csv`: `coverage_type, meaning`, and for each source `labelled_<source>` and
    `predicted_<source>`, counts of blocks.
    """
    table = read_block_tables(blocks)
    letters = dict(zip(mosaics, "ab", strict=False))
    predicted = pd.concat(
        table[["block_id"]].assign(source=s, coverage_type=table[f"coverage_type_{k}"].astype(str))
        for s, k in letters.items()
    )
    labelled = predicted.iloc[:0]
    if labels is not None:
        labelled = read_csv(labels, ("block_id", "source", "coverage_type"))
    write_csv(_coverage_table(labelled, predicted, list(letters)), table_csv)
    shown = labelled if len(labelled) else predicted
    bounds = dict(zip(table["block_id"], table.bounds.to_numpy(), strict=True))
    shown = shown[shown["block_id"].isin(bounds)].sort_values(["source", "block_id"])
    rows = {}
    for name in COVERAGE_TYPES:
        mine = shown[shown["coverage_type"] == name]
        text = f"{WORDS[name]}\n{len(mine):,} {'labelled' if len(labelled) else 'predicted'}"
        rows[text] = [
            Example(tuple(bounds[row.block_id]), row.source, f"{row.block_id}\n{row.source}")
            for row in _spread(mine, most).itertuples()
        ]
    _draw(rows, mosaics, most, output, title, note)


def plot_label_examples(
    *,
    polygons: Path,
    extents: Path,
    mosaics: Mapping[str, list[Path]],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
    most: int = 5,
) -> None:
    """Drawn polygons of each class on imagery (PNG), and the classes counted (CSV; Table 2).

    Parameters
    ----------
    polygons, extents : checked labels (GeoParquet, EPSG:4326). mosaics : source -> rasters of its
        shards. most : pictures of a class.

    A picture shows a polygon of the class's middle sizes with what was drawn around it. The last
    class, no cropland, is that of extents without any polygon. `table_csv`: `class, meaning, count`
    (polygons, or extents), `area_ha`, `median_ha`, `smallest_ha`, `largest_ha`.
    """
    drawn, areas = read_geotable(polygons), read_geotable(extents)
    empty = areas[areas["polygons"] == 0].assign(**{"class": NO_CROPLAND})
    every = pd.concat([drawn, empty], ignore_index=True)
    write_csv(_class_table(every), table_csv)
    sources = list(mosaics)
    rows: dict[str, list[Example]] = {}
    for name in _class_order(every):
        mine = every[every["class"] == name].sort_values("area_ha", kind="stable")
        what = "extents" if name == NO_CROPLAND else "polygons"
        middle = mine.iloc[len(mine) // 4 : max(3 * len(mine) // 4, len(mine) // 4 + 1)]
        chosen = _spread(middle if len(middle) >= most else mine, most)
        rows[f"{name.replace('_', ' ')}\n{len(mine):,} {what}"] = [
            _around(row, sources[k % len(sources)], drawn)
            for k, row in enumerate(chosen.itertuples())
        ]
    _draw(rows, mosaics, most, output, title, note)


def _coverage_table(
    labelled: pd.DataFrame, predicted: pd.DataFrame, sources: Sequence[str]
) -> pd.DataFrame:
    rows = []
    for name in COVERAGE_TYPES:
        row = {"coverage_type": name, "meaning": COVERAGE_MEANINGS[name]}
        for source in sources:
            for what, table in (("labelled", labelled), ("predicted", predicted)):
                mine = (table["coverage_type"] == name) & (table["source"] == source)
                row[f"{what}_{source}"] = int(mine.sum())
        rows.append(row)
    return pd.DataFrame(rows)


def _class_table(every: pd.DataFrame) -> pd.DataFrame:
    sizes = every.groupby("class")["area_ha"].agg(["count", "sum", "median", "min", "max"])
    sizes = sizes.reindex(_class_order(every)).reset_index()
    sizes.columns = ["class", "count", "area_ha", "median_ha", "smallest_ha", "largest_ha"]
    sizes.insert(1, "meaning", [CLASS_MEANINGS.get(name, "") for name in sizes["class"]])
    return sizes


def _class_order(every: pd.DataFrame) -> list[str]:
    """The paper's order, then classes of the user's own by name, then what is no cropland."""
    known = [name for name in CLASS_MEANINGS if name != NO_CROPLAND]
    found = set(every["class"])
    own = sorted(found - set(known) - {NO_CROPLAND})
    return [name for name in [*known, *own, NO_CROPLAND] if name in found]


def _spread(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` rows, evenly spread over the table from the first to the last."""
    if len(table) <= most:
        return table
    return table.iloc[np.linspace(0, len(table) - 1, most).round().astype(int)]


def _around(row, source: str, drawn: gpd.GeoDataFrame) -> Example:
    """The square around a label, in degrees of latitude as wide as high on the ground."""
    west, south, east, north = row.geometry.bounds
    shrink = np.cos(np.radians((south + north) / 2))
    half = 0.6 * max((east - west) * shrink, north - south, 0.002)
    x, y = (west + east) / 2, (south + north) / 2
    extent = (x - half / shrink, y - half, x + half / shrink, y + half)
    source = row.source or source
    mine = drawn["source"].isin(["", source])  # what was drawn on the other's imagery is not there
    seen = drawn.geometry[mine & drawn.intersects(shapely.box(*extent))].to_numpy()
    return Example(extent, source, f"{row.area_ha:.3g} ha\n{source}", seen)


def _draw(
    rows: Mapping[str, Sequence[Example]],
    mosaics: Mapping[str, list[Path]],
    most: int,
    output: Path,
    title: str,
    note: str,
) -> None:
    """A row of pictures for each class, its name at the left."""
    rows = rows or {"nothing is labelled": []}
    columns = min(most, max([len(examples) for examples in rows.values()] + [1]))
    heights = [2.05 if examples else 0.6 for examples in rows.values()]
    figure = new_figure(1.3 + 1.75 * columns, 0.9 + sum(heights), title=title, note=note)
    panels = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for panel_row, (name, examples) in zip(panels, rows.items(), strict=True):
        for axes, example in zip(panel_row, _padded(examples, columns), strict=True):
            _picture(axes, example, mosaics)
        panel_row[0].set_ylabel(
            name if examples else f"{name}\nno example", fontsize=8.5, fontfamily=list(fonts()),
            rotation=0, ha="right", va="center", labelpad=6,
        )  # fmt: skip
    save_figure(figure, output)


def _padded(examples: Sequence[Example], length: int) -> Iterator[Example | None]:
    yield from examples
    yield from [None] * (length - len(examples))


def _picture(axes: Axes, example: Example | None, mosaics: Mapping[str, list[Path]]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    if example is None:
        axes.set_frame_on(False)
        return
    extent = example.extent
    west, south, east, north = extent
    axes.set_facecolor(PAPER)
    axes.imshow(read_imagery(mosaics[example.source], extent, PIXELS), extent=image(extent))
    for colour, width in ((INK, 1.6), (YELLOW, 0.8)):
        draw_rings(axes, example.outlines, color=colour, linewidth=width)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
    axes.set_title(example.title, fontsize=7, fontfamily=list(fonts()))
    scale_bar(axes, extent)
