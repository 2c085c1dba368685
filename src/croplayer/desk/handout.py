"""Which block whom: orders, filters, and two annotators who never get the same block by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from croplayer.desk.store import Event, Store
from croplayer.desk.tasks import Task

SCOPES = ("open", "mine", "skipped")
"""Not yet labelled; answered by me; skipped by me."""


@dataclass(frozen=True)
class Item:
    """What is asked at once: a block, and a source of it where the task asks for each."""

    block_id: str
    source: str


@dataclass
class Standing:
    """The answers of a task as they stand: item -> annotator -> answer or skip."""

    events: dict[Item, dict[str, Event]] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, task: Task) -> Standing:
        standing = cls()
        for event in store.standing(task.key):
            item = Item(event.block_id, event.source)
            standing.events.setdefault(item, {})[event.annotator] = event
        return standing

    def answers(self, item: Item) -> dict[str, Event]:
        """The answers to an item, by annotator; skips are none."""
        found = self.events.get(item, {})
        return {who: event for who, event in found.items() if event.action == "answer"}

    def by(self, item: Item, annotator: str) -> Event | None:
        """The annotator's answer or skip."""
        return self.events.get(item, {}).get(annotator)


class Handout:
    """Hands the items of one task out.

    Parameters
    ----------
    task, store : what is asked and where the answers are.
    sources : names of the sources, A first.
    orders : name -> block ids in that order; every order but `ranked` holds all blocks.
    labelled : items that the label table already holds.
    double_share, seed : the blocks that two annotators get.
    claim_minutes : how long a block stays with whom it was handed to.
    """

    def __init__(
        self,
        task: Task,
        store: Store,
        *,
        sources: Sequence[str],
        orders: Mapping[str, Sequence[str]],
        labelled: Collection[Item] = (),
        double_share: float = 0.0,
        seed: int = 1,
        claim_minutes: float = 30.0,
    ) -> None:
        self.task, self._store = task, store
        self._sources = list(sources) if task.per_source else [""]
        self._orders = {name: list(ids) for name, ids in orders.items()}
        self._labelled = set(labelled)
        self._share, self._seed, self._minutes = double_share, seed, claim_minutes

    def items(self, order: str = "map") -> Iterator[Item]:
        """All items in an order; the sources of a block follow one another."""
        for block_id in self._orders[order]:
            for source in self._sources:
                yield Item(block_id, source)

    def wanted(self, block_id: str) -> int:
        """How many annotators a block goes to: 1 or 2, always the same for the same seed."""
        if self._share <= 0:
            return 1
        digest = hashlib.sha256(f"{self._seed}:{self.task.key}:{block_id}".encode()).digest()
        return 2 if int.from_bytes(digest[:8], "big") < self._share * 2**64 else 1

    def next(
        self, annotator: str, *, order: str, scope: str, after: Item | None = None
    ) -> Item | None:
        """The next item for an annotator, which is theirs from now on; None if there is none.

        The search goes on behind `after` and then from the beginning, so that `after` itself comes
        last. In scope `open` blocks that others hold or have answered are passed over.
        """
        with self._store.transaction():
            standing = Standing.of(self._store, self.task)
            others = self._others(standing, annotator)
            items = list(self.items(order))
            start = items.index(after) + 1 if after in items else 0
            for item in items[start:] + items[:start]:
                if not self._fits(item, scope, annotator, standing):
                    continue
                taken = len(others.get(item.block_id, ()))
                if scope == "open" and taken >= self.wanted(item.block_id):
                    continue
                self._store.claim(self.task.key, item.block_id, annotator, self._minutes)
                return item
        return None

    def _fits(self, item: Item, scope: str, annotator: str, standing: Standing) -> bool:
        mine = standing.by(item, annotator)
        if scope == "open":
            return mine is None and item not in self._labelled
        return mine is not None and mine.action == ("answer" if scope == "mine" else "skip")

    def open(self, annotator: str, item: Item) -> list[str]:
        """Take an item that the annotator chose; returns who else holds or has it, [] if taken."""
        with self._store.transaction():
            standing = Standing.of(self._store, self.task)
            others = self._others(standing, annotator).get(item.block_id, set())
            mine = any(
                standing.by(Item(item.block_id, source), annotator) for source in self._sources
            )
            if not mine and len(others) >= self.wanted(item.block_id):
                return sorted(others)
            self._store.claim(self.task.key, item.block_id, annotator, self._minutes)
            return []

    def settle(self, annotator: str, block_id: str) -> None:
        """Let a block go once its annotator has answered or skipped all its items."""
        with self._store.transaction():
            standing = Standing.of(self._store, self.task)
            items = [Item(block_id, source) for source in self._sources]
            if all(standing.by(item, annotator) or item in self._labelled for item in items):
                self._store.claim(self.task.key, block_id, annotator, 0)

    def blind(self, block_id: str) -> bool:
        """Whether nobody may see what others answered: the block is labelled twice."""
        return self.wanted(block_id) > 1

    def progress(self, annotator: str) -> dict:
        """How far the task is: answers wanted and given, by class, and the annotator's own.

        Items that the label table held before count neither as wanted nor as given.
        """
        standing = Standing.of(self._store, self.task)
        counts = dict.fromkeys(self.task.values, 0)
        wanted = done = mine = skipped = 0
        for item in self.items():
            answers = standing.answers(item)
            for event in answers.values():
                counts[event.value] += 1
            own = standing.by(item, annotator)
            mine += own is not None and own.action == "answer"
            skipped += own is not None and own.action == "skip"
            if item not in self._labelled:
                wanted += self.wanted(item.block_id)
                done += min(len(answers), self.wanted(item.block_id))
        return {
            "wanted": wanted,
            "done": done,
            "mine": mine,
            "skipped": skipped,
            "counts": counts,
            "already": len(self._labelled),
        }

    def map_states(self) -> str:
        """The state of each block in one letter, in the order `map`.

        `.` open, `l` labelled before, `h` held by somebody, `a` answered.
        """
        standing = Standing.of(self._store, self.task)
        held = self._store.holders(self.task.key)
        letters = []
        for block_id in self._orders["map"]:
            items = [Item(block_id, source) for source in self._sources]
            if all(standing.answers(item) or item in self._labelled for item in items):
                answered = any(standing.answers(item) for item in items)
                letters.append("a" if answered else "l")
            else:
                letters.append("h" if block_id in held else ".")
        return "".join(letters)

    def _others(self, standing: Standing, annotator: str) -> dict[str, set[str]]:
        """Block -> other annotators who hold it or have answered a part of it."""
        found = {block: set(who) for block, who in self._store.holders(self.task.key).items()}
        for item in standing.events:
            found.setdefault(item.block_id, set()).update(standing.answers(item))
        for who in found.values():
            who.discard(annotator)
        return found
