"""Rule train_segmentation: the segmentation model."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.segmentation.training import train_segmentation
from croplayer.settings.grid import GridSettings
from croplayer.settings.segmentation import SegmentationSettings

if __name__ == "__main__":  # the processes of several devices load this file, and must not train
    run_job(
        snakemake,
        lambda: train_segmentation(
            mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
            polygons=Path(snakemake.input.polygons),
            extents=Path(snakemake.input.extents),
            grid=GridSettings(**snakemake.params.grid).grid(),
            settings=SegmentationSettings(**snakemake.params.segmentation),
            model_dir=Path(snakemake.output.model).parent,
            checkpoint=Path(snakemake.params.checkpoint),
            curve=Path(snakemake.output.curve),
        ),
    )
