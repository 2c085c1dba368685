"""All label files of a province checked at once, without running the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cropbase.atomic import atomic_path
from croplayer.active.agreement import COLUMNS, agreement_of_polygons, agreement_of_table
from croplayer.active.findings import Findings, LabelCrsError, LabelFileError
from croplayer.active.labels import check_layers
from croplayer.active.lock import counts_text, describe_labels
from croplayer.active.tables import TABLES, check_rows, read_rows, settle
from croplayer.settings import Settings
from croplayer.settings.labels import LabelSettings
from croplayer.settings.regions import region_of


@dataclass(frozen=True)
class Review:
    """What the checks found, and how far annotators agree (`croplayer.active.agreement`)."""

    findings: Findings
    agreement: pd.DataFrame

    @property
    def errors(self) -> int:
        """How many findings refuse the labels."""
        return sum(row.severity == "error" for row in self.findings.rows)

    def write(self, folder: Path) -> None:
        """Write findings.csv, agreement.csv, and check.html with both."""
        self.findings.write(folder / "findings.csv")
        self.findings.write(folder / "check.html", agreement=self.agreement)
        with atomic_path(folder / "agreement.csv") as path:
            self.agreement.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")


def review_labels(settings: Settings, labels: LabelSettings) -> Review:
    """Check every label file of a province.

    Parameters
    ----------
    settings : the province's configuration: its region, grid and sources.
    labels : the label files; those of a round, or the ones that people edit.

    A file that is absent or cannot be read is one error of its own. Never raises for what is in the
    label files; raises InputError if the province's polygon cannot be used.
    """
    files = labels.files()
    findings = Findings(files=dict(files))
    grid = settings.grid.grid()
    blocks = grid.blocks_touching(region_of(settings.province.model_dump(mode="json")))
    parts = [pd.DataFrame(columns=list(COLUMNS))]
    try:
        parts += _review_layers(settings, labels, [grid.polygon(b) for b in blocks], findings)
    except (LabelFileError, LabelCrsError) as error:
        _refused(error, "polygons", findings)
    planned = {grid.block_id(block) for block in blocks}
    for name in TABLES:
        if name not in files:
            continue
        try:
            rows = read_rows([files[name]], name)
        except LabelFileError as error:
            _refused(error, name, findings)
            continue
        rows = check_rows(rows, name, planned=planned, sources=settings.sources, findings=findings)
        settle(rows, name, findings)
        parts.append(agreement_of_table(rows, name))
    errors = [row for row in findings.rows if row.severity == "error"]
    refused = {row.layer for row in errors if row.kind in ("file", "crs")}
    for key, path in files.items():
        if path.exists() and key not in refused and "polygons" not in refused:
            findings.info("summary", key, path.name, counts_text(describe_labels(path, key)))
    found = [part for part in parts if not part.empty]
    return Review(findings, pd.concat(found, ignore_index=True) if found else parts[0])


def _review_layers(
    settings: Settings, labels: LabelSettings, planned: list, findings: Findings
) -> list[pd.DataFrame]:
    if labels.cropland is None or labels.extents is None:
        absent = "cropland" if labels.cropland is None else "extents"
        findings.warning("file", absent, f"labels.{absent}", "is not configured", "not checked")
        return []
    layers = check_layers(
        cropland=labels.cropland,
        extents=labels.extents,
        planned=np.array(planned),
        plan="the province",
        settings=labels,
        sources=settings.sources,
        for_training=settings.models.segmentation is None,
        findings=findings,
    )
    return [agreement_of_polygons(layers.drawn, layers.extents)]


def _refused(error: LabelFileError | LabelCrsError, layer: str, findings: Findings) -> None:
    kind = "crs" if isinstance(error, LabelCrsError) else "file"
    given = "" if error.given is None else f"; given: {error.given}"
    findings.error(kind, layer, f"labels.{layer}", f"{error.problem}{given}")
