"""Rule plot_density: share of the blocks that have labels."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.samples import plot_density

run_job(
    snakemake,
    lambda: plot_density(
        blocks=[Path(path) for path in snakemake.input.blocks],
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
