"""Rule plot_fraction: area fraction of cropland of every block."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.block_values import plot_fraction

run_job(
    snakemake,
    lambda: plot_fraction(
        blocks=[Path(path) for path in snakemake.input.blocks],
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
