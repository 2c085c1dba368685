"""Rule fetch_product: the tiles of a product that a province needs."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.comparison.catalogue import read_catalogue
from croplayer.comparison.download import download_product
from croplayer.settings import load_settings
from croplayer.settings.regions import region_of

name = snakemake.wildcards.product


def work():
    # Manners and folder of the download are no params of the rule.
    comparison = load_settings(
        snakemake.wildcards.province, snakemake.params.config_folder
    ).comparison
    download_product(
        name=name,
        product=read_catalogue(comparison.catalogue).products[name],
        region=region_of(snakemake.params.province),
        settings=comparison.download,
        checksums=comparison.products[name].checksums,
        manifest=Path(snakemake.output.manifest),
    )


run_job(snakemake, work)
