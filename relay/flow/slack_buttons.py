"""Buttons under a message in Slack: a click there decides on a storyboard, as the signed link behind it does.

The message's button carries the link (``task.approval_url``), so a click is good for one change and a repeat of it is
harmless. What Slack sends is believed only if it bears the signature of one of the ``slack`` connections' apps.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from msgspec import Struct, field

from connectors.base import DeliveryError
from connectors.slack.settings import COMPOSE
from connectors.slack.signature import genuine
from relay.clock import Clock
from relay.recipe.filters import slack

from .approvals import Approvals, LinkOver
from .connections import Connections
from .loop import log
from .storyboard import StoryboardProblem, Storyboards, shots_of

TRIES, WAIT = 3, 2.0
"""How often the message is tried to be changed, and the seconds between two tries."""
_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_USER = re.compile(r"[A-Z0-9]{2,40}", re.ASCII)


class NotFromSlack(Exception):
    """No ``slack`` connection has the secret that the request was signed with, or it is too old."""


class Unreadable(Exception):
    """It was signed, but is no interaction."""


class _User(Struct):
    id: str
    username: str = ""
    name: str = ""


class _Action(Struct):
    action_id: str = ""
    value: str = ""


class _Message(Struct):
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class _Interaction(Struct):
    type: str
    user: _User
    actions: list[_Action] = field(default_factory=list[_Action])
    message: _Message = field(default_factory=_Message)
    response_url: str = ""


class _Answer(Struct):
    """What the person is told; ``over``: the buttons have done their work, or can do none any more."""

    text: str
    over: bool


class SlackButtons:
    """Takes clicks in. The answer to Slack waits for the journal only; the message is changed afterwards."""

    def __init__(
        self,
        connections: Connections,
        approvals: Approvals,
        storyboards: Storyboards,
        clock: Clock,
        client: httpx.AsyncClient,
    ) -> None:
        self._connections = connections
        self._approvals = approvals
        self._storyboards = storyboards
        self._clock = clock
        self._client = client
        self._running: set[asyncio.Task[None]] = set()

    async def take(self, timestamp: str, signature: str, body: bytes) -> None:
        """One request of Slack's, as it came. Raises :class:`NotFromSlack` and :class:`Unreadable`."""
        connection = await self._whose(timestamp, signature, body)
        click = _read(body)
        action = next((one for one in click.actions if one.action_id == COMPOSE), None)
        if click.type != "block_actions" or action is None:
            return  # a button that is only a link, or one of somebody else's
        answer = await self._decide(click.user, action, connection)
        if click.response_url:
            work = asyncio.create_task(self._tell(click, answer, connection))
            self._running.add(work)
            work.add_done_callback(self._running.discard)

    async def drain(self) -> None:
        """Wait for the messages that are being changed."""
        await asyncio.gather(*self._running)

    async def _whose(self, timestamp: str, signature: str, body: bytes) -> Mapping[str, str]:
        """The connection of the app that signed it."""
        for view in await self._connections.views():
            if view.connector not in ("slack", None):
                continue
            try:
                values = await self._connections.use(view.name, "slack")
            except DeliveryError:
                continue  # one that is of no use, or not Slack's
            if genuine(values.get("signing_secret", ""), timestamp, signature, body, self._clock.wall()):
                return values
        raise NotFromSlack

    async def _decide(self, user: _User, action: _Action, connection: Mapping[str, str]) -> _Answer:
        approvers = re.split(r"[\s,]+", connection.get("approvers", "").strip())
        if approvers != [""] and user.id not in approvers:
            return _Answer("You are not among those who may compose from here; a colleague can.", over=False)
        name = slack(user.name or user.username or user.id)
        try:
            invited = await self._approvals.follow(action.value)
            shots = [shot.id for shot in shots_of(invited.task)]
            by = f"{user.name or user.username or 'somebody'} (Slack user {user.id})"
            await self._storyboards.compose(invited.task, shots, invited.key, by[:200])
        except LinkOver as error:
            return _Answer(str(error), over=True)
        except StoryboardProblem as error:
            return _Answer(str(error), over=False)
        who = f"<@{user.id}>" if _USER.fullmatch(user.id) else name
        return _Answer(f":white_check_mark: The video is being composed: {who} decided so.", over=True)

    async def _tell(self, click: _Interaction, answer: _Answer, connection: Mapping[str, str]) -> None:
        """Change the message, or tell whoever clicked alone. Nothing depends on it: the task's page says it too."""
        if not _may_answer(click.response_url, connection):
            log.warning("a Slack interaction asked for an answer to another host than Slack's; it gets none")
            return
        message = _changed(click.message, answer.text) if answer.over else _aside(answer.text)
        for left in reversed(range(TRIES)):
            try:
                response = await self._client.post(click.response_url, json=message)
                if response.status_code < 500 and response.status_code != 429:
                    return
                reason = f"it answered {response.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error) or type(error).__name__
            if left:
                await self._clock.sleep(WAIT)
            else:
                log.warning("the message in Slack could not be changed: %s", reason)


def _read(body: bytes) -> _Interaction:
    try:
        payload = parse_qs(body.decode(), max_num_fields=20)["payload"][0]
        return msgspec.json.decode(payload, type=_Interaction)
    except (UnicodeDecodeError, ValueError, KeyError) as error:
        raise Unreadable from error


def _changed(message: _Message, text: str) -> dict[str, Any]:
    """The message without its buttons, and what became of it."""
    kept = [block for block in message.blocks if block.get("type") != "actions"]
    note = {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}
    if not kept and message.text:
        kept = [{"type": "section", "text": {"type": "mrkdwn", "text": message.text[:3000]}}]
    return {"replace_original": True, "text": f"{message.text}\n{text}".strip(), "blocks": [*kept[:49], note]}


def _aside(text: str) -> dict[str, Any]:
    kind: Literal["ephemeral"] = "ephemeral"
    return {"response_type": kind, "replace_original": False, "text": text}


def _may_answer(url: str, connection: Mapping[str, str]) -> bool:
    """Only to Slack: its own hosts over TLS, or the host of the connection's ``api_url``."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.netloc in _HOSTS:
            return True
        own = urlsplit(connection.get("api_url", ""))
    except ValueError:
        return False
    return bool(own.netloc) and (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
