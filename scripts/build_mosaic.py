"""Rule build_mosaic: the imagery of a shard on the block grid."""

from pathlib import Path

from pydantic import TypeAdapter

from cropbase.jobs import run_job
from croplayer.grid.planning import planned, read_plan
from croplayer.settings.grid import GridSettings
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import Source
from croplayer.tiles.mosaic import build_mosaic

run_job(
    snakemake,
    lambda: build_mosaic(
        source_name=snakemake.wildcards.source,
        source=TypeAdapter(Source).validate_python(snakemake.params.source),
        tiles=Path(snakemake.input.imagery) if snakemake.params.source["kind"] == "xyz" else None,
        grid=GridSettings(**snakemake.params.grid).grid(),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=snakemake.wildcards.shard)),
        mosaic=MosaicSettings(**snakemake.params.mosaic),
        output=Path(snakemake.output.mosaic),
    ),
)
