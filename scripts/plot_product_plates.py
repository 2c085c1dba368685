"""Rule plot_product_plates: blocks of the final map beside every product."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.comparison.download import listed_files
from croplayer.report.product_plates import plot_plates
from croplayer.settings.grid import GridSettings
from croplayer.settings.products import Product

params = snakemake.params
products = {name: Product(**entry) for name, entry in params.products.items()}

run_job(
    snakemake,
    lambda: plot_plates(
        compared=Path(snakemake.input.compared),
        maps=[Path(path) for path in snakemake.input.maps],
        mosaics=[Path(path) for path in snakemake.input.mosaics],
        products=products,
        titles={name: product.title for name, product in products.items()},
        files={name: listed_files(files) for name, files in params.files.items()},
        grid=GridSettings(**params.grid).grid(),
        count=params.plate_blocks,
        output=Path(snakemake.output.figure),
        title=params.title,
        note=params.note,
    ),
)
