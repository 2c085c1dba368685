"""Rule export_counties: the county files."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.export.counties import export_counties
from croplayer.settings.export import ExportSettings
from croplayer.settings.grid import GridSettings
from croplayer.settings.regions import query_of

province = snakemake.params.province

run_job(
    snakemake,
    lambda: export_counties(
        maps=[Path(path) for path in snakemake.input.maps],
        counties=Path(snakemake.input.counties),
        counties_fields=(
            province["county_id_field"],
            province["county_name_field"],
            province["city_name_field"],
        ),
        counties_layer=province["counties_layer"],
        counties_query=query_of(province["counties_query"]),
        boundary=Path(snakemake.input.boundary),
        boundary_layer=province["boundary_layer"],
        boundary_query=query_of(province["boundary_query"]),
        blocks=Path(snakemake.input.blocks),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=ExportSettings(**snakemake.params.export),
        parquet=Path(snakemake.output.parquet),
        archive=Path(snakemake.output.archive),
        table=Path(snakemake.output.table),
    ),
)
