"""Rule plot_product_iou: IoU of the products with the final map."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.product_bars import plot_product_iou

run_job(
    snakemake,
    lambda: plot_product_iou(
        pixels_csv=Path(snakemake.input.pixels),
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
