"""What the page may send: each request's body, checked before anything looks at it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_NAME = re.compile(r"[^\W\d_][\w .'-]{0,39}")


def _is_name(text: str) -> str:
    text = " ".join(text.split())
    if not _NAME.fullmatch(text):
        raise ValueError("a name begins with a letter and has up to 40 letters, digits, . ' - or _")
    return text


Annotator = Annotated[str, AfterValidator(_is_name)]
"""Who labels: a name that can stand in any table, and that no spreadsheet takes for a formula."""
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    annotator: Annotator
    task: str


class NextBody(_Body):
    """Asks for the next item behind `block_id` and `source`, if given."""

    order: str
    scope: str
    block_id: str = ""
    source: str = ""


class OpenBody(_Body):
    """Asks for an item that the annotator chose."""

    block_id: str
    source: str = ""


class AnswerBody(_Body):
    """An answer, or a skip where `value` is null. `request`: a name of this request, once used."""

    block_id: str
    source: str = ""
    value: str | None
    note: str = Field("", max_length=2000)
    request: RequestId


class UndoBody(_Body):
    """Takes back the annotator's newest answer or skip of a task."""

    request: RequestId
