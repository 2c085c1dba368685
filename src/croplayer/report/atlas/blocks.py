"""What is known of each block, for the map's colours and its pop-ups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from cropbase.atlas.mapdata import Blocks, BlockView, Fact
from cropbase.tables import read_table
from croplayer.grid import BlockGrid
from croplayer.report.block_classes import WORDS, option_words
from croplayer.report.block_maps import value_span
from croplayer.report.style import COVERAGE_COLOURS, OPTION_COLOURS, SEMANTIC_COLOURS

_STEPS = 32
_OF_SOURCE = (
    # Column of the tables, words, unit.
    ("coverage_type", "coverage type", ""),
    ("semantic_class", "semantic class", ""),
    ("p_tp", "probability of TP", ""),
    ("af", "area fraction of the mask", ""),
    ("area", "cropland of the mask", "ha"),
    ("n_regions", "regions", ""),
    ("solidity_mean", "solidity, mean", ""),
    ("solidity_total", "solidity, total", ""),
    ("en_mean", "Euler number, mean", ""),
    ("en_total", "Euler number, total", ""),
    ("sharpness", "sharpness (Eq. 1)", ""),
    ("hue", "hue", "°"),
    ("saturation", "saturation", ""),
    ("lightness", "lightness", ""),
    ("valid_fraction", "valid imagery", ""),
)
_OF_BLOCK = (
    ("elevation", "elevation", "m"),
    ("slope", "slope", "°"),
    ("ruggedness", "ruggedness", "m"),
    ("roughness", "roughness", "m"),
    ("consistency", "consistency (IoU of the masks)", ""),
)


def block_data(
    plan: gpd.GeoDataFrame,
    *,
    known: Path,
    grid: BlockGrid,
    sources: Sequence[str],
    quality: Sequence[Path],
    features: Sequence[Path],
    semantic: Path,
    options: Path,
    compared: Path | None = None,
    titles: Mapping[str, str] | None = None,
) -> Blocks:
    """Colourings and facts of the blocks in the plan's order.

    Parameters
    ----------
    known : of `tabulate_blocks`: cropland and area fraction of each block's final map, inside the
        province. sources : names, A first.
    quality, features : tables of the shards. semantic, options : of the province.
    compared, titles : blocks beside products, and the products' names; None without products.

    Raises InputError for tables that cannot be read.
    """
    ids = plan["block_id"].tolist()
    keys = ["block_id", "source"]
    by_source = _together(features).merge(read_table(semantic), on=keys, how="left")
    valid = _together(quality)[[*keys, "valid_fraction"]]
    by_source = by_source.merge(valid, on=keys, how="left").set_index(keys)
    once = by_source.groupby(level="block_id").first().reindex(ids)
    chosen = read_table(options).set_index("block_id").reindex(ids)
    columns = ["block_id", "cropland_ha", "unusable_ha", "af", "labelled"]
    ours = read_table(known, columns=columns).set_index("block_id").reindex(ids)
    share = ours["af"]

    def of(source: str, column: str) -> list:
        return by_source.xs(source, level="source")[column].reindex(ids).tolist()

    words = option_words(sources)
    facts = [
        Fact("county", "", [plan["county"].tolist()]),
        Fact("inside the province", "ha", [plan["inside_ha"].tolist()]),
        Fact("cropland, integrated map", "ha", [ours["cropland_ha"].tolist()]),
        Fact("area fraction, integrated map", "", [share.tolist()]),
        Fact("unusable imagery", "ha", [ours["unusable_ha"].tolist()]),
        Fact("labelled", "", [ours["labelled"].replace("", "no").tolist()]),
        Fact("integration option", "", [[words.get(name) for name in chosen["option"]]]),
        Fact("probability of the option", "", [_probability(chosen)]),
        Fact("corrected by hand", "", [_corrected(chosen)]),
        *_product_facts(compared, titles or {}, ids),
        *(Fact(text, unit, [once[name].tolist()]) for name, text, unit in _OF_BLOCK),
        *(
            Fact(text, unit, [_worded(of(source, name)) for source in sources])
            for name, text, unit in _OF_SOURCE
        ),
    ]
    return Blocks(
        size_degrees=grid.block_degrees,
        ids=ids,
        rows=plan["row"].tolist(),
        cols=plan["col"].tolist(),
        views=_views(share, once, chosen, of, sources, words),
        heads=[f"{'AB'[k]}: {source}" for k, source in enumerate(sources)],
        facts=facts,
    )


def _views(
    share: pd.Series,
    once: pd.DataFrame,
    chosen: pd.DataFrame,
    of: Callable[[str, str], list],
    sources: Sequence[str],
    words: Mapping[str, str],
) -> list[BlockView]:
    views = [
        BlockView(
            "af",
            "Area fraction of cropland, integrated map (Fig. 17)",
            share.tolist(),
            shades=_shades("YlGn"),
        )
    ]
    options = {name: (words[name], colour) for name, colour in OPTION_COLOURS.items()}
    views.append(
        BlockView(
            "option", "Integration option (Fig. 10)", chosen["option"].tolist(), classes=options
        )
    )
    for column, title, colours in (
        ("coverage_type", "Coverage type (Fig. 6)", COVERAGE_COLOURS),
        ("semantic_class", "Semantic class (Fig. 9)", SEMANTIC_COLOURS),
    ):
        classes = {name: (WORDS[name], colour) for name, colour in colours.items()}
        views += [
            BlockView(f"{column}_{source}", f"{title}: {source}", of(source, column), classes)
            for source in sources
        ]
    sharpness = {source: of(source, "sharpness") for source in sources}
    low, high = value_span(pd.Series(np.concatenate(list(sharpness.values())), dtype=float))
    views += [
        BlockView(
            f"sharpness_{source}",
            f"Sharpness (Fig. 7): {source}",
            values,
            shades=_shades("viridis"),
            low=low,
            high=high,
        )
        for source, values in sharpness.items()
    ]
    for column, title, unit in (
        ("consistency", "Consistency: IoU of the two masks", ""),
        ("slope", "Slope, median", "degrees"),
    ):
        values = once[column].astype(float)
        low, high = (0.0, 1.0) if column == "consistency" else value_span(values)
        views.append(
            BlockView(
                column,
                title,
                values.tolist(),
                shades=_shades("cividis"),
                low=low,
                high=high,
                unit=unit,
            )
        )
    return views


def _product_facts(compared: Path | None, titles: Mapping[str, str], ids: list) -> list[Fact]:
    if compared is None:
        return []
    table = read_table(compared, columns=["block_id", "product", "af_strict"])
    table = table.set_index(["product", "block_id"])["af_strict"]
    return [
        Fact(f"area fraction, {title}", "", [table.loc[name].reindex(ids).tolist()])
        for name, title in titles.items()
    ]


def _together(paths: Sequence[Path]) -> pd.DataFrame:
    return pd.concat([read_table(path) for path in paths], ignore_index=True)


def _worded(values: list) -> list:
    return [WORDS.get(value, value) if isinstance(value, str) else value for value in values]


def _probability(chosen: pd.DataFrame) -> list[float | None]:
    """What the model thinks of the option that was taken; None where a person took it."""
    return [
        None if row.corrected is True or not isinstance(row.option, str) else value
        for row, value in zip(
            chosen.itertuples(),
            (getattr(row, f"p_{row.option}", None) for row in chosen.itertuples()),
            strict=True,
        )
    ]


def _corrected(chosen: pd.DataFrame) -> list[str | None]:
    return [
        (f"yes: {row.reason}" if row.reason else "yes") if row.corrected is True else "no"
        for row in chosen.itertuples()
    ]


def _shades(name: str) -> tuple[str, ...]:
    return tuple(to_hex(colormaps[name](step)) for step in np.linspace(0, 1, _STEPS))
