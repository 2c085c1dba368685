"""Rule segment_shard: cropland probability and mask of a shard."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.grid.planning import planned, read_plan
from croplayer.segmentation.inference import segment_shard
from croplayer.settings.grid import GridSettings
from croplayer.settings.segmentation import SegmentationSettings

run_job(
    snakemake,
    lambda: segment_shard(
        mosaic=Path(snakemake.input.mosaic),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        grid=GridSettings(**snakemake.params.grid).grid(),
        model_dir=Path(snakemake.input.model).parent,
        settings=SegmentationSettings(**snakemake.params.segmentation),
        probability=Path(snakemake.output.probability),
        mask=Path(snakemake.output.mask),
    ),
)
