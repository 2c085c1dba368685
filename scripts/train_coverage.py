"""Rule train_coverage: the classifier of coverage types."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.quality.train import train_coverage
from croplayer.settings.grid import GridSettings
from croplayer.settings.quality import QualitySettings

run_job(
    snakemake,
    lambda: train_coverage(
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        labels=Path(snakemake.input.labels),
        blocks=Path(snakemake.input.blocks),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=QualitySettings(**snakemake.params.quality),
        model_dir=Path(snakemake.output.model).parent,
        confusion_png=Path(snakemake.output.confusion),
        threads=snakemake.threads,
    ),
)
