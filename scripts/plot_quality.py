"""Rule plot_quality: imagery and what is known of its quality."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.block_values import plot_quality

run_job(
    snakemake,
    lambda: plot_quality(
        blocks=[Path(path) for path in snakemake.input.blocks],
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
