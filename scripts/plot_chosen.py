"""Rule plot_chosen: the chosen blocks on a map, and a small picture of each."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.chosen import picture_chosen

run_job(
    snakemake,
    lambda: picture_chosen(
        blocks=Path(snakemake.input.blocks),
        scores=Path(snakemake.input.scores),
        chosen=Path(snakemake.input.chosen),
        suggested=Path(snakemake.input.suggested),
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        probability=by_source(snakemake.input.probability, snakemake.params.sources),
        extents=Path(snakemake.input.extents) if snakemake.input.get("extents") else None,
        figure=Path(snakemake.output.figure),
        thumbnails=Path(snakemake.output.thumbnails),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
