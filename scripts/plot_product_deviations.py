"""Rule plot_product_deviations: maps of the deviations of products."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_blocks import plot_deviations

run_job(
    snakemake,
    lambda: plot_deviations(
        blocks=Path(snakemake.input.blocks),
        compared=Path(snakemake.input.compared),
        titles=dict(snakemake.params.titles),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
