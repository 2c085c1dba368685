"""Rule plot_comparison: the allocation beside the baselines and other products (as Fig. 7)."""

from pathlib import Path

from cropalloc.report.tables import accuracy_table
from cropalloc.validation.figures import plot_comparison
from cropbase.jobs import run_job


def work():
    metrics = [Path(path) for path in snakemake.input.metrics]
    words = {
        "title": f"{snakemake.params.title}, {snakemake.wildcards.year}",
        "note": snakemake.params.note,
    }
    accuracy_table(
        metrics=metrics,
        output_html=Path(snakemake.output.page),
        output_csv=Path(snakemake.output.table),
        **words,
    )
    plot_comparison(metrics=metrics, output=Path(snakemake.output.figure), **words)


run_job(snakemake, work)
