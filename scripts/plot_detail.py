"""Rule plot_detail: a few places at full resolution."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.detail import plot_detail
from croplayer.settings.export import ExportSettings
from croplayer.settings.grid import GridSettings

run_job(
    snakemake,
    lambda: plot_detail(
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        maps=[Path(path) for path in snakemake.input.maps],
        blocks=Path(snakemake.input.blocks),
        features=[Path(path) for path in snakemake.input.features],
        options=Path(snakemake.input.options),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=ExportSettings(**snakemake.params.export),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
