"""What a step and a connection of ``slack`` say."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import field

from connectors.base import SECRET, ConnectionSettings, ConnectorConfig, Reject

COMPOSE = "beatrelay_compose"
"""The ``action_id`` of a button that composes; its ``value`` is ``task.approval_url``."""
MOST_BLOCKS = 50
TEXT_LIMIT = 40_000


class SlackConfig(ConnectorConfig):
    """``with:`` of a step that uses ``slack``."""

    text: str
    """The message; with ``blocks``, what notifications and screen readers show instead of them."""
    channel: str = ""
    """``C0123…`` or ``#name``; default: the connection's. Not for an incoming webhook, which has its own."""
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Block Kit, at most 50."""
    message: Literal["task", "new", "thread"] = "task"
    """``task``: the task's one message in the channel, posted first and changed in place from then on; ``new``: always
    another message; ``thread``: a reply to the task's message."""
    file: Literal["none", "message", "thread", "channel"] = "none"
    """Where to show the MP4 itself: nowhere, in the message, as a reply to it, or in the channel. Where Slack does not
    show a file in a message that was there before, it becomes a reply."""

    @classmethod
    def asks(cls, settings: Mapping[str, Any]) -> dict[str, str]:
        """A button that decides is worth as much as the signature of its click."""
        if COMPOSE.encode() not in msgspec.json.encode(settings.get("blocks")):
            return {}
        return {"signing_secret": "no click could be told to come from Slack, so its button would do nothing"}


class SlackConnection(ConnectionSettings):
    """A bot's token, or an incoming webhook."""

    token: Annotated[str, SECRET] = ""
    """``xoxb-…``: everything is possible."""
    webhook_url: Annotated[str, SECRET] = ""
    """``https://hooks.slack.com/services/…``: new messages only, at least once."""
    channel: str = ""
    signing_secret: Annotated[str, SECRET] = ""
    """Of the app: it tells that a click on a button comes from Slack."""
    approvers: str = ""
    """Ids of those whose clicks count (``U0123…``), separated by spaces or commas; empty: everybody's."""
    api_url: str = "https://slack.com/api"
    """Another one for GovSlack."""


def read_connection(values: Mapping[str, str]) -> SlackConnection:
    """Raises :class:`Reject` naming what is missing or unknown."""
    try:
        connection = msgspec.convert(dict(values), SlackConnection)
    except msgspec.ValidationError as error:
        raise Reject(f"the connection does not fit slack: {error}") from error
    if bool(connection.token) == bool(connection.webhook_url):
        raise Reject("the connection needs either a `token` (xoxb-…) or a `webhook_url`, and not both")
    if connection.token and not connection.token.startswith("xox"):
        raise Reject("the connection's `token` is no bot token, which starts with xoxb- (OAuth & Permissions)")
    return connection


def check_message(config: SlackConfig) -> None:
    """Slack's own limits, before anything is sent."""
    if not config.text.strip():
        raise Reject("`text` is empty; give one even with `blocks`: it is what notifications show")
    if len(config.text) > TEXT_LIMIT:
        raise Reject(f"`text` has {len(config.text)} characters; Slack takes {TEXT_LIMIT}: use the `truncate` filter")
    if len(config.blocks) > MOST_BLOCKS:
        raise Reject(f"`blocks` has {len(config.blocks)} blocks; Slack takes {MOST_BLOCKS}")
