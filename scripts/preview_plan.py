"""Rule preview_plan: tile requests, disk and hours of a province."""

from pathlib import Path

from pydantic import TypeAdapter

from cropbase.jobs import run_job
from croplayer.report.preview import write_preview
from croplayer.settings.grid import GridSettings, PlanSettings
from croplayer.settings.sources import Source

run_job(
    snakemake,
    lambda: write_preview(
        title=snakemake.params.title,
        table=Path(snakemake.output.table),
        page=Path(snakemake.output.page),
        blocks=Path(snakemake.input.blocks),
        grid=GridSettings(**snakemake.params.grid).grid(),
        halo_pixels=snakemake.params.halo_pixels,
        sources=TypeAdapter(dict[str, Source]).validate_python(snakemake.params.sources),
        rates=PlanSettings(**snakemake.params.plan),
    ),
)
