"""Rule import_block_labels: a table of block labels, checked and settled."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.active.tables import import_table

run_job(
    snakemake,
    lambda: import_table(
        name=snakemake.wildcards.table,
        files=[Path(path) for path in snakemake.input.table],
        blocks=Path(snakemake.input.blocks),
        sources=list(snakemake.params.sources),
        output=Path(snakemake.output.table),
        report=Path(snakemake.output.findings),
    ),
)
