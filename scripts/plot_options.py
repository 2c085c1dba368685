"""Rule plot_options: map and shares of the integration options."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.block_classes import plot_options

run_job(
    snakemake,
    lambda: plot_options(
        blocks=[Path(path) for path in snakemake.input.blocks],
        sources=snakemake.params.sources,
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
