"""Rule plot_overview: the province's imagery, masks and map."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.maps import plot_overview
from croplayer.settings.regions import query_of

province, sources = snakemake.params.province, snakemake.params.sources

run_job(
    snakemake,
    lambda: plot_overview(
        mosaics=by_source(snakemake.input.mosaics, sources),
        masks=by_source(snakemake.input.masks, sources),
        maps=[Path(path) for path in snakemake.input.maps],
        boundary=Path(snakemake.input.boundary),
        boundary_layer=province["boundary_layer"],
        boundary_query=query_of(province["boundary_query"]),
        counties=Path(snakemake.input.counties),
        counties_fields=(
            province["county_id_field"],
            province["county_name_field"],
            province["city_name_field"],
        ),
        counties_layer=province["counties_layer"],
        counties_query=query_of(province["counties_query"]),
        output=Path(snakemake.output.figure),
        title=province["title"],
        note=snakemake.params.note,
    ),
)
