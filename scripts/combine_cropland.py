"""Rule combine_cropland: cropland and irrigated cropland from several sources."""

from cropalloc.settings.synergy import SynergySettings
from cropalloc.synergy.combine import combine_cropland
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: combine_cropland(
        cells=snakemake.input.cells,
        synergy=SynergySettings(**snakemake.params.synergy),
        year=int(snakemake.wildcards.year),
        synergy_path=snakemake.output.synergy,
        report_path=snakemake.output.sources,
    ),
)
