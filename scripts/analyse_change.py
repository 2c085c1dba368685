"""Rule analyse_change: shares, standard deviational ellipses, profiles (Eq. 20-23)."""

from pathlib import Path

from cropalloc.change.analyse import analyse_change
from cropalloc.settings.change import ChangeSettings
from cropalloc.settings.maps import MapSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: analyse_change(
        folders=dict(zip(snakemake.params.years, map(Path, snakemake.input.folders), strict=True)),
        maps=MapSettings(**snakemake.params.maps),
        change=ChangeSettings(**snakemake.params.change),
        shares_path=Path(snakemake.output.shares),
        ellipses_path=Path(snakemake.output.ellipses),
        profiles_path=Path(snakemake.output.profiles),
    ),
)
