"""Rule measure_features: the 16 features of a shard's blocks."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.features import measure_features
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import GridSettings

sources = list(snakemake.params.sources)


def paths(files):
    return {source: Path(file) for source, file in zip(sources, files, strict=True)}


run_job(
    snakemake,
    lambda: measure_features(
        masks=paths(snakemake.input.masks),
        quality=paths(snakemake.input.quality),
        terrain=Path(snakemake.input.terrain),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        grid=GridSettings(**snakemake.params.grid).grid(),
        output=Path(snakemake.output.features),
        sources=sources,
        threads=snakemake.threads,
    ),
)
