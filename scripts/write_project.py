"""Rule write_project: a QGIS project to label in."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.active.qgis.project import write_project
from croplayer.paths import by_source
from croplayer.settings.grid import GridSettings
from croplayer.settings.labels import LabelSettings

run_job(
    snakemake,
    lambda: write_project(
        chosen=Path(snakemake.input.chosen),
        suggested=Path(snakemake.input.suggested),
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        probability=by_source(snakemake.input.probability, snakemake.params.sources),
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        grid=GridSettings(**snakemake.params.grid).grid(),
        labels=LabelSettings(**snakemake.params.labels),
        label_round=snakemake.params.label_round,
        title=snakemake.params.title,
        project=Path(snakemake.output.project),
        virtual=Path(snakemake.output.virtual),
        new_labels=Path(snakemake.params.new_labels),
    ),
)
