"""Rule collect_metrics: the flat numbers of a run."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.metrics import collect_metrics

run_job(
    snakemake,
    lambda: collect_metrics(
        pixel=Path(snakemake.input.pixel),
        block=Path(snakemake.input.block),
        province=Path(snakemake.input.province),
        stopping=Path(snakemake.input.stopping),
        coverage_card=Path(snakemake.input.coverage),
        segmentation_card=Path(snakemake.input.segmentation),
        semantic_card=Path(snakemake.input.semantic),
        integration_card=Path(snakemake.input.integration),
        areas=Path(snakemake.input.areas),
        extra=[Path(path) for path in snakemake.input.extra],
        benchmarks=sorted(Path(snakemake.params.benchmarks).rglob("*.tsv")),
        generated=snakemake.params.generated,
        output=Path(snakemake.output.metrics),
    ),
)
