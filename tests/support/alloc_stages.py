"""A case from its tables to its maps without snakemake: what each rule calls, in order."""

from __future__ import annotations

from pathlib import Path

from cropalloc.allocation.allocate import allocate
from cropalloc.export.maps import write_maps
from cropalloc.grid.prepare import prepare_cells
from cropalloc.selection.select import select_cells
from cropalloc.settings import Case
from cropalloc.statistics.harmonisation import harmonise_statistics
from cropalloc.statistics.nodes import average_statistics
from cropalloc.statistics.reading import read_statistics
from cropalloc.suitability.score import score_suitability
from cropalloc.synergy.combine import combine_cropland
from cropalloc.systems.classify import classify_systems

STAGES = (
    "read_statistics", "average_statistics", "prepare_cells", "harmonise_statistics",
    "classify_systems", "combine_cropland", "score_suitability", "select_cells", "allocate",
    "write_maps",
)  # fmt: skip


class Stages:
    """The stages of one case and year, files where the rules put them under `home`."""

    def __init__(self, case: Case, home: Path, crops: Path, year: int = 2020) -> None:
        self.case, self.home, self.crops, self.year = case, home, crops, year
        self.units = home / "statistics/units.parquet"
        self.cells = home / "grid/cells.parquet"
        self.targets = home / "statistics/targets.parquet"
        self.members = home / "statistics/members.parquet"
        self.areas = home / "systems/areas.parquet"
        self.synergy = home / f"synergy/{year}.parquet"
        self.scores = home / f"scores/{year}.parquet"
        self.selected = home / f"allocation/{year}/cells.parquet"
        self.part = home / f"allocation/{year}/001"

    def run(self, *, until: str = STAGES[-1]) -> None:
        """Run the stages in order, up to and with `until`."""
        for name in STAGES[: STAGES.index(until) + 1]:
            self.run_one(name)

    def run_one(self, name: str) -> None:
        """Run one stage."""
        getattr(self, f"_{name}")()

    def outputs(self, name: str) -> list[Path]:
        """The files that a stage of this name has written."""
        folder = {
            "read_statistics": "statistics/reported.parquet",
            "average_statistics": "statistics/nodes.parquet",
            "prepare_cells": "grid/*",
            "harmonise_statistics": "statistics/targets.parquet",
            "classify_systems": "systems/*",
            "combine_cropland": "synergy/*",
            "score_suitability": "scores/*",
            "select_cells": "allocation/*/cells.parquet",
            "allocate": "allocation/*/001/*",
            "write_maps": "maps/**/*",
        }[name]
        return sorted(self.home.glob(folder))

    def _read_statistics(self) -> None:
        read_statistics(
            statistics=self.case.statistics,
            crops_file=self.crops,
            units_path=self.units,
            reported_path=self.home / "statistics/reported.parquet",
            findings_path=self.home / "statistics/findings.csv",
        )

    def _average_statistics(self) -> None:
        average_statistics(
            reported=self.home / "statistics/reported.parquet",
            units=self.units,
            statistics=self.case.statistics,
            nodes_path=self.home / "statistics/nodes.parquet",
        )

    def _prepare_cells(self) -> None:
        prepare_cells(
            units=self.units,
            grid=self.case.grid,
            cells_path=self.cells,
            findings_path=self.home / "grid/findings.csv",
        )

    def _harmonise_statistics(self) -> None:
        harmonise_statistics(
            nodes=self.home / "statistics/nodes.parquet",
            units=self.units,
            leaves=self.cells,
            statistics=self.case.statistics,
            targets_path=self.targets,
            members_path=self.members,
            audit_path=self.home / "statistics/audit.csv",
            reference_path=self.home / "statistics/reference.parquet",
        )

    def _classify_systems(self) -> None:
        classify_systems(
            targets=self.targets,
            members=self.members,
            units=self.units,
            cells=self.cells,
            systems=self.case.systems,
            areas_path=self.areas,
            clips_path=self.home / "systems/clips.csv",
            crops_path=self.crops,
        )

    def _combine_cropland(self) -> None:
        combine_cropland(
            cells=self.cells,
            synergy=self.case.synergy,
            year=self.year,
            synergy_path=self.synergy,
            report_path=self.home / f"synergy/{self.year}_sources.csv",
        )

    def _score_suitability(self) -> None:
        score_suitability(
            cells=self.cells,
            synergy=self.synergy,
            suitability=self.case.suitability,
            crops_file=self.crops,
            areas=self.areas,
            members=self.members,
            year=self.year,
            scores_path=self.scores,
            report_path=self.home / f"scores/{self.year}_activities.csv",
        )

    def _select_cells(self) -> None:
        select_cells(
            cells=self.cells,
            synergy=self.synergy,
            areas=self.areas,
            members=self.members,
            units=self.units,
            selection=self.case.selection,
            known_for=self.case.systems.known_for,
            year=self.year,
            selected_path=self.selected,
            consistency_path=self.home / f"allocation/{self.year}/consistency.csv",
        )

    def _allocate(self) -> None:
        allocate(
            selected=self.selected,
            scores=self.scores,
            areas=self.areas,
            members=self.members,
            allocation=self.case.allocation,
            known_for=self.case.systems.known_for,
            year=self.year,
            part=1,
            areas_path=self.part / "areas.parquet",
            slack_path=self.part / "slack.csv",
            certificate_path=self.part / "certificate.json",
        )

    def _write_maps(self) -> None:
        write_maps(
            cells=self.cells,
            areas=[self.part / "areas.parquet"],
            targets=self.targets,
            members=self.members,
            systems_areas=self.areas,
            slack=[self.part / "slack.csv"],
            maps=self.case.maps,
            year=self.year,
            folder=self.home / f"maps/{self.year}",
            account_path=self.home / f"maps/account_{self.year}.csv",
            known_for=self.case.systems.known_for,
        )
