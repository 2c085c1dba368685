"""Rule plot_product_slopes: deviations of products over slope."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_blocks import plot_slopes

run_job(
    snakemake,
    lambda: plot_slopes(
        slopes_csv=Path(snakemake.input.slopes),
        compared=Path(snakemake.input.compared),
        titles=dict(snakemake.params.titles),
        least_af=snakemake.params.least_af,
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
