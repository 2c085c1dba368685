"""Rule compare_provinces: areas of all provinces of a run against the official ones."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_provinces import plot_provinces

titles = dict(snakemake.params.titles)

run_job(
    snakemake,
    lambda: plot_provinces(
        areas={p: Path(path) for p, path in zip(titles, snakemake.input.areas, strict=True)},
        titles=titles,
        table_csv=Path(snakemake.output.table),
        counts_csv=Path(snakemake.output.counts),
        figure_png=Path(snakemake.output.figure),
        generated=list(snakemake.params.generated),
    ),
)
