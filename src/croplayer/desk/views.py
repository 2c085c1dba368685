"""What the page asks of the desk, as plain functions: they know a province and nothing of HTTP."""

from __future__ import annotations

from typing import Any

from croplayer.desk.bodies import AnswerBody, NextBody, OpenBody, UndoBody
from croplayer.desk.handout import SCOPES, Handout, Item
from croplayer.desk.province import DeskProvince
from croplayer.desk.tiles import MASK_COLOURS, MAX_LEVEL, TILE


class RefusedError(Exception):
    """The request cannot be met; the message is for the annotator. `status` is that of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def desk_view(desk: DeskProvince) -> dict[str, Any]:
    """All that stays the same while the desk is open."""
    grid, settings = desk.settings.grid.grid(), desk.settings
    blocks = desk.blocks
    sampled = set(desk.sampled)
    return {
        "province": desk.name,
        "title": settings.province.title,
        "generated": settings.province.generated,
        "round": desk.round,
        "relabel": settings.desk.relabel,
        "double_share": settings.desk.double_share,
        "grid": {
            "pixels_per_block": grid.pixels_per_block,
            "block_degrees": grid.block_degrees,
            "tile": TILE,
            "max_level": MAX_LEVEL,
        },
        "sources": [
            {"name": name, "attribution": source.attribution, "colour": colour}
            for (name, source), colour in zip(settings.sources.items(), MASK_COLOURS, strict=False)
        ],
        "tasks": [
            {
                "key": task.key,
                "title": task.title,
                "question": task.question,
                "per_source": task.per_source,
                "choices": [vars(choice) for choice in task.choices],
            }
            for task in desk.tasks.values()
        ],
        "orders": [{"key": key, "title": title} for key, title in desk.orders.items()],
        "blocks": [
            [str(row.block_id), int(row.row), int(row.col), int(str(row.block_id) in sampled)]
            for row in blocks.itertuples()
        ],
    }


def status_view(desk: DeskProvince, task: str, annotator: str) -> dict[str, Any]:
    """Progress of a task and the state of every block that is handed out."""
    handout = _handout(desk, task)
    return {"progress": handout.progress(annotator), "states": handout.map_states()}


def next_item(desk: DeskProvince, body: NextBody) -> dict[str, Any]:
    """The next item for an annotator; `item` is null if there is none."""
    handout = _handout(desk, body.task)
    if body.order not in desk.orders:
        raise RefusedError(f"unknown order {body.order!r}; allowed: {', '.join(desk.orders)}")
    if body.scope not in SCOPES:
        raise RefusedError(f"unknown filter {body.scope!r}; allowed: {', '.join(SCOPES)}")
    after = Item(body.block_id, body.source) if body.block_id else None
    item = handout.next(body.annotator, order=body.order, scope=body.scope, after=after)
    return {"item": None if item is None else _item_view(desk, handout, item, body.annotator)}


def open_item(desk: DeskProvince, body: OpenBody) -> dict[str, Any]:
    """An item that the annotator chose on the map or has been at before."""
    handout = _handout(desk, body.task)
    item = _known(desk, handout, body.block_id, body.source)
    others = handout.open(body.annotator, item)
    return {"item": _item_view(desk, handout, item, body.annotator, taken_by=others)}


def answer(desk: DeskProvince, body: AnswerBody) -> dict[str, Any]:
    """Keep an answer or a skip. It is on the disk when this returns."""
    handout = _handout(desk, body.task)
    item = _known(desk, handout, body.block_id, body.source)
    if body.value is not None and body.value not in handout.task.values:
        raise RefusedError(
            f"unknown answer {body.value!r}; allowed: {', '.join(handout.task.values)}"
        )
    # Whoever was once handed a block may answer, however late: no work is turned away.
    if not desk.store.was_handed(body.task, item.block_id, body.annotator):
        raise RefusedError("this block was not handed to you; open it first", 409)
    added = desk.store.add(
        request=body.request,
        annotator=body.annotator,
        task=body.task,
        block_id=item.block_id,
        source=item.source,
        value=body.value,
        note=" ".join(body.note.split()),
        label_round=desk.round,
    )
    handout.settle(body.annotator, item.block_id)
    return {"added": added, "progress": handout.progress(body.annotator)}


def undo(desk: DeskProvince, body: UndoBody) -> dict[str, Any]:
    """Take back the annotator's newest answer or skip: `undone`, null if there was none."""
    handout = _handout(desk, body.task)
    event = desk.store.undo(request=body.request, annotator=body.annotator, task=body.task)
    if event is None:
        return {"item": None, "undone": None, "progress": handout.progress(body.annotator)}
    item = Item(event.block_id, event.source)
    shown = None
    # The plan or the sample may have changed since it was answered: then there is nothing to show.
    if item.block_id in desk.places:
        # No test of who else has it: it was this annotator's until now.
        minutes = desk.settings.desk.claim_minutes
        desk.store.claim(body.task, item.block_id, body.annotator, minutes)
        shown = _item_view(desk, handout, item, body.annotator)
    return {
        "item": shown,
        "undone": {"action": event.action, "value": event.value, "note": event.note},
        "progress": handout.progress(body.annotator),
    }


def _handout(desk: DeskProvince, task: str) -> Handout:
    if task not in desk.handouts:
        raise RefusedError(f"unknown task {task!r}; allowed: {', '.join(desk.handouts)}")
    return desk.handouts[task]


def _known(desk: DeskProvince, handout: Handout, block_id: str, source: str) -> Item:
    sources = desk.sources if handout.task.per_source else [""]
    if block_id not in desk.places or source not in sources:
        raise RefusedError(
            f"there is no block {block_id!r} of source {source!r} to interpret here", 404
        )
    return Item(block_id, source)


def _item_view(
    desk: DeskProvince,
    handout: Handout,
    item: Item,
    annotator: str,
    *,
    taken_by: list[str] | None = None,
) -> dict[str, Any]:
    """An item as the page shows it. What others answered is told only where nothing is left to
    answer independently."""
    own = handout.own(item, annotator)
    place = desk.places[item.block_id]
    others = {} if handout.blind(item.block_id) else handout.answers(item)
    return {
        "block_id": item.block_id,
        "source": item.source,
        "bounds": place.bounds,
        "pixels": place.pixels,
        "county": place.county,
        "reason": desk.reasons.get(item.block_id, ""),
        "facts": desk.facts.of(item.block_id),
        "own": own and {"action": own.action, "value": own.value, "note": own.note, "at": own.at},
        "others": {who: value for who, value in others.items() if who != annotator},
        "taken_by": taken_by or [],
        "double": handout.blind(item.block_id),
    }
