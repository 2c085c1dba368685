"""What a province will cost, before anything is fetched: requests, disk, hours."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from cropbase.atomic import write_json, write_text
from croplayer.grid import BlockGrid
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import PlanSettings
from croplayer.settings.sources import Source, XyzSource
from croplayer.tiles.coverage import count_tiles

STAGES_OF_A_SHARD = 4
"""Jobs of a shard and source: tiles, mosaic, quality, segmentation."""
STAGES_OF_A_BLOCK = 3
"""Jobs of a shard whatever the sources: terrain, features, final map."""


def preview(
    *,
    blocks: Path,
    grid: BlockGrid,
    halo_pixels: int,
    sources: dict[str, Source],
    rates: PlanSettings,
) -> dict[str, Any]:
    """The cost of a province.

    Parameters
    ----------
    blocks : the plan (`croplayer.grid.planning.plan_blocks`).
    halo_pixels : halo of a mosaic, pixels.
    sources : settings of each source.
    rates : speeds and sizes the hours and bytes are reckoned with.

    Returns a JSON-ready dict: blocks, shards, inside_ha, shard_jobs, job_start_hours, disk_bytes
    and, for each source, tile requests, bytes, and the hours of each stage. Hours of a download
    follow from the provider's rate, or from its daily quota where that is slower.
    """
    table = read_plan(blocks)
    shards = grid.shards(planned(table))
    windows = [grid.shard_window(s.blocks).buffered(halo_pixels) for s in shards]
    mosaic_megapixels = sum(w.height * w.width for w in windows) / 1e6
    block_megapixels = len(table) * grid.pixels_per_block**2 / 1e6
    jobs = len(shards) * (STAGES_OF_A_BLOCK + STAGES_OF_A_SHARD * len(sources))
    costs = {}
    for name, source in sources.items():
        requests = sum(count_tiles(source, grid, list(s.blocks), halo_pixels) for s in shards)
        costs[name] = {
            "tile_requests": requests,
            "tile_bytes": round(requests * rates.bytes_per_tile),
            "download_hours": _download_hours(requests, source),
            "mosaic_bytes": round(mosaic_megapixels * 1e6 * rates.mosaic_bytes_per_pixel),
            "mosaic_hours": mosaic_megapixels / rates.mosaic_megapixels_per_second / 3600,
            "segmentation_hours": block_megapixels
            / rates.segmentation_megapixels_per_second
            / 3600,
            "quality_and_features_hours": len(table) / rates.blocks_per_second / 3600,
        }
    return {
        "blocks": len(table),
        "shards": len(shards),
        "inside_ha": float(table["inside_ha"].sum()),
        "shard_jobs": jobs,
        "job_start_hours": jobs * rates.seconds_per_job / 3600,
        "disk_bytes": sum(c["tile_bytes"] + c["mosaic_bytes"] for c in costs.values()),
        "sources": costs,
    }


def _download_hours(requests: int, source: Source) -> float:
    if not isinstance(source, XyzSource) or not requests:
        return 0.0
    hours = requests / source.requests_per_second / 3600
    if source.daily_quota:
        # A day that has used up its quota waits for the next one.
        hours = max(hours, 24.0 * ((requests - 1) // source.daily_quota))
    return hours


def write_preview(*, title: str, table: Path, page: Path, **what: Any) -> None:
    """Write the preview as JSON (`table`) and as an HTML page; arguments as for `preview`."""
    cost = preview(**what)
    write_json(table, cost)
    write_text(page, _page(title, cost))


def _page(title: str, cost: dict[str, Any]) -> str:
    total = [
        ("Blocks", f"{cost['blocks']:,}"),
        ("Shards (jobs and files of a stage)", f"{cost['shards']:,}"),
        ("Area of the province", f"{cost['inside_ha']:,.0f} ha"),
        ("Jobs of shards", f"{cost['shard_jobs']:,}"),
        ("Start of these jobs, one after another", f"{cost['job_start_hours']:.1f} h"),
        ("Disk for tiles and mosaics", _bytes(cost["disk_bytes"])),
    ]
    parts = [f"<h1>Plan of {html.escape(title)}</h1>", _table(["What", "How much"], total)]
    rows = [
        (
            name,
            f"{c['tile_requests']:,}",
            _bytes(c["tile_bytes"]),
            f"{c['download_hours']:.1f}",
            _bytes(c["mosaic_bytes"]),
            f"{c['mosaic_hours']:.1f}",
            f"{c['segmentation_hours']:.1f}",
            f"{c['quality_and_features_hours']:.1f}",
        )
        for name, c in cost["sources"].items()
    ]
    head = [
        "Source",
        "Tile requests",
        "Tiles",
        "Download (h)",
        "Mosaics",
        "Mosaics (h)",
        "Segmentation (h)",
        "Quality, features (h)",
    ]
    parts.append(_table(head, rows))
    parts.append(
        "<p>Hours of one core (segmentation: of one device), reckoned from the rates under "
        "<code>plan</code> in the configuration; the download from the provider's rate and daily "
        "quota.</p>"
    )
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}"
        "table{border-collapse:collapse;margin:1em 0}"
        "td,th{border:1px solid #bbb;padding:.3em .7em;text-align:right}"
        "td:first-child,th:first-child{text-align:left}th{background:#eee}"
    )
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Plan of '
        f"{html.escape(title)}</title><style>{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    def row(cells, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(r, "td") for r in rows) + "</table>"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
