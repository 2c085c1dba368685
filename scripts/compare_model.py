"""Rule compare_model: one model of the comparison, with one seed, on one fold."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.segmentation.comparison.run import Data, compare_model
from croplayer.settings.grid import GridSettings
from croplayer.settings.model_comparison import ModelComparisonSettings
from croplayer.settings.segmentation import SegmentationSettings

run_job(
    snakemake,
    lambda: compare_model(
        model=snakemake.wildcards.model,
        seed=int(snakemake.wildcards.seed),
        fold=int(snakemake.wildcards.fold),
        data=Data(
            mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
            polygons=Path(snakemake.input.polygons),
            extents=Path(snakemake.input.extents),
            grid=GridSettings(**snakemake.params.grid).grid(),
        ),
        segmentation=SegmentationSettings(**snakemake.params.segmentation),
        comparison=ModelComparisonSettings(**snakemake.params.comparison),
        leakage_metres=snakemake.params.leakage_metres,
        work=Path(snakemake.output.result).parent,
        split=Path(snakemake.output.split),
        result=Path(snakemake.output.result),
        predictions=Path(snakemake.output.predictions),
    ),
)
