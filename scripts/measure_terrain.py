"""Rule measure_terrain: block medians of a shard's terrain."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import GridSettings
from croplayer.settings.terrain import TerrainSettings
from croplayer.terrain.measure import measure_terrain

run_job(
    snakemake,
    lambda: measure_terrain(
        dem=[Path(path) for path in snakemake.input.dem],
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=TerrainSettings(**snakemake.params.terrain),
        output=Path(snakemake.output.terrain),
    ),
)
