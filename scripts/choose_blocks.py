"""Rule choose_blocks: the blocks that are worth labelling next."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.active.choosing.choose import choose_blocks
from croplayer.comparison.download import listed_files
from croplayer.paths import by_source
from croplayer.settings.active import ActiveSettings
from croplayer.settings.grid import GridSettings
from croplayer.settings.products import ProductRaster
from croplayer.settings.segmentation import SegmentationSettings

run_job(
    snakemake,
    lambda: choose_blocks(
        blocks=Path(snakemake.input.blocks),
        probability=by_source(snakemake.input.probability, snakemake.params.sources),
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        model_dir=Path(snakemake.input.model).parent,
        quality=by_source(snakemake.input.get("quality", []), snakemake.params.sources),
        terrain=[Path(path) for path in snakemake.input.get("terrain", [])],
        semantic=Path(snakemake.input.semantic) if snakemake.input.get("semantic") else None,
        extents=Path(snakemake.input.extents) if snakemake.input.get("extents") else None,
        products={
            name: (ProductRaster(**raster), listed_files(snakemake.params.files[name]))
            for name, raster in snakemake.params.products.items()
        },
        grid=GridSettings(**snakemake.params.grid).grid(),
        settings=ActiveSettings(**snakemake.params.active),
        segmentation=SegmentationSettings(**snakemake.params.segmentation),
        label_round=snakemake.params.label_round,
        scores=Path(snakemake.output.scores),
        chosen=Path(snakemake.output.chosen),
        table=Path(snakemake.output.table),
        suggested=Path(snakemake.output.suggested),
    ),
)
