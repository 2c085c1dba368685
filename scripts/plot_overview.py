"""Rule plot_overview: the province's imagery, masks and map."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.maps import plot_overview
from croplayer.settings.regions import polygon_arguments

province, sources = snakemake.params.province, snakemake.params.sources

run_job(
    snakemake,
    lambda: plot_overview(
        mosaics=by_source(snakemake.input.mosaics, sources),
        masks=by_source(snakemake.input.masks, sources),
        maps=[Path(path) for path in snakemake.input.maps],
        boundary=Path(snakemake.input.boundary),
        counties=Path(snakemake.input.counties),
        **polygon_arguments(province),
        output=Path(snakemake.output.figure),
        title=province["title"],
        note=snakemake.params.note,
    ),
)
