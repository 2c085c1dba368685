"""Rule plot_label_examples: drawn polygons of each class on imagery."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.report.examples import plot_label_examples

run_job(
    snakemake,
    lambda: plot_label_examples(
        polygons=Path(snakemake.input.polygons),
        extents=Path(snakemake.input.extents),
        mosaics=by_source(snakemake.input.mosaics, snakemake.params.sources),
        output=Path(snakemake.output.figure),
        table_csv=Path(snakemake.output.table),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
