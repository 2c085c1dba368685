"""The layers that annotators draw in: their fields, values and constraints.

One description serves the GeoPackage (its schema extension) and the forms of QGIS, so that both
allow what the import of labels allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from croplayer.settings.labels import LabelSettings


@dataclass(frozen=True)
class Field:
    """A field of a layer, text all of them.

    name, title : the attribute, and what the form calls it.
    values : the values to choose from; empty where any text is allowed.
    default : QGIS expression of the value of a new feature.
    required, unique : constraints that QGIS enforces when a feature is saved.
    hint : said where a constraint is not met.
    """

    name: str
    title: str
    values: tuple[str, ...] = ()
    default: str = ""
    required: bool = False
    unique: bool = False
    hint: str = ""


SUGGESTED = "suggested_extents"
"""Name and QGIS id of the layer of suggested windows, from which defaults are taken."""
_USER = "coalesce(@user_full_name, @user_account_name, '')"
_TODAY = "format_date(now(), 'yyyy-MM-dd')"
_UUID = "uuid('WithoutBraces')"


def cropland_fields(settings: LabelSettings, sources: Sequence[str]) -> tuple[Field, ...]:
    """Fields of the cropland polygons, as `import_labels` reads them."""
    classes = (*settings.cropland_classes, *settings.other_classes)
    return (
        Field("polygon_id", "id", default=_UUID, required=True, unique=True),
        Field(
            "class",
            "kind of land",
            values=classes,
            default=f"'{classes[0]}'",
            required=True,
            hint="a class of labels.cropland_classes or labels.other_classes",
        ),
        *_common(sources),
    )


def extent_fields(sources: Sequence[str]) -> tuple[Field, ...]:
    """Fields of the extents. A new one takes what the suggestion says that it is drawn on."""
    return (
        Field(
            "extent_id",
            "id",
            default=f"coalesce({_of_suggestion('extent_id')}, {_UUID})",
            required=True,
            unique=True,
        ),
        Field(
            "split",
            "used for",
            values=("train", "validation"),
            default=f"coalesce({_of_suggestion('split')}, 'train')",
            required=True,
            hint="random blocks are for validation, all others for training",
        ),
        *_common(sources),
    )


def _of_suggestion(field: str) -> str:
    """The field of the suggestion that the middle of what is drawn lies in, or else of one that it
    touches: suggestions lie side by side, so that one drawn over may touch several."""
    middle = "within(centroid(geometry(@parent)), $geometry)"
    return (
        f"coalesce(aggregate('{SUGGESTED}', 'min', \"{field}\", {middle}), "
        f"array_first(overlay_intersects('{SUGGESTED}', \"{field}\")))"
    )


def _common(sources: Sequence[str]) -> tuple[Field, ...]:
    return (
        Field(
            "source",
            "drawn on",
            values=("", *sources),
            default=f"coalesce({_of_suggestion('source')}, '')",
            hint="empty if the label holds for every source",
        ),
        Field("annotator", "annotator", default=_USER),
        Field("date", "date", default=_TODAY),
    )
