"""What a nation will cost: the previews of its provinces, added up stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cropbase.atomic import write_json, write_text
from cropbase.pages import Row, number, page, paragraph, table
from croplayer.report.preview import RECKONED, bytes_text
from croplayer.report.results import read_json

_SUMS = (
    "tile_requests",
    "tile_bytes",
    "mosaic_bytes",
    "mosaic_hours",
    "segmentation_hours",
    "quality_and_features_hours",
)


def nation_plan(previews: list[Path]) -> dict[str, Any]:
    """Add up the previews of provinces (`croplayer.report.preview`, JSON).

    Returns provinces (the previews, by descending number of blocks), blocks, shards, inside_ha,
    jobs (a rule each), job_start_hours, disk_bytes and, for each source, the sums of requests,
    bytes and hours over the provinces. A provider's rate and quota hold for all provinces together,
    so the hours of a download add up as well. Blocks and shards on a border belong to, and are
    counted in, each of the provinces that share them.
    """
    provinces = sorted((read_json(path) for path in previews), key=lambda cost: -cost["blocks"])
    names = list(dict.fromkeys(name for cost in provinces for name in cost["sources"]))
    sources = {}
    for name in names:
        costs = [cost["sources"][name] for cost in provinces if name in cost["sources"]]
        sources[name] = {key: sum(cost[key] for cost in costs) for key in _SUMS}
        sources[name]["download_hours"] = sum(cost["download_hours"] for cost in costs)
    rules = list(dict.fromkeys(rule for cost in provinces for rule in cost["jobs"]))
    total = {
        key: sum(cost[key] for cost in provinces)
        for key in ("blocks", "shards", "inside_ha", "job_start_hours", "disk_bytes")
    }
    jobs = {rule: sum(cost["jobs"].get(rule, 0) for cost in provinces) for rule in rules}
    return total | {"jobs": jobs, "sources": sources, "provinces": provinces}


def write_nation_plan(*, title: str, previews: list[Path], table: Path, page: Path) -> None:
    """Write the plan of a nation as JSON (`table`) and as an HTML page; see `nation_plan`."""
    plan = nation_plan(previews)
    write_json(table, {"title": title} | plan)
    write_text(page, _page(title, plan))


def _page(title: str, plan: dict[str, Any]) -> str:
    stages = [
        (
            name,
            number(f"{cost['tile_requests']:,}"),
            number(f"{cost['download_hours'] / 24:,.0f}"),
            number(bytes_text(cost["tile_bytes"])),
            number(f"{cost['mosaic_hours']:,.0f}"),
            number(bytes_text(cost["mosaic_bytes"])),
            number(f"{cost['segmentation_hours']:,.0f}"),
            number(f"{cost['quality_and_features_hours']:,.0f}"),
        )
        for name, cost in plan["sources"].items()
    ]
    stage_head = [
        "Source",
        number("Tile requests"),
        number("Download, days"),
        number("Tiles"),
        number("Mosaics, core hours"),
        number("Mosaics"),
        number("Segmentation, device hours"),
        number("Quality and features, core hours"),
    ]
    jobs = [(rule, number(f"{count:,}")) for rule, count in plan["jobs"].items()]
    jobs.append(Row(["all", number(f"{sum(plan['jobs'].values()):,}")], first=True))
    rows = [_province(cost["title"], cost) for cost in plan["provinces"]]
    rows.append(Row(_province("all", plan), first=True))
    head = [
        "Province",
        number("Blocks"),
        number("Shards"),
        number("Area, ha"),
        number("Tile requests"),
        number("Disk"),
        number("Segmentation, device hours"),
    ]
    return page(
        f"Plan of {title}",
        table(stage_head, stages),
        paragraph(RECKONED, "small"),
        table(["Rule", number("Jobs of the shards")], jobs),
        paragraph(
            f"Starting these jobs takes {plan['job_start_hours']:,.0f} core hours. Blocks and "
            "shards on a border are counted in each province that shares them.",
            "small",
        ),
        table(head, rows),
    )


def _province(title: str, cost: dict[str, Any]) -> list:
    sources = cost["sources"].values()
    return [
        title,
        number(f"{cost['blocks']:,}"),
        number(f"{cost['shards']:,}"),
        number(f"{cost['inside_ha']:,.0f}"),
        number(f"{sum(source['tile_requests'] for source in sources):,}"),
        number(bytes_text(cost["disk_bytes"])),
        number(f"{sum(source['segmentation_hours'] for source in sources):,.0f}"),
    ]
