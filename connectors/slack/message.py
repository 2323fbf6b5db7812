"""One message, never twice: what is about to be sent is noted before, and looked for before it is sent again."""

import json
from collections.abc import Mapping
from typing import Any

from connectors.base import Delivery, Reject

from .api import Api, next_page
from .errors import Refused
from .pace import Pace
from .settings import SlackConfig

EVENT = "beatrelay_delivery"
"""``metadata.event_type`` of our messages; the payload holds the delivery's key."""
_NOTE = "message"
_MOST_PAGES = 10


class Messages:
    """The messages of one delivery."""

    def __init__(self, api: Api, delivery: Delivery, channel: str, pace: Pace) -> None:
        self._api = api
        self._delivery = delivery
        self._channel = channel
        self._pace = pace

    async def place(self, config: SlackConfig) -> tuple[str, str]:
        """Post, change or reply as the step says; gives the channel's id and the message's ``ts``."""
        content = content_of(config)
        mine = await self._posted()
        if mine:
            await self._remember(config, mine)
            return mine
        task = await self._task_message()
        if config.message == "task" and task:
            try:
                answer = await self._api.call("chat.update", channel=task[0], ts=task[1], **content)
                return str(answer["channel"]), str(answer["ts"])
            except Refused as error:
                if error.error not in ("message_not_found", "cant_update_message", "edit_window_closed"):
                    raise
        thread = task[1] if task and config.message == "thread" else None
        place = await self._post(content, task[0] if thread and task else self._channel, thread)
        await self._remember(config, place)
        return place

    async def _post(self, content: Mapping[str, Any], channel: str, thread: str | None) -> tuple[str, str]:
        """Whatever interrupts this, the note says that it may have happened; a clear refusal takes it back."""
        self._pace.take((self._api.workspace, self._channel), self._delivery.key, self._delivery.at)
        await self._note({"sending": channel, "thread": thread, "at": self._delivery.at})
        metadata = {"event_type": EVENT, "event_payload": {"delivery": self._delivery.key}}
        try:
            answer = await self._api.call(
                "chat.postMessage", channel=channel, thread_ts=thread, metadata=metadata, unfurl_links=False, **content
            )
        except Refused:
            await self._note({})
            raise
        place = str(answer["channel"]), str(answer["ts"])
        await self._note({"channel": place[0], "ts": place[1]})
        return place

    async def _posted(self) -> tuple[str, str] | None:
        """Where an earlier attempt has posted already; looked up in the channel if its answer never came."""
        noted = json.loads(await self._delivery.notes.get(_NOTE) or "{}")
        if "ts" in noted:
            return noted["channel"], noted["ts"]
        if "sending" not in noted:
            return None
        channel = await self._api.channel_id(noted["sending"])
        ts = await self._find(channel, noted["thread"], noted["at"] - 300)
        if ts is None:
            return None
        await self._note({"channel": channel, "ts": ts})
        return channel, ts

    async def _find(self, channel: str, thread: str | None, oldest: int) -> str | None:
        method = "conversations.replies" if thread else "conversations.history"
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            answer = await self._api.call(
                method,
                channel=channel,
                ts=thread,
                oldest=None if thread else str(oldest),
                include_all_metadata=True,
                limit="100",
                cursor=cursor,
            )
            for message in answer.get("messages", []):
                metadata: dict[str, Any] = message.get("metadata") or {}
                if metadata.get("event_payload", {}).get("delivery") == self._delivery.key:
                    return str(message["ts"])
            cursor = next_page(answer)
            if cursor is None:
                return None
        raise Reject(
            "the answer to an earlier attempt was lost, and the channel is too busy to tell whether the message is"
            " there; look, and replay this delivery as a new one if it is not"
        )

    async def _task_message(self) -> tuple[str, str] | None:
        noted = await self._delivery.task_notes.get(f"message {self._channel}")
        known: list[str] = json.loads(noted) if noted else []
        return (known[0], known[1]) if known else None

    async def _remember(self, config: SlackConfig, place: tuple[str, str]) -> None:
        if config.message == "task" or await self._task_message() is None:
            await self._delivery.task_notes.put(f"message {self._channel}", json.dumps(place))

    async def _note(self, value: Mapping[str, Any]) -> None:
        await self._delivery.notes.put(_NOTE, json.dumps(value))


def content_of(config: SlackConfig) -> dict[str, Any]:
    """What a message says, for ``chat.postMessage`` and ``chat.update``."""
    return {"text": config.text, "blocks": config.blocks or None}
