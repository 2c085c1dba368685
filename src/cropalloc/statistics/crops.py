"""The one concordance of crop names (`config/crops.yaml`; 16 crops are Table 2 of the paper)."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from cropbase.config import Section, validate
from cropbase.errors import InputError
from cropbase.yaml_files import read_yaml


class UnknownCropError(InputError):
    """A file names crops that the concordance does not know."""


class Crop(Section):
    """One crop of the concordance."""

    title: str = Field(description="name for people")
    group: str = Field(description="group of crops")
    paper: bool = Field(False, description="one of the 16 crops of the paper")
    dry_matter_share: float = Field(
        gt=0, le=1, description="t of the matter of GAEZ yields per t of produce as it is sold"
    )
    proxy: str | None = Field(None, description="crop whose GAEZ layers stand for this one")
    names: dict[str, list[str]] = Field(
        description="names by vocabulary; FAOSTAT codes count as names"
    )

    @field_validator("names", mode="before")
    @classmethod
    def _flatten(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        flat = {}
        for vocabulary, names in value.items():
            if isinstance(names, dict):  # item code -> name or names
                parts = []
                for code, texts in names.items():
                    parts.append(str(code))
                    parts.extend(texts if isinstance(texts, list) else [texts])
                names = parts
            flat[vocabulary] = names if isinstance(names, list) else [names]
        return flat


class _File(Section):
    vocabularies: dict[str, Literal["synonyms", "parts"]]
    left_out: dict[str, list[str]] = Field(default={})
    crops: dict[str, Crop]


def normalise_name(text: str) -> str:
    """Key of a crop name: NFKC, lower case, inner space single."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", str(text))).strip().lower()


@dataclass(frozen=True)
class Concordance:
    """Names of crops in several vocabularies.

    Attributes
    ----------
    crops : crop id -> Crop, in the order of the file.
    vocabularies : name -> `synonyms` or `parts` (several names of a crop in one file are summed).
    left_out : vocabulary -> patterns of items that are no crops (totals, parts).
    """

    path: Path
    crops: dict[str, Crop]
    vocabularies: dict[str, str]
    left_out: dict[str, list[str]]
    _keys: dict[str, dict[str, str]]

    @property
    def paper_ids(self) -> list[str]:
        """Ids of the 16 crops of the paper."""
        return [crop_id for crop_id, crop in self.crops.items() if crop.paper]

    def find(self, name: str, vocabulary: str | None = None) -> str:
        """Crop id of one name; see `find_all`."""
        return self.find_all([name], vocabulary)[name]

    def find_all(self, names: Iterable[str], vocabulary: str | None = None) -> dict[str, str]:
        """Crop ids of many names.

        `vocabulary` limits the search (ids and titles are always known). Raises UnknownCropError
        that lists every unknown name with the known names that resemble it.
        """
        names = list(dict.fromkeys(names))
        found = {name: self._lookup(name, vocabulary) for name in names}
        unknown = [name for name, crop_id in found.items() if crop_id is None]
        if unknown:
            raise UnknownCropError(
                f"{len(unknown)} crop name(s) are not in {self.path}"
                + (f", vocabulary {vocabulary!r}" if vocabulary else ""),
                given=self.describe(unknown, vocabulary),
                remedy="correct the names, add them to the crop's names in that file, map them "
                "with the source's `crop_names`, or list them in its `left_out`",
            )
        return {name: crop_id for name, crop_id in found.items() if crop_id is not None}

    def try_find(self, name: str, vocabulary: str | None = None) -> str | None:
        """Crop id of one name, or None."""
        return self._lookup(name, vocabulary)

    def is_left_out(self, name: str, vocabulary: str | None = None) -> bool:
        """True if the vocabulary (any, if None) lists the item as a total or a part."""
        lists = [vocabulary] if vocabulary else list(self.left_out)
        key = normalise_name(name)
        return any(
            fnmatchcase(key, normalise_name(pattern))
            for one in lists
            for pattern in self.left_out.get(one, [])
        )

    def describe(self, unknown: Iterable[str], vocabulary: str | None = None) -> str:
        """Unknown names, each with the known names that resemble it."""
        known = self._known(vocabulary)
        texts = []
        for name in sorted(set(unknown)):
            near = difflib.get_close_matches(normalise_name(name), known, n=3, cutoff=0.6)
            hint = f" (did you mean {', '.join(near)}?)" if near else ""
            texts.append(f"{name!r}{hint}")
        return "; ".join(texts)

    def name(self, crop_id: str, vocabulary: str) -> str | None:
        """First name of a crop in a vocabulary (e.g. its SPAM code), or None.

        Raises UnknownCropError if the id is unknown.
        """
        if crop_id not in self.crops:
            raise UnknownCropError(
                f"crop id {crop_id!r} is not in {self.path}",
                given=self.describe([crop_id]),
                allowed=", ".join(self.crops),
            )
        names = self.crops[crop_id].names.get(vocabulary, [])
        return names[0] if names else None

    def _tables(self, vocabulary: str | None) -> list[dict[str, str]]:
        if vocabulary is None:
            return list(self._keys.values())
        if vocabulary not in self._keys:
            raise InputError(
                f"there is no vocabulary {vocabulary!r} in {self.path}",
                allowed=", ".join(sorted(self.vocabularies)),
            )
        return [self._keys[""], self._keys[vocabulary]]

    def _known(self, vocabulary: str | None) -> list[str]:
        return sorted({key for table in self._tables(vocabulary) for key in table})

    def _lookup(self, name: str, vocabulary: str | None) -> str | None:
        key = normalise_name(name)
        return next((t[key] for t in reversed(self._tables(vocabulary)) if key in t), None)


def read_concordance(path: str | Path) -> Concordance:
    """Read and check `config/crops.yaml`.

    Raises ConfigError for unknown keys or values out of range, InputError for a name that two
    crops claim, a vocabulary that is not declared, or a proxy that is no crop.
    """
    path = Path(path)
    file = validate(_File, read_yaml(path), files=[path])
    keys: dict[str, dict[str, str]] = {"": {}, **{name: {} for name in file.vocabularies}}
    owner: dict[str, str] = {}
    faults = [f"left_out: no vocabulary {v!r}" for v in file.left_out if v not in keys]
    for crop_id, crop in file.crops.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", crop_id):
            faults.append(f"{crop_id!r}: an id is lower-case letters, digits and _")
        if crop.proxy is not None and crop.proxy not in file.crops:
            faults.append(f"{crop_id}: its proxy {crop.proxy!r} is no crop")
        undeclared = [name for name in crop.names if name not in file.vocabularies]
        faults += [f"{crop_id}: no vocabulary {name!r}" for name in undeclared]
        own = {"": [crop_id, crop_id.replace("_", " "), crop.title]}
        own |= {name: texts for name, texts in crop.names.items() if name not in undeclared}
        for vocabulary, texts in own.items():
            for text in texts:
                key = normalise_name(text)
                if owner.setdefault(key, crop_id) != crop_id:
                    faults.append(f"{text!r} is claimed by {owner[key]} and by {crop_id}")
                keys[vocabulary][key] = crop_id
    if faults:
        raise InputError(
            f"the concordance {path} has {len(faults)} fault(s)",
            given="; ".join(faults),
            remedy="a name belongs to one crop; declare vocabularies under `vocabularies`",
        )
    return Concordance(path, file.crops, dict(file.vocabularies), dict(file.left_out), keys)
