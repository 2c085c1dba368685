"""Rule average_statistics: five-year means and interpolation."""

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.nodes import average_statistics
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: average_statistics(
        reported=snakemake.input.reported,
        units=snakemake.input.units,
        statistics=StatisticsSettings(**snakemake.params.statistics),
        nodes_path=snakemake.output.nodes,
    ),
)
