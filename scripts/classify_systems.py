"""Rule classify_systems: irrigated, high-input and low-input area (Eq. 3-7)."""

from pathlib import Path

from cropalloc.settings.systems import SystemsSettings
from cropalloc.systems.classify import classify_systems
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: classify_systems(
        targets=Path(snakemake.input.targets),
        members=Path(snakemake.input.members),
        units=Path(snakemake.input.units),
        cells=Path(snakemake.input.cells),
        systems=SystemsSettings(**snakemake.params.systems),
        areas_path=Path(snakemake.output.areas),
        clips_path=Path(snakemake.output.clips),
        crops_path=Path(snakemake.input.crops),
    ),
)
