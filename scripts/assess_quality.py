"""Rule assess_quality: coverage type, sharpness and HSL of a shard's blocks."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.grid.planning import planned, read_plan
from croplayer.quality.assess import assess_quality
from croplayer.settings.grid import GridSettings
from croplayer.settings.quality import QualitySettings

run_job(
    snakemake,
    lambda: assess_quality(
        mosaic=Path(snakemake.input.mosaic),
        source_name=snakemake.wildcards.source,
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        grid=GridSettings(**snakemake.params.grid).grid(),
        model_dir=Path(snakemake.input.model).parent,
        settings=QualitySettings(**snakemake.params.quality),
        output=Path(snakemake.output.quality),
        threads=snakemake.threads,
    ),
)
