"""Rule plot_product_areas: products and scenarios against the official area."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_bars import plot_product_areas

run_job(
    snakemake,
    lambda: plot_product_areas(
        areas_csv=Path(snakemake.input.areas),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
