"""Rule validate_province: cropland area against the official figure."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.settings.grid import GridSettings
from croplayer.settings.regions import counties_of, region_of
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.province import validate_province


def work():
    region = region_of(snakemake.params.province)
    validate_province(
        maps=[Path(path) for path in snakemake.input.maps],
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        blocks=Path(snakemake.input.blocks),
        boundary=region,
        counties=counties_of(snakemake.params.province, region),
        grid=GridSettings(**snakemake.params.grid).grid(),
        official_area_ha=snakemake.params.official_area_ha,
        settings=ValidationSettings(**snakemake.params.validation),
        output=Path(snakemake.output.province),
        blocks_output=Path(snakemake.output.blocks),
    )


run_job(snakemake, work)
