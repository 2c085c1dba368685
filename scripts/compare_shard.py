"""Rule compare_shard: a shard of the final map beside one product."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.comparison.download import listed_files
from croplayer.comparison.shard import compare_shard
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import GridSettings
from croplayer.settings.products import ProductRaster
from croplayer.settings.regions import region_of

wildcards = snakemake.wildcards

run_job(
    snakemake,
    lambda: compare_shard(
        maps=[Path(snakemake.input.map)],
        files=listed_files(snakemake.input.product),
        name=wildcards.product,
        product=ProductRaster(**snakemake.params.product),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=wildcards.shard)),
        boundary=region_of(snakemake.params.province),
        grid=GridSettings(**snakemake.params.grid).grid(),
        output=Path(snakemake.output.table),
        classes=Path(snakemake.output.classes),
    ),
)
