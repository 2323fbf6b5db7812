"""What others get to see of a task: clients over the API, recipes in a template, receivers in an event.

Everybody sees the provider's own word, untouched but for the id, which is ours.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from relay.contract import OTHER_KINDS, Status, Task, encode
from relay.journal import Finish, MediaRow, TaskRow


def client_task(task: TaskRow) -> dict[str, Any]:
    """The task as ``GET /v1/tasks/{id}`` shows it (JSON-ready). Before the provider's first word: queued."""
    if task.observed is None:
        return _queued(task)
    return own_task(task.id, task.observed)


def finished_task(finish: Finish) -> dict[str, Any]:
    """The task as it was at one finish, whatever it has become since."""
    return own_task(finish.task_id, finish.observed)


def event(finish: Finish, task: TaskRow, media: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The event that a receiver gets when it asks for nothing else."""
    return {
        "id": finish.event_id,
        "type": finish.event,
        "created_at": int(finish.at),
        "revision": finish.revision,
        "task": finished_task(finish),
        "row": row_of(task),
        "media": list(media),
    }


def media_link(media: MediaRow, base_url: str) -> dict[str, Any]:
    """A stored file as recipes and receivers see it: by a link to our own store."""
    return {
        "url": f"{base_url}/media/{media.id}/{media.name}",
        "source_url": media.source_url,
        "name": media.name,
        "mime_type": media.mime_type,
        "size": media.size,
        "sha256": media.sha256,
        "index": media.position,
    }


def row_of(task: TaskRow) -> dict[str, Any]:
    """The facts that the client attached."""
    return msgspec.json.decode(task.row, type=dict[str, Any])


def own_task(task_id: str, observed: str) -> dict[str, Any]:
    """A provider's word on a task, under our own id."""
    # floats would round a price; Decimal carries the provider's digits through unchanged
    document = cast("dict[str, Any]", _exact.decode(observed))
    document["id"] = task_id
    document.setdefault("object", "task")
    return document


_exact = msgspec.json.Decoder(float_hook=Decimal)


def _queued(task: TaskRow) -> dict[str, Any]:
    queued = Task(
        id=task.id,
        status=Status.QUEUED,
        stage=Status.QUEUED,
        created_at=int(task.created_at),
        updated_at=int(task.updated_at),
    )
    kind = OTHER_KINDS.get(task.workflow)
    if kind is None:
        queued.workflow = task.workflow
    else:
        queued.task_kind = kind
    return msgspec.json.decode(encode(queued))
