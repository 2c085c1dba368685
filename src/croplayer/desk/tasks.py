"""The three kinds of interpretation: what is asked, what may be answered, where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from croplayer.blocks.classes import OPTIONS


@dataclass(frozen=True)
class Choice:
    """One possible answer: its value in the label table, its name and what it means."""

    value: str
    name: str
    meaning: str


@dataclass(frozen=True)
class Task:
    """A kind of interpretation.

    key : its name in addresses and in the database, and the key of `labels` with its table.
    column : the column of the answer in that table.
    per_source : whether each source of a block is asked for, or the block once.
    choices : the answers, in the order of the number keys 1, 2, ...
    """

    key: str
    title: str
    question: str
    column: str
    per_source: bool
    choices: tuple[Choice, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the label table that name what is labelled."""
        return ("block_id", "source") if self.per_source else ("block_id",)

    @property
    def values(self) -> tuple[str, ...]:
        """The values that the label table may hold."""
        return tuple(choice.value for choice in self.choices)


COVERAGE = Task(
    key="coverage",
    title="Coverage type",
    question="What does the image show?",
    column="coverage_type",
    per_source=True,
    choices=(
        Choice("planting", "Planting", "fields with crops on them"),
        Choice("non_planting", "Non-planting", "clear image without growing crops"),
        Choice("snow_ice", "Snow/Ice", "snow or ice hides the fields"),
        Choice("cloudy", "Cloudy", "clouds or thick haze hide the fields"),
        Choice("nodata", "Nodata", "no image, or hardly any"),
    ),
)
SEMANTIC = Task(
    key="semantic",
    title="Semantic class",
    question="Is the mapped cropland right?",
    column="semantic_class",
    per_source=True,
    choices=(
        Choice("TP", "TP", "correctly mapped, or rightly empty"),
        Choice("FP", "FP", "other land is mapped as cropland"),
        Choice("Noise", "Noise", "very small wrong patches"),
        Choice("Artifacts", "Artifacts", "wrong because of the image or its processing"),
    ),
)


def options_task(a: str, b: str) -> Task:
    """The task of integration options; `a` and `b` are the names of the two sources."""
    meanings = {
        "neither": ("Neither", "no usable cropland in either mask"),
        "only_a": (f"Only {a}", f"the mask of {a} alone is the better map"),
        "only_b": (f"Only {b}", f"the mask of {b} alone is the better map"),
        "both": ("Both", "the two masks together are the better map"),
    }
    return Task(
        key="options",
        title="Integration option",
        question="Which mask should the map take?",
        column="option",
        per_source=False,
        choices=tuple(Choice(value, *meanings[value]) for value in OPTIONS),
    )


def tasks_of(sources: list[str]) -> dict[str, Task]:
    """The tasks of a province by key; the integration option only where there are two sources."""
    tasks = [COVERAGE, SEMANTIC]
    if len(sources) == 2:
        tasks.append(options_task(*sources))
    return {task.key: task for task in tasks}
