"""Rule plot_extents: the validation extents, drawn and mapped."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.extents import plot_extents

run_job(
    snakemake,
    lambda: plot_extents(
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        polygons=Path(snakemake.input.polygons),
        extents=Path(snakemake.input.extents),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
