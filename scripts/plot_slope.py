"""Rule plot_slope: slope of the land and of the cropland."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.block_values import plot_slope

run_job(
    snakemake,
    lambda: plot_slope(
        blocks=[Path(path) for path in snakemake.input.blocks],
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
