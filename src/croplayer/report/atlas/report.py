"""Write the report of a province: one page, and a folder of map tiles beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import geopandas as gpd

from cropbase.atlas.items import item_parts
from cropbase.atlas.mapdata import RasterLayer, map_data
from cropbase.atlas.page import write_report
from cropbase.atlas.pyramid import Pyramid, write_pyramid
from croplayer.comparison.download import listed_files
from croplayer.grid import BlockGrid
from croplayer.grid.planning import read_plan
from croplayer.report.areas import scenario_text
from croplayer.report.atlas.blocks import block_data
from croplayer.report.atlas.foot import at_a_glance, foot_html
from croplayer.report.atlas.layers import (
    product_layers,
    province_layers,
    province_outlines,
    tile_degrees,
)
from croplayer.report.contents import CONTENTS, WHEN
from croplayer.report.results import read_result
from croplayer.settings.products import Product
from croplayer.settings.regions import counties_of, region_of


@dataclass(frozen=True)
class Results:
    """The files of a run that its report is made from.

    Parameters
    ----------
    blocks : the plan. known : of `tabulate_blocks`.
    mosaics, masks, quality : source -> files of its shards, A first.
    maps, features : files of the shards. semantic, options, extents, lock : of the province.
    province, stopping : of the validation. models : stage -> (card, weights).
    compared : blocks beside products, None without any. products : files of each.
    """

    blocks: Path
    known: Path
    mosaics: Mapping[str, Sequence[Path]]
    masks: Mapping[str, Sequence[Path]]
    maps: Sequence[Path]
    quality: Mapping[str, Sequence[Path]]
    features: Sequence[Path]
    semantic: Path
    options: Path
    extents: Path
    lock: Path
    province: Path
    stopping: Path
    models: Mapping[str, tuple[Path, Path]]
    compared: Path | None = None
    products: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """All of them."""
        found: list[Path] = []
        for value in vars(self).values():
            if isinstance(value, Path):
                found.append(value)
            elif isinstance(value, Mapping):
                found += chain.from_iterable(value.values())
            elif value is not None:
                found += value
        return found


def write_province_report(
    results: Results,
    *,
    output: Path,
    tiles: Path,
    name: str,
    province: Mapping[str, Any],
    grid: BlockGrid,
    parts: Collection[str],
    label_round: int,
    configuration: Mapping[str, Any],
    products: Mapping[str, Product],
    tiles_megabytes: float,
    note: str = "",
    threads: int = 1,
) -> None:
    """Write the page `output` and the folder `tiles` beside it.

    Parameters
    ----------
    name : of the province. province : the section of the configuration, as plain values.
    parts : keys of `contents.WHEN` besides `always` that this run has.
    configuration : the effective one, shown in the foot. products : entries of the catalogue.
    tiles_megabytes : what the tiles may take (`cropbase.atlas.pyramid.choose_zoom`).
    note : what must be said of generated data.

    Figures and tables are those of `croplayer.report.contents`, read from `output`'s folder.
    Raises InputError for files that cannot be read.
    """
    plan = read_plan(results.blocks)
    numbered, others, absent = item_parts(
        CONTENTS, output.parent, parts={"always", *parts}, missing=WHEN
    )
    layers, pyramid = _write_tiles(
        results,
        plan,
        tiles,
        grid=grid,
        products=products,
        attributions=_attributions(configuration),
        budget_bytes=round(tiles_megabytes * 1e6),
        threads=threads,
    )
    sources = ", ".join(f"{source} ({'AB'[k]})" for k, source in enumerate(results.mosaics))
    lead = [
        f"{len(plan):,} blocks of {grid.block_degrees:g}°, {plan['inside_ha'].sum():,.0f} ha; "
        f"imagery: {sources}. Areas are hectares on the ellipsoid.",
        *at_a_glance(results.province, results.stopping),
    ]
    foot = foot_html(
        province=name,
        title=province["title"],
        label_round=label_round,
        lock=results.lock,
        models=results.models,
        configuration=configuration,
        imagery=_attributions(configuration),
        products=products,
        inputs=results.files(),
        note=note,
    )
    write_report(
        output,
        title=f"Cropland of {province['title']}",
        lead=lead,
        note=note,
        atlas=_map(
            results,
            plan,
            layers=layers,
            pyramid=pyramid,
            folder=tiles.name,
            province=province,
            grid=grid,
            titles={key: product.title for key, product in products.items()},
        ),
        groups=[
            ("paper", "Figures and tables of the paper", numbered),
            ("more", "More of this run", others),
        ],
        absent=absent,
        foot=foot,
    )


def _write_tiles(
    results: Results,
    plan: gpd.GeoDataFrame,
    tiles: Path,
    *,
    grid: BlockGrid,
    products: Mapping[str, Product],
    attributions: Mapping[str, str],
    budget_bytes: int,
    threads: int,
) -> tuple[list[RasterLayer], Pyramid]:
    """The layers, and what was written of them."""
    with ExitStack() as stack:
        layers = province_layers(
            mosaics=results.mosaics,
            masks=results.masks,
            maps=results.maps,
            attributions=attributions,
        )
        files = {key: listed_files(paths) for key, paths in results.products.items()}
        layers += product_layers(products, files, grid, stack)
        pyramid = write_pyramid(
            [layer.tiles for layer in layers],
            boxes=plan.bounds.to_numpy(),
            folder=tiles,
            pixel_degrees=grid.pixel_degrees,
            budget_bytes=budget_bytes,
            threads=threads,
        )
    return layers, pyramid


def _map(
    results: Results,
    plan: gpd.GeoDataFrame,
    *,
    layers: Sequence[RasterLayer],
    pyramid: Pyramid,
    folder: str,
    province: Mapping[str, Any],
    grid: BlockGrid,
    titles: Mapping[str, str],
) -> dict[str, Any]:
    """What the map shows."""
    blocks = block_data(
        plan,
        known=results.known,
        grid=grid,
        sources=list(results.mosaics),
        quality=[*chain(*results.quality.values())],
        features=results.features,
        semantic=results.semantic,
        options=results.options,
        compared=results.compared,
        titles=titles,
    )
    outlines = province_outlines(
        counties=counties_of(dict(province), region_of(dict(province))),
        county_facts=_county_facts(results.province),
        extents=results.extents,
        tolerance_degrees=tile_degrees(pyramid.zooms[1]),
    )
    return map_data(
        bounds=tuple(plan.total_bounds),
        folder=folder,
        pyramid=pyramid,
        layers=layers,
        outlines=outlines,
        blocks=blocks,
    )


def _attributions(configuration: Mapping[str, Any]) -> dict[str, str]:
    return {
        source: str(entry.get("attribution") or "")
        for source, entry in configuration["sources"].items()
    }


def _county_facts(province_json: Path) -> dict[str, dict[str, Any]]:
    """County id -> what a pop-up says of it."""
    found = {}
    for county in read_result(province_json, level="province")["counties"]:
        areas = {
            f"cropland, {scenario_text(name).replace(chr(10), ' ')}, ha": values["cropland_ha"]
            for name, values in county["scenarios"].items()
        }
        found[str(county["county_id"])] = {"inside the province, ha": county["inside_ha"], **areas}
    return found
