"""``beatrelay why TASK``: one causal timeline of everything that is known of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from relay.journal import DeliveryRow, Journal, LaneRow, Operation, TaskRow

from .view import client_task


class Moment(Struct):
    """One thing that happened, in words and as data."""

    at: float
    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Story(Struct):
    """A task's whole story, and what happens next."""

    task: dict[str, Any]
    provider_id: str | None
    told_by: str | None
    confirmed: bool
    revision: int
    polls: int
    moments: list[Moment]
    next: list[Moment]


async def tell(journal: Journal, task_id: str) -> Story | None:
    """Everything the journal holds of ``task_id`` (ours, or the provider's), in order. ``None``: unknown."""
    task = await journal.tasks.get(task_id) or await journal.tasks.by_provider_id(task_id)
    if task is None:
        return None
    moments = [
        Moment(entry.at, entry.kind, _words(entry.kind, entry.data), entry.data)
        for entry in await journal.tasks.history(task.id)
    ]
    if task.provider_id is not None:
        for receipt in await journal.receipts.of_task(task.provider_id):
            data = {
                "receipt": receipt.id,
                "verdict": receipt.verdict,
                "event_id": receipt.event_id,
                "event": receipt.event,
                "status": receipt.status,
                "seen": receipt.seen,
            }
            text = f"webhook {receipt.event} came: {receipt.verdict}, answered {receipt.status}"
            if receipt.seen > 1:
                text += f"; came {receipt.seen} times"
            moments.append(Moment(receipt.received_at, "webhook.received", text, data))
    deliveries = await journal.deliveries.of_task(task.id)
    operations = await journal.tasks.operations(task.id)
    return Story(
        task=client_task(task),
        provider_id=task.provider_id,
        told_by=task.told_by,
        confirmed=task.confirmed,
        revision=task.revision,
        polls=task.polls,
        moments=sorted(moments, key=lambda moment: moment.at),
        next=[*_next_operations(operations), *_next_poll(task), *_next_deliveries(deliveries, await _lanes(journal))],
    )


def _words(kind: str, data: dict[str, Any]) -> str:
    tell_it = _TELL.get(kind)
    return tell_it(data) if tell_it else kind


def _delivery(data: dict[str, Any]) -> str:
    return f"{data['recipe']} / {data['step']} ({data['use']}), attempt {data['attempt']}"


_TELL: dict[str, Callable[[dict[str, Any]], str]] = {
    "task.accepted": lambda d: "; ".join([f"accepted: {d['workflow']}", *d.get("warnings", [])]),
    "task.observed": lambda d: f"{d['by']} told: {d['before']} → {d['status']}",
    "task.confirmed": lambda d: f"{d['by']} confirmed what the webhook said: {d['status']}",
    "task.contradicted": lambda d: f"{d['by']} contradicts the webhook: {d['before']} → {d['status']}",
    "task.finished": lambda d: (
        f"finish {d['revision']}: {d['event']}, learnt by {d['learnt_by']}, told by {d['told_by']};"
        f" {len(d['deliveries'])} deliveries: {', '.join(d['deliveries']) or 'none'}"
    ),
    "poll.failed": lambda d: f"poll failed: {d['reason']}",
    "operation.accepted": lambda d: (
        f"{d['kind']} accepted"
        + (f" for {d['target']}" if d["target"] else "")
        + (f": {d['by']} decided so" if d.get("by") else "")
    ),
    "operation.refused": lambda d: f"refused: {d['reason']}",
    "operation.postponed": lambda d: f"not sent yet (attempt {d['attempt']}): {d['reason']}",
    "operation.cancelled": lambda d: f"the {d['kind']} was cancelled before it was sent",
    "queue.paused": lambda d: f"waits in the queue: {d['reason']}",
    "queue.resumed": lambda _: "the queue goes on",
    "operation.unconfirmed": lambda d: f"held as unconfirmed, will not be sent again by itself: {d['reason']}",
    "operation.adopted": lambda d: f"adopted {d['provider_id']}: its webhook leaves no doubt that it is ours",
    "operation.adopted_by_hand": lambda d: f"adopted {d['provider_id']}: a person decided so",
    "operation.resubmitted": lambda _: "sent again: a person decided so",
    "operation.abandoned": lambda _: "abandoned: a person decided so",
    "sheet.held": lambda d: (
        f"a person wrote {d['text']!r} over {d['column']} in the sheet {d['sheet']}; it is left alone"
        if d["text"]
        else f"a person emptied {d['column']} in the sheet {d['sheet']}; it is left alone"
    ),
    "delivery.done": lambda d: f"delivered {_delivery(d)}" + (f" → {d['url']}" if d.get("url") else ""),
    "delivery.failed": lambda d: f"failed {_delivery(d)}: {d['error']}",
    "delivery.waiting": lambda d: f"waits, not counted: {_delivery(d)}: {d['reason']}",
    "endpoint.disabled": lambda d: d["text"],
    "endpoint.removed": lambda d: d["text"],
    "delivery.probed": lambda d: f"still down, not counted: {_delivery(d)}: {d['error']}",
    "delivery.replayed": lambda d: f"to be sent again{d['how']}: {d['recipe']} / {d['step']}",
    "delivery.tried": lambda d: f"{d['by']} asked for a test run: {d['recipe']} / {d['step']} ({d['use']})",
    "delivery.planned": lambda d: f"planned later: {d['recipe']} / {d['step']} ({d['use']})",
    "delivery.dismissed": lambda d: f"dismissed by {d['by']}: {d['recipe']} / {d['step']} ({d['use']}): {d['reason']}",
    "delivery.held": lambda d: f"held as a dead letter {_delivery(d)}: {d['error']}",
    "delivery.dead": lambda d: f"dead letter {_delivery(d)}: {d['error']}",
}


def _next_operations(operations: list[Operation]) -> list[Moment]:
    moments: list[Moment] = []
    for operation in operations:
        data = {"operation": operation.id, "state": operation.state, "attempts": operation.attempts}
        if operation.state == "unconfirmed":
            text = f"{operation.kind} is unconfirmed ({operation.error}): settle it with `beatrelay tasks settle`"
            moments.append(Moment(operation.sent_at or operation.created_at, "operation.settle", text, data))
        elif operation.state == "queued":
            text = f"{operation.kind} waits in the queue" + (f": {operation.error}" if operation.error else "")
            moments.append(Moment(operation.created_at, "operation.send", text, data))
        elif operation.due_at is not None:
            text = f"{operation.kind} will be sent" + (f"; last time: {operation.error}" if operation.error else "")
            moments.append(Moment(operation.due_at, "operation.send", text, data))
    return moments


def _next_poll(task: TaskRow) -> list[Moment]:
    if task.next_poll_at is None:
        return []
    return [Moment(task.next_poll_at, "poll", f"poll ({task.polls} so far)", {"polls": task.polls})]


async def _lanes(journal: Journal) -> dict[str, LaneRow]:
    return {lane.name: lane for lane in await journal.lanes.all()}


def _next_deliveries(deliveries: list[DeliveryRow], lanes: Mapping[str, LaneRow]) -> list[Moment]:
    moments: list[Moment] = []
    for row in deliveries:
        data = {"delivery": row.id, "state": row.state, "attempts": row.attempts, "failures": row.failures}
        name = f"{row.recipe} / {row.step}"
        if row.state == "waiting":
            moments.append(Moment(row.created_at, "delivery.waits", f"{name} waits for an earlier one", data))
        elif row.state == "parked":
            text = f"{name} is parked: {row.lane} is paused; `beatrelay deliveries resume` drains it"
            moments.append(Moment(row.updated_at, "delivery.parked", text, data))
        elif row.state == "dead" and not _sent_anew(row, deliveries):
            text = (
                f"{name} was given up; mend its cause, then `beatrelay deliveries replay {row.id} --yes` sends it again"
            )
            moments.append(Moment(row.updated_at, "delivery.replay", text, data))
        elif row.state == "leased" and row.due_at is not None:
            moments.append(Moment(row.due_at, "delivery.try", f"{name} is under way", data))
        elif row.due_at is not None:
            moments.append(_try(name, row, row.due_at, lanes.get(row.lane), data))
    return moments


def _sent_anew(dead: DeliveryRow, deliveries: list[DeliveryRow]) -> bool:
    """Whether a person has sent another delivery in its place."""
    same = (dead.event_id, dead.recipe, dead.step)
    return any((one.event_id, one.recipe, one.step) == same and one.replay > dead.replay for one in deliveries)


def _try(name: str, row: DeliveryRow, due: float, lane: LaneRow | None, data: dict[str, Any]) -> Moment:
    """When a delivery will be tried, and what of its destination makes it later."""
    held = (lane.held_until or 0.0) if lane else 0.0
    text = f"{name} will be tried" + (f"; last time: {row.error}" if row.error else "")
    if lane and held > due:
        why = "is down" if lane.opened_at is not None else "wished to be left alone until then"
        text += f"; {row.lane} {why}: {lane.error or 'no reason told'}"
    return Moment(max(due, held), "delivery.try", text, data)


def as_json(story: Story) -> bytes:
    """The story for machines, with exact decimals."""
    return msgspec.json.format(_encoder.encode(story), indent=2)


_encoder = msgspec.json.Encoder(decimal_format="number")
