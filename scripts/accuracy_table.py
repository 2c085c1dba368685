"""Rule accuracy_table: the three levels of validation in one table."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.tables import accuracy_table

run_job(
    snakemake,
    lambda: accuracy_table(
        pixel=Path(snakemake.input.pixel),
        block=Path(snakemake.input.block),
        province=Path(snakemake.input.province),
        stopping=Path(snakemake.input.stopping),
        output_html=Path(snakemake.output.page),
        output_csv=Path(snakemake.output.table),
        title=f"Accuracy: {snakemake.params.title}",
        note=snakemake.params.note,
    ),
)
