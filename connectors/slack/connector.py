"""Tell a channel, and show the video there."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from connectors.base import Connector, Delivery, DeliveryError, Outcome, Reject

from .api import Api
from .check import reach
from .errors import Refused
from .file import File
from .message import Messages, content_of
from .pace import Pace
from .settings import SlackConfig, SlackConnection, check_message, read_connection


class Slack(Connector):
    """Once with a bot token; at least once through an incoming webhook."""

    name: ClassVar[str] = "slack"
    Config = SlackConfig
    Connection = SlackConnection
    moves_media = True

    def __init__(self) -> None:
        self._pace = Pace()

    async def deliver(self, config: SlackConfig, delivery: Delivery) -> Outcome:
        connection = read_connection(delivery.connection)
        check_message(config)
        api = Api(connection, delivery.http, delivery.at)
        if connection.webhook_url:
            return await self._by_webhook(api, config, delivery)
        channel = config.channel or connection.channel
        if not channel:
            raise Reject("there is no `channel`: give one in the step's `with:` or in its connection")
        if config.file != "none" and delivery.media is None:
            raise Reject("this finish has no file to show; use `on: task.succeeded`, or `file: none`")
        place, ts = await Messages(api, delivery, channel, self._pace).place(config)
        detail: dict[str, Any] = {"channel": place, "ts": ts}
        if config.file != "none" and delivery.media is not None:
            detail |= await _shown(api, delivery, config, place, ts)
        return Outcome(url=await _permalink(api, place, ts), detail=detail)

    async def _by_webhook(self, api: Api, config: SlackConfig, delivery: Delivery) -> Outcome:
        if config.message == "thread" or config.file != "none" or config.channel:
            raise Reject(
                "an incoming webhook knows no `thread`, `file` or `channel`; use a connection with a bot `token`"
            )
        self._pace.take((api.workspace,), delivery.key, delivery.at)
        await api.webhook({"text": config.text, **({"blocks": config.blocks} if config.blocks else {})})
        return Outcome(detail={"by": "webhook"})

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        known = read_connection(connection)
        return await reach(Api(known, http, time.time()), known)


async def _shown(api: Api, delivery: Delivery, config: SlackConfig, channel: str, ts: str) -> dict[str, str]:
    """The file where the step wants it, and where that is."""
    assert delivery.media is not None
    if config.file == "message":
        attached = await File(api, delivery, delivery.media).attach(channel, ts, content_of(config))
        if attached:
            return {"file": attached, "shown": "message"}
    where = "channel" if config.file == "channel" else "thread"
    return {"file": await _shared(api, delivery, channel, ts if where == "thread" else None), "shown": where}


async def _shared(api: Api, delivery: Delivery, channel: str, thread: str | None) -> str:
    """The file in the channel; a bot that may post there without being a member joins first."""
    assert delivery.media is not None
    file = File(api, delivery, delivery.media)
    try:
        return await file.share(channel, thread)
    except Refused as error:
        if error.error != "not_in_channel":
            raise
        try:
            await api.call("conversations.join", channel=channel)
        except Refused:
            raise error from None
        return await File(api, delivery, delivery.media).share(channel, thread)


async def _permalink(api: Api, channel: str, ts: str) -> str | None:
    """A link for people; the message is there without it."""
    try:
        return str((await api.call("chat.getPermalink", channel=channel, message_ts=ts))["permalink"])
    except DeliveryError:
        return None
