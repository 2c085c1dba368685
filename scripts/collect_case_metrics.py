"""Rule collect_case_metrics: metrics.json of an allocation case."""

from pathlib import Path

from cropalloc.report.metrics import collect_allocation_metrics
from cropbase.jobs import run_job


def paths(name):
    return [Path(path) for path in snakemake.input.get(name, [])]


def by_year(name):
    return dict(zip(snakemake.params.years, paths(name), strict=True)) if paths(name) else None


def path(name):
    value = snakemake.input.get(name)
    return Path(value) if value else None


run_job(
    snakemake,
    lambda: collect_allocation_metrics(
        output=Path(snakemake.output.metrics),
        accounts=by_year("accounts"),
        certificates=paths("certificates"),
        consistency=by_year("consistency"),
        clips=path("clips"),
        audit=path("audit"),
        validations=paths("validations"),
        shares=path("shares"),
        ellipses=path("ellipses"),
        benchmarks=sorted(Path(snakemake.params.benchmarks).rglob("*.tsv")),
        generated=snakemake.params.generated,
    ),
)
