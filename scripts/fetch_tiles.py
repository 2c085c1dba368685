"""Rule fetch_tiles: the tiles of a shard, with their ledger."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.grid.planning import planned, read_plan
from croplayer.settings import load_settings
from croplayer.settings.grid import GridSettings
from croplayer.tiles.fetch import fetch_tiles

wildcards, params = snakemake.wildcards, snakemake.params


def work():
    # Rate and quota are no params of the rule: slowing down must not fetch anything again.
    source = load_settings(wildcards.province, params.config_folder).sources[wildcards.source]
    fetch_tiles(
        source_name=wildcards.source,
        source=source,
        grid=GridSettings(**params.grid).grid(),
        blocks=planned(read_plan(snakemake.input.blocks, shard_id=wildcards.shard)),
        halo_pixels=params.halo_pixels,
        output=Path(snakemake.output.tiles),
        quota_file=Path(params.quota),
    )


run_job(snakemake, work)
