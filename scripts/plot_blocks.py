"""Rule plot_blocks: what is known of each block, as small maps."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.blocks import plot_blocks

run_job(
    snakemake,
    lambda: plot_blocks(
        blocks=Path(snakemake.input.blocks),
        quality=by_source(snakemake.input.quality, snakemake.params.sources),
        terrain=[Path(path) for path in snakemake.input.terrain],
        semantic=Path(snakemake.input.semantic),
        options=Path(snakemake.input.options),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
