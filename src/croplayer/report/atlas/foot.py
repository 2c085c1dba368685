"""Where a report comes from: labels, models, code, configuration, attributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cropbase.atlas.foot import closing, origin
from cropbase.atlas.page import definitions
from cropbase.digests import file_sha256
from croplayer.report.results import pick, read_json
from croplayer.settings.products import Product

PACKAGES = (
    "numpy",
    "rasterio",
    "shapely",
    "geopandas",
    "torch",
    "transformers",
    "torchvision",
    "xgboost",
    "snakemake",
)
_STAGES = {
    "coverage": "Coverage types",
    "segmentation": "Segmentation",
    "semantic": "Semantic classes",
    "integration": "Integration",
}


def foot_html(
    *,
    province: str,
    title: str,
    label_round: int,
    lock: Path,
    models: Mapping[str, tuple[Path, Path]],
    configuration: Mapping[str, Any],
    imagery: Mapping[str, str],
    products: Mapping[str, Product],
    inputs: Iterable[Path],
    note: str,
) -> str:
    """The foot as HTML.

    Parameters
    ----------
    lock : hashes of the polygon labels. models : stage -> (card, weights).
    configuration : the effective one, as plain values. imagery : source -> attribution.
    inputs : files that the report was made from.

    Raises InputError for a lock, card or model that cannot be read.
    """
    return "\n".join(
        [
            origin(
                subject=("Province", f"{title} ({province})"),
                note=note,
                inputs=inputs,
                packages=PACKAGES,
            ),
            "<h3>Labels</h3>",
            definitions([("Round", str(label_round)), *_label_lines(lock)]),
            "<h3>Models</h3>",
            definitions(
                (_STAGES.get(stage, stage), _model_text(card, weights))
                for stage, (card, weights) in models.items()
            ),
            "<h3>Imagery and products</h3>",
            definitions(_credits(imagery, products)),
            closing(configuration, less=", without what changes no result"),
        ]
    )


def _label_lines(lock: Path) -> list[tuple[str, str]]:
    content = read_json(lock)
    files = pick(content, "files") or {}
    lines = [("All polygon files", f"sha256 {content.get('sha256', '')}")]
    for key, entry in files.items():
        counts = ", ".join(f"{n} {what}" for what, n in (entry.get("counts") or {}).items())
        lines.append((key, f"{entry.get('name')}: {counts}; sha256 {entry.get('sha256')}"))
    return lines


def _model_text(card: Path, weights: Path) -> str:
    """What a model learned from and which one it is: hashes of labels or data, and of the file."""
    content = read_json(card)
    learned = pick(content, "data", "sha256") or content.get("label_sha256")
    architecture = pick(content, "settings", "architecture") or content.get("kind") or ""
    held_out = (
        pick(content, "result", "validation", "iou"),
        pick(content, "held_out", "top1_accuracy"),
        pick(content, "test", "accuracy"),
    )
    measure = next(
        (
            f"{name} {value:.3f} on held-out data"
            for name, value in zip(("IoU", "accuracy", "accuracy"), held_out, strict=True)
            if isinstance(value, float | int)
        ),
        "",
    )
    parts = [
        architecture,
        measure,
        f"labels sha256 {learned}" if learned else "",
        f"weights sha256 {file_sha256(weights)}",
        f"from {card.parent.as_posix()}",
    ]
    return "; ".join(part for part in parts if part)


def _credits(
    imagery: Mapping[str, str], products: Mapping[str, Product]
) -> Sequence[tuple[str, str]]:
    lines = [
        (f"Imagery {name}", text or "no attribution configured") for name, text in imagery.items()
    ]
    lines += [
        (product.title, f"{product.attribution} {product.citation} Licence: {product.licence}.")
        for product in products.values()
    ]
    return lines


def at_a_glance(province_json: Path, stopping_json: Path) -> list[str]:
    """Two or three sentences with the run's main figures, plain text."""
    result, decision = read_json(province_json), read_json(stopping_json)
    name, main = list(result["scenarios"].items())[-1]
    kind = "the integrated map" if name == "integrated" else name
    official, ratio = result.get("official_area_ha"), main.get("ratio")
    text = f"Cropland of {kind}: {main['cropland_ha']:,.0f} ha"
    if official and ratio is not None:
        text += f", {ratio:.1%} of the official {official:,.0f} ha"
    unusable = main.get("unusable_ha") or 0
    if unusable >= 0.5:
        text += f"; {unusable:,.0f} ha have no usable imagery"
    return [f"{text}.", str(pick(decision, "sentence") or "")]
