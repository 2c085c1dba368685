"""Units of area in statistics, and what the text of an item says besides the crop."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

HECTARES = {
    "ha": 1.0,
    "kha": 1_000.0,
    "10k_ha": 10_000.0,
    "mu": 1 / 15,  # 1 mu = 10000 / 15 m2
    "10k_mu": 10_000 / 15,
    "km2": 100.0,
}
"""Hectares of one unit of measure."""

_TEXTS = {
    "ha": ["ha", "hectare", "hectares", "公顷"],
    "kha": ["kha", "1000 ha", "1 000 ha", "1000ha", "1 000 hectares", "1000 hectares",
            "thousand hectares", "千公顷"],
    "10k_ha": ["10k_ha", "万公顷"],
    "mu": ["mu", "亩", "市亩"],
    "10k_mu": ["10k_mu", "10 000 mu", "10000 mu", "万亩"],
    "km2": ["km2", "km^2", "sq km", "square kilometres", "平方公里"],
}  # fmt: skip
_MEASURES = {text: measure for measure, texts in _TEXTS.items() for text in texts}
# Units of something else: an item that has one is no area.
_OTHER = re.compile(
    r"(吨|万吨|千克|公斤|斤|元|万元|亿元|人|万人|%|％|万千瓦|t|tonnes|kg"
    r"|(千克|公斤|吨|kg|t)\s*/\s*(公顷|亩|ha))"
)
_BRACKETS = re.compile(r"\s*[(（]([^()（）]*)[)）]\s*$")
_ENDINGS = ("播种面积", "种植面积", "收获面积", "面积", "产量", "单位面积产量")


def parse_measure(text: object) -> str | None:
    """Unit of area (`ha`, `kha`, `10k_ha`, `mu`, `10k_mu`, `km2`) that a text names, or None."""
    key = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", str(text))).strip().lower()
    key = re.sub(r"^(单位|unit)\s*[::]\s*", "", key)
    key = key.strip("()（） ")
    return _MEASURES.get(key)


@dataclass(frozen=True)
class Item:
    """An item of a table: `name` of the crop, `measure` or None, and whether it is an area."""

    name: str
    measure: str | None
    is_area: bool


def parse_item(text: object) -> Item:
    """Take 玉米播种面积（千公顷） apart: the crop 玉米, measured in kha.

    `is_area` is False where the item names a unit of something else (tonnes, yuan).
    """
    name = unicodedata.normalize("NFKC", str(text)).strip()
    measure, is_area = None, True
    found = _BRACKETS.search(name)
    if found:
        inside = found.group(1).strip()
        measure = parse_measure(inside)
        if measure is None and _OTHER.fullmatch(inside):
            is_area = False
        if measure is not None or not is_area:
            name = name[: found.start()]
    name = name.strip().lstrip("#*").strip()
    for ending in _ENDINGS:
        if name.endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    # Chinese yearbooks set spaces between the characters of a short name.
    name = re.sub(r"(?<=[一-鿿])\s+(?=[一-鿿])", "", name)
    return Item(re.sub(r"\s+", " ", name), measure, is_area)
