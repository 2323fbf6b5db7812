"""Recent events, as the key that asks may see them; a made-up one where there is none, so that tools can be set up."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from relay.journal import Finish, Journal

from .endpoints import owner_of
from .keys import Caller
from .telling import SAMPLE_REQUEST, sample
from .view import event, media_link


class Recent(Struct):
    """An event, and the request that its task came from."""

    event: dict[str, Any]
    request: dict[str, Any]


class Events:
    """What happened lately. ``base_url`` is where media links begin."""

    def __init__(self, journal: Journal, base_url: str) -> None:
        self._journal = journal
        self._base_url = base_url

    async def recent(self, caller: Caller, kinds: Sequence[str], limit: int) -> list[Recent]:
        """Newest first, at most ``limit``; a sample of each kind when nothing has happened yet."""
        found = await self._journal.events.recent(limit, owner=owner_of(caller), events=tuple(kinds))
        if found:
            return [await self._told(one) for one in found]
        return [Recent(sample(kind, self._base_url), SAMPLE_REQUEST) for kind in kinds][:limit]

    async def _told(self, happened: Finish) -> Recent:
        task = await self._journal.tasks.get(happened.task_id)
        assert task is not None, "an event is written together with its task, and tasks are never deleted"
        media = await self._journal.deliveries.media_of(happened.task_id, happened.revision)
        told = event(happened, task, [media_link(one, self._base_url) for one in media])
        return Recent(told, msgspec.json.decode(task.request))
