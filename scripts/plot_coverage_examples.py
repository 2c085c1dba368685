"""Rule plot_coverage_examples: blocks of each coverage type."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.examples import plot_coverage_examples

run_job(
    snakemake,
    lambda: plot_coverage_examples(
        blocks=[Path(path) for path in snakemake.input.blocks],
        labels=Path(snakemake.input.labels[0]) if snakemake.input.labels else None,
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
