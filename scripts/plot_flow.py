"""Rule plot_flow: how the map is made, from blocks to county files."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.flow import plot_flow

run_job(
    snakemake,
    lambda: plot_flow(
        blocks=[Path(path) for path in snakemake.input.blocks],
        sources=snakemake.params.sources,
        coverage_model=snakemake.params.coverage_model,
        segmentation_model=snakemake.params.segmentation_model,
        label_round=snakemake.params.label_round,
        products=snakemake.params.products,
        output=Path(snakemake.output.figure),
        title=snakemake.params.title,
        note=snakemake.params.note,
    ),
)
