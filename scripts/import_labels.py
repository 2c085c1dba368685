"""Rule import_labels: checked labels in EPSG:4326."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.active.labels import import_labels
from croplayer.settings.grid import GridSettings
from croplayer.settings.labels import LabelSettings

run_job(
    snakemake,
    lambda: import_labels(
        cropland=[Path(path) for path in snakemake.input.cropland],
        extents=[Path(path) for path in snakemake.input.extents],
        blocks=Path(snakemake.input.blocks),
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=LabelSettings(**snakemake.params.labels),
        polygons_out=Path(snakemake.output.polygons),
        extents_out=Path(snakemake.output.extents),
        sources=list(snakemake.params.sources),
        for_training=snakemake.params.for_training,
        report=Path(snakemake.output.findings),
        page=Path(snakemake.output.page),
        lock=Path(snakemake.input.lock),
    ),
)
