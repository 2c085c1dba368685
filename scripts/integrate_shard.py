"""Rule integrate_shard: the final map of a shard."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.integrate import integrate_shard
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import GridSettings
from croplayer.settings.regions import region_of

sources = list(snakemake.params.sources)

run_job(
    snakemake,
    lambda: integrate_shard(
        masks={s: Path(path) for s, path in zip(sources, snakemake.input.masks, strict=True)},
        options=Path(snakemake.input.options),
        boundary=region_of(snakemake.params.province),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        grid=GridSettings(**snakemake.params.grid).grid(),
        sources=sources,
        output=Path(snakemake.output.map),
    ),
)
