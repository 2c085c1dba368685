"""Rule compare_models: the table of the compared models."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.segmentation.comparison.table import compare_models

run_job(
    snakemake,
    lambda: compare_models(
        results=[Path(path) for path in snakemake.input.results],
        plate=Path(snakemake.input.plate),
        order=snakemake.params.order,
        output_csv=Path(snakemake.output.table),
        output_extents=Path(snakemake.output.extents),
        output_html=Path(snakemake.output.page),
        metrics=Path(snakemake.output.metrics),
        title=f"Segmentation models: {snakemake.params.title}",
        facts=snakemake.params.facts,
        note=snakemake.params.note,
    ),
)
