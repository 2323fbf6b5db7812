"""Customers' endpoints: made, changed, given a new secret, sent things once more."""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from relay.clock import Clock
from relay.journal import LOST, DeliveryRow, EndpointKind, EndpointRow, Finish, Journal, place_of
from relay.vault import Vault

from .keys import Caller
from .targets import Targets

AnyEvent = Literal["task.succeeded", "task.failed", "task.requires_action", "task.updated"]
EVENTS: tuple[AnyEvent, ...] = get_args(AnyEvent)
DEFAULT_EVENTS: tuple[AnyEvent, ...] = ("task.succeeded", "task.failed")
UPDATED: AnyEvent = "task.updated"

ENDPOINT = "endpoint"
"""The built-in recipe and connector that calls endpoints; the step is the endpoint's id."""

MOST_ENDPOINTS = 100
"""Of one owner: each of them is called for every event."""
LONGEST_DESCRIPTION = 500
OVERLAP = 86400.0
"""Seconds that the old secret goes on signing beside the new one."""
MOST_AT_ONCE = 1000
"""Events that one replay sends at most."""


class EndpointProblem(Exception):
    """It cannot be so; ``field`` names what is wrong."""

    def __init__(self, field: str, value: Any, rule: str) -> None:
        super().__init__(f"`{field}` {rule}")
        self.field, self.value, self.rule = field, value, rule


class Endpoints:
    """What an API key may do with its endpoints. Whoever asks for one of somebody else's finds none."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        vault: Vault,
        targets: Targets,
        due: Callable[[], None],
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._vault = vault
        self._targets = targets
        self._due = due
        self._random = random

    async def create(
        self, caller: Caller, kind: EndpointKind, url: str, events: Sequence[str], description: str = ""
    ) -> tuple[EndpointRow, str]:
        """A new endpoint and its secret, which is never shown again. Raises :class:`EndpointProblem`."""
        owner = owner_of(caller)
        await self._check({"url": url, "events": events, "description": description})
        if len([one for one in await self._journal.endpoints.all() if one.owner == owner]) >= MOST_ENDPOINTS:
            raise EndpointProblem("url", url, f"is one too many: a key may have {MOST_ENDPOINTS} endpoints")
        now, secret = self._clock.now(), self._new()
        endpoint_id = self._clock.new_id("wh" if kind == "webhook" else kind)
        row = EndpointRow(
            id=endpoint_id,
            kind=kind,
            url=url,
            description=description,
            events=_joined(events),
            status="active",
            secret=self._seal(endpoint_id, secret),
            owner=owner,
            created_at=now,
            updated_at=now,
        )
        await self._journal.endpoints.add(row)
        return row, secret

    async def mine(self, caller: Caller, kind: EndpointKind) -> list[EndpointRow]:
        """The caller's own endpoints, the oldest first."""
        owner = owner_of(caller)
        return [one for one in await self._journal.endpoints.all() if one.kind == kind and one.owner == owner]

    async def get(self, caller: Caller, endpoint_id: str) -> EndpointRow | None:
        """One of the caller's own endpoints; with ``operate``, anybody's."""
        row = await self._journal.endpoints.get(endpoint_id)
        mine = row is not None and (row.owner == owner_of(caller) or caller.may("operate"))
        return row if mine else None

    async def change(self, endpoint: EndpointRow, changes: Mapping[str, Any]) -> EndpointRow | None:
        """Set ``url``, ``description``, ``events`` or ``status``. Raises :class:`EndpointProblem`. One that is made
        active again has a clean slate."""
        await self._check(changes)
        wanted: dict[str, Any] = {**changes, "updated_at": self._clock.now()}
        if "events" in wanted:
            wanted["events"] = _joined(wanted["events"])
        if wanted.get("status") == "active":
            wanted |= {"failing_since": None, "disabled_reason": None}
        return await self._journal.endpoints.change(endpoint.id, wanted)

    async def remove(self, endpoint: EndpointRow) -> None:
        """Forget it; what is still to be sent to it becomes a dead letter."""
        await self._journal.endpoints.remove(endpoint.id)

    async def rotate(self, endpoint: EndpointRow, overlap: float = OVERLAP) -> tuple[EndpointRow | None, str]:
        """A new secret. The old one signs too for ``overlap`` seconds; one that was old already signs no more."""
        now, secret = self._clock.now(), self._new()
        both = f"{secret} {self.secrets(endpoint)[0]}" if overlap > 0 and endpoint.secret != LOST else secret
        changes = {"secret": self._seal(endpoint.id, both), "overlap_until": now + overlap, "updated_at": now}
        return await self._journal.endpoints.change(endpoint.id, changes), secret

    def secrets(self, endpoint: EndpointRow) -> list[str]:
        """The secrets that sign now, the newest first."""
        both = self._vault.open(endpoint.secret, place_of("endpoints", endpoint.id)).split()
        return both if self._clock.now() < (endpoint.overlap_until or 0.0) else both[:1]

    async def replay(self, endpoint: EndpointRow, events: Sequence[Finish]) -> int:
        """Send these events (once more), each under its own id; returns how many are due by this."""
        wanted = [event for event in events if event.event in endpoint.events.split()][:MOST_AT_ONCE]
        now = self._clock.now()
        count = await self._journal.events.send_again(
            [endpoint_delivery(event, endpoint.id, self._clock.new_id, now) for event in wanted]
        )
        self._due()
        return count

    async def _check(self, given: Mapping[str, Any]) -> None:
        if "url" in given and (wrong := await self._targets.wrong(given["url"])):
            raise EndpointProblem("url", given["url"], wrong)
        if "events" in given and (not given["events"] or not set(given["events"]) <= set(EVENTS)):
            raise EndpointProblem("events", given["events"], f"must name some of {', '.join(EVENTS)}")
        if len(given.get("description", "")) > LONGEST_DESCRIPTION:
            raise EndpointProblem("description", None, f"must be at most {LONGEST_DESCRIPTION} characters long")

    def _new(self) -> str:
        while "masked" in (secret := "whsec_" + base64.b64encode(self._random(32)).decode()):
            pass  # clients take a secret with this word in it for one that is not shown
        return secret

    def _seal(self, endpoint_id: str, text: str) -> bytes:
        return self._vault.seal(text, place_of("endpoints", endpoint_id))


def owner_of(caller: Caller) -> str | None:
    """Whose endpoints a key makes: its own, or the house's, which hear of everybody's tasks."""
    return caller.id if caller.minted and not caller.may("admin") else None


def masked(secret: str) -> str:
    """A secret as it is shown after the first time."""
    return f"whsec_masked_{secret[-4:].strip('=')}"


def endpoint_delivery(event: Finish, endpoint_id: str, new_id: Callable[[str], str], now: float) -> DeliveryRow:
    """The delivery of an event to an endpoint, due now."""
    return DeliveryRow(
        id=new_id("dlv"),
        task_id=event.task_id,
        revision=event.revision,
        event_id=event.event_id,
        recipe=ENDPOINT,
        recipe_hash="",
        step=endpoint_id,
        use=ENDPOINT,
        connection=None,
        lane=f"{ENDPOINT} {endpoint_id}",
        state="due",
        created_at=now,
        updated_at=now,
        due_at=now,
    )


def _joined(events: Sequence[str]) -> str:
    return " ".join(event for event in EVENTS if event in events)
