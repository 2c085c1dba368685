"""Rule read_statistics: every table of the case in one, in hectares."""

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.reading import read_statistics
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: read_statistics(
        statistics=StatisticsSettings(**snakemake.params.statistics),
        crops_file=snakemake.input.crops,
        units_path=snakemake.output.units,
        reported_path=snakemake.output.reported,
        findings_path=snakemake.output.findings,
    ),
)
