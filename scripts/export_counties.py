"""Rule export_counties: the county files."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.export.counties import export_counties
from croplayer.settings.export import ExportSettings
from croplayer.settings.grid import GridSettings
from croplayer.settings.regions import polygon_arguments

province = snakemake.params.province

run_job(
    snakemake,
    lambda: export_counties(
        maps=[Path(path) for path in snakemake.input.maps],
        counties=Path(snakemake.input.counties),
        **polygon_arguments(province),
        boundary=Path(snakemake.input.boundary),
        blocks=Path(snakemake.input.blocks),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=ExportSettings(**snakemake.params.export),
        parquet=Path(snakemake.output.parquet),
        archive=Path(snakemake.output.archive),
        table=Path(snakemake.output.table),
    ),
)
