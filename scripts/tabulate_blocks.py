"""Rule tabulate_blocks: all that is known of every block."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.block_table import tabulate_blocks

run_job(
    snakemake,
    lambda: tabulate_blocks(
        blocks=Path(snakemake.input.blocks),
        features=[Path(path) for path in snakemake.input.features],
        semantic=Path(snakemake.input.semantic),
        options=Path(snakemake.input.options),
        areas=Path(snakemake.input.areas),
        extents=Path(snakemake.input.extents) if snakemake.input.extents else None,
        sources=snakemake.params.sources,
        province=snakemake.params.title,
        output=Path(snakemake.output.table),
    ),
)
