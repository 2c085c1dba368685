"""Rule case_report: the crop maps of a case on one page, with the tiles of its map beside it."""

from pathlib import Path

from cropalloc.report.atlas import CaseMaps, write_case_report
from cropalloc.settings.maps import MapSettings
from cropbase.jobs import run_job

params = snakemake.params
home = Path(snakemake.output.page).parent

run_job(
    snakemake,
    lambda: write_case_report(
        CaseMaps(
            folders={year: home / "maps" / str(year) for year in params.years},
            names=MapSettings(**params.maps),
            cells=home / "grid" / "cells.parquet",
            units=home / "statistics" / "units.parquet",
            accounts={year: home / "maps" / f"account_{year}.csv" for year in params.years},
        )
        if snakemake.input.maps
        else None,
        output=Path(snakemake.output.page),
        tiles=Path(snakemake.output.tiles),
        name=snakemake.wildcards.case,
        title=params.title,
        years=params.years,
        jobs=params.jobs,
        parts=params.parts,
        configuration=params.configuration,
        inputs=[Path(path) for path in snakemake.input],
        tiles_megabytes=params.report["tiles_megabytes"],
        note=params.note,
        threads=snakemake.threads,
    ),
)
