"""Rule plot_semantic: maps and shares of the semantic classes."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.block_classes import plot_semantic

run_job(
    snakemake,
    lambda: plot_semantic(
        blocks=[Path(path) for path in snakemake.input.blocks],
        sources=snakemake.params.sources,
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
