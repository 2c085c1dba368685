"""What the checks of labels found: the table of it, and the one message for all faults."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cropbase import pages
from cropbase.atomic import write_text
from cropbase.errors import InputError
from cropbase.tables import write_table

log = logging.getLogger(__name__)

_SHOWN = 10


class LabelError(InputError):
    """Labels cannot be used as they are; faults of several kinds raise this class itself."""


class LabelFileError(LabelError):
    """A label file is absent, unreadable, empty, or holds the wrong type of geometry."""


class LabelCrsError(LabelError):
    """A label file has no coordinate reference system, or coordinates that cannot be in it."""


class LabelGeometryError(LabelError):
    """A polygon is invalid (self-intersecting, for instance)."""


class LabelOverlapError(LabelError):
    """Two cropland polygons overlap."""


class LabelAttributeError(LabelError):
    """An attribute is missing, unknown or doubled."""


class LabelPlacementError(LabelError):
    """A label lies outside every planned block or outside every extent."""


class LabelLeakageError(LabelError):
    """Training and validation extents overlap or lie too close to one another."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its title, the exception that it raises as an error, and the remedy."""

    title: str
    error: type[LabelError]
    remedy: str


KINDS = {
    "file": Kind(
        "file cannot be used",
        LabelFileError,
        "give a shapefile, GeoPackage, GeoJSON or GeoParquet of polygons",
    ),
    "crs": Kind(
        "coordinate reference system",
        LabelCrsError,
        "set the right one (QGIS: Layer > Set CRS of Layer, then Export > Save Features As;"
        " a shapefile needs its .prj)",
    ),
    "geometry_type": Kind(
        "not a polygon",
        LabelFileError,
        "delete these features or save them in a layer of their own",
    ),
    "no_geometry": Kind(
        "feature without geometry", LabelFileError, "delete the feature or draw its polygon"
    ),
    "invalid_geometry": Kind(
        "invalid geometry",
        LabelGeometryError,
        "mend the polygon in QGIS (Processing > Fix geometries), or set labels.repair: true",
    ),
    "overlap": Kind(
        "overlapping cropland polygons",
        LabelOverlapError,
        "draw the shared edge once (QGIS: Topology Checker, then Difference), or set"
        " labels.on_overlap: warn where only the union matters",
    ),
    "attribute": Kind(
        "attribute missing or unknown",
        LabelAttributeError,
        "mend the attribute table (QGIS: Open Attribute Table)",
    ),
    "doubled_id": Kind(
        "id used more than once", LabelAttributeError, "give every feature an id of its own"
    ),
    "outside_blocks": Kind(
        "outside every block of the plan",
        LabelPlacementError,
        "check the coordinates and the CRS of the labels, or enlarge the province polygon",
    ),
    "outside_extents": Kind(
        "outside every labelled extent",
        LabelPlacementError,
        "draw an extent around what was labelled completely, or delete the polygon",
    ),
    "leakage": Kind(
        "training and validation extents overlap or are too close",
        LabelLeakageError,
        "move one of the two to the other split, shrink it, or lower labels.leakage_metres",
    ),
    "double": Kind(
        "drawn twice",
        LabelOverlapError,
        "delete one of the two (`python -m croplayer.active.check PROVINCE --fix` does)",
    ),
    "sample": Kind(
        "sample is not what is drawn",
        LabelAttributeError,
        "draw the cropland of the extent, or mend its attribute `sample`",
    ),
    "row": Kind("row cannot be used", LabelAttributeError, "mend these rows or delete them"),
    "disagreement": Kind(
        "annotators disagree", LabelAttributeError, "let a third annotator label it"
    ),
    "revised": Kind("labelled again by the same annotator", LabelAttributeError, "nothing"),
    "double_labelled": Kind("labelled more than once", LabelAttributeError, "keep one of the two"),
    "sliver": Kind("sliver", LabelGeometryError, "delete it or merge it with its neighbour"),
    "not_cropland": Kind("class is not cropland", LabelAttributeError, "nothing"),
    "no_validation": Kind(
        "no validation extent", LabelAttributeError, "set split to validation for some extents"
    ),
    "summary": Kind("summary", LabelError, "nothing"),
}


@dataclass(frozen=True)
class Finding:
    """One row of the report. `severity`: error, warning or info; `kind`: a key of `KINDS`."""

    severity: str
    kind: str
    layer: str
    feature: str
    what: str
    done: str


@dataclass
class Findings:
    """Findings in the order in which the checks made them."""

    files: dict[str, Path] = field(default_factory=dict)
    rows: list[Finding] = field(default_factory=list)

    def error(self, kind: str, layer: str, feature: object, what: str) -> None:
        """Add a fault that refuses the labels."""
        self.rows.append(Finding("error", kind, layer, str(feature), what, "refused"))

    def warning(self, kind: str, layer: str, feature: object, what: str, done: str) -> None:
        """Add something to look at, and what was done about it."""
        self.rows.append(Finding("warning", kind, layer, str(feature), what, done))

    def info(self, kind: str, layer: str, feature: object, what: str, done: str = "") -> None:
        """Add something worth telling."""
        self.rows.append(Finding("info", kind, layer, str(feature), what, done))

    def table(self) -> pd.DataFrame:
        """One row a finding: severity, kind, layer, feature, what, done (all text)."""
        columns = ["severity", "kind", "layer", "feature", "what", "done"]
        rows = [[getattr(row, column) for column in columns] for row in self.rows]
        return pd.DataFrame(rows, columns=columns, dtype="str")

    def write(self, path: Path, *, agreement: pd.DataFrame | None = None) -> None:
        """Write the report: .csv, .parquet or .html, by the suffix of `path`.

        The page also shows the `agreement` of annotators, where that is given and not empty.
        """
        table = self.table()
        if path.suffix == ".parquet":
            write_table(table, path)
        elif path.suffix == ".html":
            write_text(path, _page(table, agreement))
        else:
            write_text(path, table.to_csv(index=False, lineterminator="\n"))

    def log(self) -> None:
        """Every finding to the log; warnings as one line a kind, so that none drowns the rest."""
        for row in self.rows:
            log.info("%s %s %s: %s. %s", row.severity, row.layer, row.feature, row.what, row.done)
        for (kind, layer), group in self._groups("warning").items():
            log.warning(
                "labels, %s: %s: %d (%s%s)",
                layer,
                KINDS[kind].title,
                len(group),
                "; ".join(f"{row.feature}: {row.what}" for row in group[:3]),
                "; ..." if len(group) > 3 else "",
            )

    def _groups(self, severity: str) -> dict[tuple[str, str], list[Finding]]:
        groups: dict[tuple[str, str], list[Finding]] = {}
        for row in self.rows:
            if row.severity == severity:
                groups.setdefault((row.kind, row.layer), []).append(row)
        return groups

    def raise_errors(self) -> None:
        """Raise ONE LabelError for all errors found so far; nothing happens where there is none.

        The class is that of the kind where all errors are of one kind. The message lists the first
        ten features of each kind; the log has them all.
        """
        groups = self._groups("error")
        if not groups:
            return
        self.log()
        lines, remedies = [], []
        for (kind, layer), rows in groups.items():
            lines.append(
                f"  {layer} ({self.files.get(layer, '')}): {KINDS[kind].title}: {len(rows)}"
            )
            lines += [f"    {row.feature}: {row.what}" for row in rows[:_SHOWN]]
            if len(rows) > _SHOWN:
                lines.append(f"    ... and {len(rows) - _SHOWN} more, all listed in the log")
            remedies.append(KINDS[kind].remedy)
        classes = {KINDS[kind].error for kind, _ in groups}
        error = classes.pop() if len(classes) == 1 else LabelError
        count = sum(len(rows) for rows in groups.values())
        raise error(
            f"the labels have {count} fault(s)\n" + "\n".join(lines),
            remedy="; ".join(dict.fromkeys(remedies)),
        )


def _page(findings: pd.DataFrame, agreement: pd.DataFrame | None) -> str:
    """The report as one HTML page."""
    counts = findings["severity"].value_counts()
    total = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("error", "warning", "info"))
    parts = [pages.paragraph(total, "verdict")]
    if agreement is not None and not agreement.empty:
        texts = agreement.round(3).astype("object").where(agreement.notna(), "").map(str)
        rows = texts.itertuples(index=False)
        parts += ["<h2>Agreement of annotators</h2>", pages.table(list(texts.columns), rows)]
    # What refuses the labels first; within a severity in the order of the checks.
    rank = findings["severity"].map({"error": 0, "warning": 1, "info": 2})
    rows = [
        [pages.Cell(severity, "bad" if severity == "error" else ""), *rest]
        for severity, *rest in findings.iloc[rank.argsort(kind="stable")].itertuples(index=False)
    ]
    parts += ["<h2>Findings</h2>", pages.table(list(findings.columns), rows)]
    return pages.page("Check of the labels", *parts)
