"""Rule plan_blocks: the planned blocks of a province."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.grid.planning import plan_blocks
from croplayer.settings.grid import GridSettings
from croplayer.settings.regions import counties_of, region_of


def work():
    region = region_of(snakemake.params.province)
    plan_blocks(
        province=snakemake.wildcards.province,
        region=region,
        counties=counties_of(snakemake.params.province, region),
        grid=GridSettings(**snakemake.params.grid).grid(),
        output=Path(snakemake.output.blocks),
    )


run_job(snakemake, work)
