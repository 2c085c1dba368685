"""Rule compare_product: another gridded product against the same statistics."""

from pathlib import Path

from cropalloc.settings.validation import ValidationSettings
from cropalloc.validation.compare import compare_product
from cropbase.jobs import run_job


def work():
    validation = ValidationSettings(**snakemake.params.validation)
    product = snakemake.wildcards.product
    compare_product(
        product=product,
        maps=validation.products[product],
        cells=Path(snakemake.input.cells),
        reference=Path(snakemake.input.reference),
        validation=validation,
        metrics_path=Path(snakemake.output.metrics),
        pairs_path=Path(snakemake.output.pairs),
        units=Path(snakemake.input.units),
        year=int(snakemake.wildcards.year),
    )


run_job(snakemake, work)
