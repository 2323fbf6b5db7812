"""What can be told of a connection without posting anything."""

from .api import Api
from .errors import Refused, refusal
from .settings import SlackConnection

_WITHOUT = (
    ({"channels:history", "groups:history"}, "a message whose answer was lost cannot be looked up"),
    ({"files:write"}, "the video itself cannot be shown"),
    ({"files:read"}, "whether the video is shown cannot be looked up"),
)
"""Of each set one scope is needed; what is missing without."""


_NO_TEXT = {"no_text", "missing_text_or_fallback_or_attachments", "invalid_payload"}
"""What a webhook that is there says to a message without text, which it does not post."""


async def reach(api: Api, connection: SlackConnection) -> str:
    """The workspace, the channel, and what the token lacks. Raises :class:`Reject` for what no message survives."""
    if connection.webhook_url:
        return await _webhook(api)
    answer = await api.call("auth.test")
    scopes = api.scopes
    if scopes is not None and "chat:write" not in scopes:
        raise refusal("auth.test", {"error": "missing_scope", "needed": "chat:write"})
    told = [f"reaches the workspace {answer.get('team')} as {answer.get('user')}"]
    if connection.channel:
        told.append(await _channel(api, connection.channel, scopes or frozenset()))
    if scopes is not None:
        told += [f"without {' or '.join(sorted(one))}, {what}" for one, what in _WITHOUT if not one & scopes]
    return "; ".join(told)


async def _webhook(api: Api) -> str:
    try:
        await api.webhook({"text": ""})
    except Refused as error:
        if error.error not in _NO_TEXT:
            raise
    return "the incoming webhook is there, and posts to the channel that was chosen with it"


async def _channel(api: Api, channel: str, scopes: frozenset[str]) -> str:
    """Whether the bot is in the channel, by looking at its newest message, as a repeat has to do, too."""
    try:
        await api.call("conversations.history", channel=await api.channel_id(channel), limit="1")
    except Refused as error:
        if error.error == "missing_scope":
            return f"whether it is in {channel}, the first message will tell"
        if error.error == "not_in_channel" and "chat:write.public" in scopes:
            return f"posts to {channel} without being in it: write `/invite @your-bot` there, so that it can look, too"
        raise
    return f"is in {channel}"
