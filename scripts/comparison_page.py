"""Rule comparison_page: all tables of the comparison on one page."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_page import write_comparison_page
from croplayer.settings.products import Product

params, given = snakemake.params, snakemake.input

run_job(
    snakemake,
    lambda: write_comparison_page(
        folder=Path(given.pixels).parent,
        products={name: Product(**entry) for name, entry in params.products.items()},
        accuracy_csv=Path(given.accuracy) if given.accuracy else None,
        groups_csv=Path(given.groups) if given.groups else None,
        output=Path(snakemake.output.page),
        title=f"{params.title} beside existing products",
        note=params.note,
    ),
)
