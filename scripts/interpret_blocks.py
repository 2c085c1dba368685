"""Rule interpret_blocks: the generated interpreter of the generated province."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.demo.interpreter import interpret_blocks
from croplayer.paths import by_source
from croplayer.settings.grid import GridSettings

run_job(
    snakemake,
    lambda: interpret_blocks(
        masks=by_source(snakemake.input.masks, snakemake.params.sources),
        blocks=Path(snakemake.input.blocks),
        truth=Path(snakemake.input.truth),
        coverage=Path(snakemake.input.coverage),
        grid=GridSettings(**snakemake.params.grid).grid(),
        semantic_csv=Path(snakemake.output.semantic),
        options_csv=Path(snakemake.output.options),
    ),
)
