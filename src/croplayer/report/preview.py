"""What a province will cost, before anything is fetched: requests, disk, hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cropbase.atomic import write_json, write_text
from cropbase.pages import number, paragraph
from cropbase.pages import page as html_page
from cropbase.pages import table as html_table
from croplayer.grid import BlockGrid
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import PlanSettings
from croplayer.settings.sources import Source, XyzSource
from croplayer.tiles.coverage import count_tiles

RULES_OF_A_SOURCE = ("build_mosaic", "assess_quality", "segment_shard")
"""Rules with a job for each shard and source; `fetch_tiles` too where tiles are fetched."""
RULES_OF_A_SHARD = ("measure_terrain", "measure_features", "integrate_shard")
"""Rules with a job for each shard, whatever the sources."""


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

    Returns a JSON-ready dict: blocks, shards, inside_ha, jobs (of the shards, a rule each),
    job_start_hours, disk_bytes and, for each source, tile requests, bytes, and the hours of each
    stage. Hours of a download follow from the provider's rate, or from its daily quota where that
    is slower.
    """
    table = read_plan(blocks)
    shards = grid.shards(planned(table))
    windows = [grid.shard_window(s.blocks).buffered(halo_pixels) for s in shards]
    mosaic_megapixels = sum(w.height * w.width for w in windows) / 1e6
    block_megapixels = len(table) * grid.pixels_per_block**2 / 1e6
    fetched = sum(isinstance(source, XyzSource) for source in sources.values())
    jobs = {"fetch_tiles": len(shards) * fetched}
    jobs |= {rule: len(shards) * len(sources) for rule in RULES_OF_A_SOURCE}
    jobs |= {rule: len(shards) for rule in RULES_OF_A_SHARD}
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
        "jobs": jobs,
        "job_start_hours": sum(jobs.values()) * rates.seconds_per_job / 3600,
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
    write_json(table, {"title": title} | cost)
    write_text(page, _page(title, cost))


def _page(title: str, cost: dict[str, Any]) -> str:
    total = [
        ("Blocks", number(f"{cost['blocks']:,}")),
        ("Shards (jobs and files of a stage)", number(f"{cost['shards']:,}")),
        ("Area of the province", number(f"{cost['inside_ha']:,.0f} ha")),
        ("Start of the jobs, one after another", number(f"{cost['job_start_hours']:.1f} h")),
        ("Disk for tiles and mosaics", number(bytes_text(cost["disk_bytes"]))),
    ]
    rows = [
        (
            name,
            number(f"{c['tile_requests']:,}"),
            number(bytes_text(c["tile_bytes"])),
            number(f"{c['download_hours']:,.1f}"),
            number(bytes_text(c["mosaic_bytes"])),
            number(f"{c['mosaic_hours']:,.1f}"),
            number(f"{c['segmentation_hours']:,.1f}"),
            number(f"{c['quality_and_features_hours']:,.1f}"),
        )
        for name, c in cost["sources"].items()
    ]
    head = [
        "Source",
        number("Tile requests"),
        number("Tiles"),
        number("Download (h)"),
        number("Mosaics"),
        number("Mosaics (h)"),
        number("Segmentation (h)"),
        number("Quality, features (h)"),
    ]
    jobs = [(rule, number(f"{count:,}")) for rule, count in cost["jobs"].items()]
    return html_page(
        f"Plan of {title}",
        html_table(["What", number("How much")], total),
        html_table(head, rows),
        paragraph(RECKONED, "small"),
        html_table(["Rule", number("Jobs of the shards")], jobs),
    )


RECKONED = (
    "Hours of one core (segmentation: of one device), reckoned from the rates in the section plan "
    "of the configuration, which python -m croplayer.report.rates takes from a run of your own. "
    "The download follows from the provider's rate and daily quota."
)


def bytes_text(count: float) -> str:
    """A number of bytes as people read it, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} PB"
