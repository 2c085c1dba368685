"""Which block whom: orders, filters, and two annotators who never get the same block by chance."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, NamedTuple

from croplayer.desk.store import Event, Store
from croplayer.desk.tasks import Task

SCOPES = ("open", "mine", "skipped")
"""Not yet labelled; answered by me; skipped by me."""


class Item(NamedTuple):
    """What is asked at once: a block, and a source of it where the task asks for each."""

    block_id: str
    source: str


class Standing:
    """The answers of a task as they stand: for each item the newest of each annotator.

    Kept up with the database by reading what came since the last look, so that a province of
    many thousand answers costs no more to look at than a small one.
    """

    def __init__(self, store: Store, task: Task) -> None:
        self._store, self._task = store, task
        self._last = 0
        self._stacks: dict[Item, dict[str, list[Event]]] = {}

    def refresh(self) -> None:
        """Read what was added since, by this process or another."""
        for event, undoes in self._store.after(self._task.key, self._last):
            people = self._stacks.setdefault(Item(event.block_id, event.source), {})
            stack = people.setdefault(event.annotator, [])
            if event.action == "undo":
                stack[:] = [old for old in stack if old.id != undoes]
            else:
                stack.append(event)
            self._last = event.id

    def items(self) -> Iterator[tuple[Item, dict[str, Event]]]:
        """Every item that somebody answered, with the answers."""
        for item in self._stacks:
            if answers := self.answers(item):
                yield item, answers

    def answers(self, item: Item) -> dict[str, Event]:
        """The answers to an item, by annotator; skips are none."""
        people = self._stacks.get(item, {})
        return {who: s[-1] for who, s in people.items() if s and s[-1].action == "answer"}

    def by(self, item: Item, annotator: str) -> Event | None:
        """The annotator's answer or skip."""
        stack = self._stacks.get(item, {}).get(annotator)
        return stack[-1] if stack else None

    def of(self, annotator: str) -> Iterator[Event]:
        """The answers and skips of an annotator."""
        for people in self._stacks.values():
            if stack := people.get(annotator):
                yield stack[-1]


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
        self._orders = {
            name: [Item(block_id, source) for block_id in ids for source in self._sources]
            for name, ids in orders.items()
        }
        self._places = {
            name: {item: place for place, item in enumerate(items)}
            for name, items in self._orders.items()
        }
        self._blocks = list(orders["map"])
        self._labelled = set(labelled)
        self._minutes = claim_minutes
        self._twice = {b for b in self._blocks if _is_double(task.key, b, double_share, seed)}
        self._wanted = sum(
            self.wanted(item.block_id) for item in self._orders["map"] if item not in self._labelled
        )
        self._standing = Standing(store, task)
        self._lock = threading.RLock()

    @contextmanager
    def _now(self) -> Iterator[Standing]:
        """What stands now, for one thread at a time."""
        with self._lock:
            self._standing.refresh()
            yield self._standing

    def items(self, order: str = "map") -> list[Item]:
        """All items in an order; the sources of a block follow one another."""
        return self._orders[order]

    def wanted(self, block_id: str) -> int:
        """How many annotators a block goes to: 1 or 2, always the same for the same seed."""
        return 2 if block_id in self._twice else 1

    def next(
        self, annotator: str, *, order: str, scope: str, after: Item | None = None
    ) -> Item | None:
        """The next item for an annotator, which is theirs from now on; None if there is none.

        The search goes on behind `after` and then from the beginning, so that `after` itself comes
        last. In scope `open` blocks that others hold or have answered are passed over.
        """
        with self._lock, self._store.transaction(), self._now() as standing:
            held = self._store.holders(self.task.key)
            items = self._orders[order]
            start = self._places[order].get(after, -1) + 1
            for item in chain(islice(items, start, None), islice(items, start)):
                if not self._fits(item, scope, annotator, standing):
                    continue
                others = self._others(item.block_id, annotator, standing, held)
                if scope == "open" and len(others) >= self.wanted(item.block_id):
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
        with self._lock, self._store.transaction(), self._now() as standing:
            held = self._store.holders(self.task.key)
            others = self._others(item.block_id, annotator, standing, held)
            mine = any(standing.by(each, annotator) for each in self._items_of(item.block_id))
            if not mine and len(others) >= self.wanted(item.block_id):
                return sorted(others)
            self._store.claim(self.task.key, item.block_id, annotator, self._minutes)
            return []

    def settle(self, annotator: str, block_id: str) -> None:
        """Let a block go once its annotator has answered or skipped all its items."""
        with self._now() as standing:
            if all(
                standing.by(item, annotator) or item in self._labelled
                for item in self._items_of(block_id)
            ):
                self._store.claim(self.task.key, block_id, annotator, 0)

    def blind(self, block_id: str) -> bool:
        """Whether nobody may see what others answered: the block is labelled twice."""
        return block_id in self._twice

    def own(self, item: Item, annotator: str) -> Event | None:
        """What an annotator answered, or that they skipped it."""
        with self._now() as standing:
            return standing.by(item, annotator)

    def answers(self, item: Item) -> dict[str, str]:
        """Annotator -> answer to an item."""
        with self._now() as standing:
            return {who: event.value for who, event in standing.answers(item).items()}

    def progress(self, annotator: str) -> dict[str, Any]:
        """How far the task is: answers wanted and given, by class, and the annotator's own.

        Items that the label table held before count neither as wanted nor as given.
        """
        counts = dict.fromkeys(self.task.values, 0)
        handed = self._places["map"]
        done = 0
        with self._now() as standing:
            for item, answers in standing.items():
                for event in answers.values():
                    counts[event.value] += 1
                if item in handed and item not in self._labelled:
                    done += min(len(answers), self.wanted(item.block_id))
            own = Counter(event.action for event in standing.of(annotator))
        return {
            "wanted": self._wanted,
            "done": done,
            "mine": own["answer"],
            "skipped": own["skip"],
            "counts": counts,
            "already": len(self._labelled),
        }

    def map_states(self) -> str:
        """The state of each block in one letter, in the order `map`.

        `.` open, `l` labelled before, `h` held by somebody, `a` answered.
        """
        held = self._store.holders(self.task.key)
        with self._now() as standing:
            answered = {item for item, _ in standing.items()}
        letters = []
        for block_id in self._blocks:
            items = self._items_of(block_id)
            if all(item in answered or item in self._labelled for item in items):
                letters.append("a" if any(item in answered for item in items) else "l")
            else:
                letters.append("h" if block_id in held else ".")
        return "".join(letters)

    def _items_of(self, block_id: str) -> list[Item]:
        return [Item(block_id, source) for source in self._sources]

    def _others(
        self, block_id: str, annotator: str, standing: Standing, held: Mapping[str, set[str]]
    ) -> set[str]:
        """Other annotators who hold a block or have answered a part of it."""
        found = set(held.get(block_id, ()))
        for item in self._items_of(block_id):
            found.update(standing.answers(item))
        return found - {annotator}


def _is_double(task: str, block_id: str, share: float, seed: int) -> bool:
    """Whether two annotators interpret a block: a share of them, chosen by a hash."""
    digest = hashlib.sha256(f"{seed}:{task}:{block_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
