"""Rule plot_province_iou: IoU of the products with the map in every province of a run."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_provinces import plot_province_iou

titles = dict(snakemake.params.titles)

run_job(
    snakemake,
    lambda: plot_province_iou(
        pixels={p: Path(path) for p, path in zip(titles, snakemake.input.pixels, strict=True)},
        titles=titles,
        table_csv=Path(snakemake.output.table),
        figure_png=Path(snakemake.output.figure),
        generated=list(snakemake.params.generated),
    ),
)
