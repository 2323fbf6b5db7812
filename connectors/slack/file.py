"""The MP4 itself, uploaded once, so that it plays inline.

Slack's way: ask for an address, send the bytes, then say where the file shall appear. Only the last step is seen by
anybody, and its answer names no message; whether it happened is asked of the file itself.

A message that is there already takes a file by ``file_ids`` of ``chat.update``. Slack documents that argument, yet has
been seen to answer ``ok`` and to show nothing; so the file is asked here too, and ends as a reply if need be.
"""

import json
from collections.abc import Mapping
from typing import Any

from connectors.base import Delivery, MediaFile, Wait

from .api import Api
from .errors import Refused

_NOTE, _ATTACHED = "file", "attached file"
_LOOKS = 3
"""How often an unclear file is looked at, some seconds apart, before it counts as not shared."""
_WAIT = 10.0


class File:
    """The file of one delivery."""

    def __init__(self, api: Api, delivery: Delivery, media: MediaFile) -> None:
        self._api = api
        self._delivery = delivery
        self._media = media

    async def share(self, channel: str, thread: str | None) -> str:
        """The file's id, once it is shown in ``channel``, as a reply to ``thread`` if given."""
        noted = json.loads(await self._delivery.notes.get(_NOTE) or "{}")
        if noted.get("state") == "shared":
            return noted["id"]
        if noted.get("state") == "sharing":
            if await self._is_shared(noted["id"], channel):
                await self._note("shared", noted["id"])
                return noted["id"]
            if noted["looks"] < _LOOKS:
                await self._note("sharing", noted["id"], looks=noted["looks"] + 1)
                raise _unclear()
            file = str(noted["id"])
        else:
            file = noted.get("id") or await self._upload()
        await self._note("sharing", file)
        try:
            await self._api.call(
                "files.completeUploadExternal",
                files=[{"id": file, "title": self._media.name}],
                channel_id=channel,
                thread_ts=thread,
            )
        except Refused as error:  # surely not shown; the bytes are there, unless it is they that were refused
            await self._note("uploaded", "" if error.error == "file_not_found" else file)
            raise
        await self._note("shared", file)
        return file

    async def attach(self, channel: str, ts: str, content: Mapping[str, Any]) -> str | None:
        """The file's id, once the message ``ts`` of ``channel`` shows it; ``None`` if Slack does not show it there. The
        update is the same each time, so it may be repeated."""
        noted = json.loads(await self._delivery.notes.get(_ATTACHED) or "{}")
        if noted.get("state") in ("shown", "refused"):
            return noted["id"] if noted["state"] == "shown" else None
        file, looks = noted.get("id"), noted.get("looks", 0)
        if file is None:
            file = await self._upload()
            await self._api.call("files.completeUploadExternal", files=[{"id": file, "title": self._media.name}])
            await self._note("private", file, name=_ATTACHED)
        await self._api.call("chat.update", channel=channel, ts=ts, file_ids=file, **content)
        if await self._is_shared(file, channel, ts):
            await self._note("shown", file, name=_ATTACHED)
            return str(file)
        if looks < _LOOKS:
            await self._note("private", file, looks=looks + 1, name=_ATTACHED)
            raise _unclear()
        await self._delete(file)
        await self._note("refused", file, name=_ATTACHED)
        return None

    async def _delete(self, file: str) -> None:
        """So that it cannot appear after all, beside the reply that takes its place."""
        try:
            await self._api.call("files.delete", file=file)
        except Refused as error:
            if error.error not in ("file_not_found", "file_deleted"):
                raise

    async def _upload(self) -> str:
        """Nobody sees an uploaded file before it is shared, so an interrupted upload is simply begun anew."""
        answer = await self._api.call(
            "files.getUploadURLExternal", filename=self._media.name, length=str(self._media.size)
        )
        async with self._media.open() as chunks:
            await self._api.upload(str(answer["upload_url"]), chunks, self._media.size)
        return str(answer["file_id"])

    async def _is_shared(self, file: str, channel: str, ts: str | None = None) -> bool:
        """Whether it is seen in ``channel``; in its message ``ts``, if given."""
        answer = await self._api.call("files.info", file=file)
        shares: dict[str, dict[str, Any]] = answer["file"].get("shares") or {}
        places = [place for places in shares.values() for place in places.get(channel, [])]
        return any(ts in (None, place.get("ts")) for place in places)

    async def _note(self, state: str, file: str, *, looks: int = 0, name: str = _NOTE) -> None:
        await self._delivery.notes.put(name, json.dumps({"state": state, "id": file, "looks": looks}))


def _unclear() -> Wait:
    return Wait("Slack has the file; whether it is shown is not known yet: looked at again soon", after=_WAIT)
