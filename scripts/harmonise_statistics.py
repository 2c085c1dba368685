"""Rule harmonise_statistics: all levels agree with the nation (Eq. 1-2)."""

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.harmonisation import harmonise_statistics
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: harmonise_statistics(
        nodes=snakemake.input.nodes,
        units=snakemake.input.units,
        leaves=snakemake.input.cells or None,
        statistics=StatisticsSettings(**snakemake.params.statistics),
        targets_path=snakemake.output.targets,
        members_path=snakemake.output.members,
        audit_path=snakemake.output.audit,
        reference_path=snakemake.output.reference,
    ),
)
