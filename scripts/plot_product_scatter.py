"""Rule plot_product_scatter: blocks of products against the final map."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_blocks import plot_scatter

run_job(
    snakemake,
    lambda: plot_scatter(
        compared=Path(snakemake.input.compared),
        titles=dict(snakemake.params.titles),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
