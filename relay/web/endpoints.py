"""Endpoints: where customers and no-code tools are called when something happens, and what was sent there."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Template
from msgspec import Struct, field

from relay.api.errors import ApiError
from relay.api.parts import TheClock, TheEndpoints, TheJournal, TheKeys
from relay.flow.endpoints import DEFAULT_EVENTS, MOST_AT_ONCE, OVERLAP, EndpointProblem
from relay.flow.keys import Caller, Keys
from relay.journal import LOST, DeliveryRow, EndpointRow, Journal

from .deliveries import day
from .fields import Field, Hint, place
from .forms import form
from .gate import back, visitor_of
from .parts import TheCallback, TheOnce

PAGE, NOTICES = 50, 20
_ADMIN = {"role": "admin"}
HINTS = {
    "url": Hint("URL", "`https://…` on the internet; the settings can allow private addresses.", kind="url"),
    "description": Hint("Description", "For people."),
}
MEANINGS = {
    "task.succeeded": "a video is ready",
    "task.failed": "a task failed",
    "task.requires_action": "a person must act, such as on a storyboard",
    "task.updated": "every change",
}
DAYS: dict[str, float] = {"a day": OVERLAP, "a week": 7 * 86400.0, "an hour": 3600.0, "not at all": 0.0}
"""How long the old secret may go on signing beside a new one."""


class Wanted(Struct):
    """An endpoint as it was typed."""

    url: str = ""
    description: str = ""
    events: list[str] = field(default_factory=lambda: list[str](DEFAULT_EVENTS))
    nonce: str = ""


class Rotation(Struct):
    """How long the old secret goes on signing."""

    overlap: str = "a day"
    nonce: str = ""


class Again(Struct):
    """What is to be sent once more: one event, or those of some days."""

    event_id: str = ""
    since: str = ""
    until: str = ""


class Sent(Struct):
    """A delivery, and how its receiver answered."""

    row: DeliveryRow
    answer: Any


class EndpointPages(Controller):
    """``/endpoints``."""

    path = "/endpoints"

    @get()
    async def list_endpoints(self, journal: TheJournal, keys: TheKeys, clock: TheClock) -> Template:
        """Everybody's, and what the relay did by itself about them."""
        return await _list(journal, keys, Wanted(nonce=clock.new_id("once")))

    @post(opt=_ADMIN, status_code=200)
    async def create(
        self,
        request: Request[Any, Any, Any],
        endpoints: TheEndpoints,
        journal: TheJournal,
        keys: TheKeys,
        clock: TheClock,
        once: TheOnce,
    ) -> Template:
        """One of the house's, which hears of everybody's tasks; its secret is shown this once."""
        wanted, house = await form(request, Wanted), Caller(keys.house, frozenset({"admin"}))
        wanted.url = wanted.url.strip()
        try:
            row, secret = await once.make(
                visitor_of(request).id,
                wanted.nonce,
                lambda: endpoints.create(house, "webhook", wanted.url, wanted.events, wanted.description),
            )
        except EndpointProblem as error:
            wanted.nonce = clock.new_id("once")
            return await _list(journal, keys, wanted, f"{error}")
        return await _page(row, journal, keys, clock, secret=secret)

    @get("/{endpoint_id:str}")
    async def look(
        self,
        endpoint_id: FromPath[str],
        journal: TheJournal,
        keys: TheKeys,
        clock: TheClock,
        before: Annotated[str | None, QueryParameter()] = None,
    ) -> Template:
        """How it fares, and its deliveries."""
        return await _page(await _known(journal, endpoint_id), journal, keys, clock, before=before)

    @post("/{endpoint_id:str}", opt=_ADMIN, status_code=200)
    async def change(
        self,
        request: Request[Any, Any, Any],
        endpoint_id: FromPath[str],
        endpoints: TheEndpoints,
        journal: TheJournal,
        keys: TheKeys,
        clock: TheClock,
    ) -> Response[Any]:
        """Another URL, other events."""
        row, wanted = await _known(journal, endpoint_id), await form(request, Wanted)
        changes = {"url": wanted.url.strip(), "description": wanted.description, "events": wanted.events}
        try:
            await endpoints.change(row, changes)
        except EndpointProblem as error:
            return await _page(row, journal, keys, clock, wanted=wanted, problem=f"{error}")
        return back(f"/endpoints/{row.id}", "Changed; the next delivery goes by it.")

    @post("/{endpoint_id:str}/rotate", opt=_ADMIN, status_code=200)
    async def rotate(
        self,
        request: Request[Any, Any, Any],
        endpoint_id: FromPath[str],
        endpoints: TheEndpoints,
        journal: TheJournal,
        keys: TheKeys,
        clock: TheClock,
        once: TheOnce,
    ) -> Template:
        """A new secret, shown this once."""
        row, sent = await _known(journal, endpoint_id), await form(request, Rotation)
        overlap = DAYS.get(sent.overlap, OVERLAP)
        changed, secret = await once.make(visitor_of(request).id, sent.nonce, lambda: endpoints.rotate(row, overlap))
        return await _page(changed or row, journal, keys, clock, secret=secret)

    @post("/{endpoint_id:str}/pause", status_code=303)
    async def pause(self, endpoint_id: FromPath[str], endpoints: TheEndpoints, journal: TheJournal) -> Response[Any]:
        """It is told nothing more."""
        await endpoints.change(await _known(journal, endpoint_id), {"status": "disabled"})
        return back(f"/endpoints/{endpoint_id}", "Paused: it is told nothing. What it misses can be sent later.", "ask")

    @post("/{endpoint_id:str}/resume", status_code=303)
    async def resume(self, endpoint_id: FromPath[str], endpoints: TheEndpoints, journal: TheJournal) -> Response[Any]:
        """It is told again, with a clean slate."""
        await endpoints.change(await _known(journal, endpoint_id), {"status": "active"})
        return back(f"/endpoints/{endpoint_id}", "It is told again. To send what it missed, name the days below.")

    @post("/{endpoint_id:str}/test", status_code=303)
    async def test(self, endpoint_id: FromPath[str], journal: TheJournal, callback: TheCallback) -> Response[Any]:
        """A sample, signed as a real one is."""
        works, message = await callback.test(await _known(journal, endpoint_id))
        return back(f"/endpoints/{endpoint_id}", message, "good" if works else "bad")

    @post("/{endpoint_id:str}/replay", status_code=303)
    async def replay(
        self, request: Request[Any, Any, Any], endpoint_id: FromPath[str], endpoints: TheEndpoints, journal: TheJournal
    ) -> Response[Any]:
        """Events once more, each under its own id."""
        row, sent = await _known(journal, endpoint_id), await form(request, Again)
        since, until = day(sent.since), day(sent.until)
        if not sent.event_id and since is None:
            return back(f"/endpoints/{row.id}", "Name the first day: which events are to be sent again?", "bad")
        events = await journal.events.recent(
            MOST_AT_ONCE,
            owner=row.owner,
            events=tuple(row.events.split()),
            since=since or 0.0,
            until=None if until is None else until + 86400,
            event_id=sent.event_id or None,
        )
        count = await endpoints.replay(row, events)
        text = f"{count} {'is' if count == 1 else 'are'} sent now." if count else "There was nothing to send."
        return back(f"/endpoints/{row.id}", text, "good" if count else "ask")

    @post("/{endpoint_id:str}/remove", opt=_ADMIN, status_code=303)
    async def remove(self, endpoint_id: FromPath[str], endpoints: TheEndpoints, journal: TheJournal) -> Response[Any]:
        """Nothing more is sent to it."""
        await endpoints.remove(await _known(journal, endpoint_id))
        return back("/endpoints", "Removed; nothing more is sent to it.")


async def _known(journal: Journal, endpoint_id: str) -> EndpointRow:
    row = await journal.endpoints.get(endpoint_id)
    if row is None:
        raise ApiError(404, f"There is no endpoint {endpoint_id[:80]}.")
    return row


async def _owners(keys: Keys) -> dict[str | None, str]:
    return {None: "everybody's tasks"} | {row.id: f"tasks of {row.name}" for row in await keys.all()}


def _form(wanted: Wanted, problem: str) -> dict[str, Any]:
    fields = [Field(key, hint, required=key == "url", value=getattr(wanted, key)) for key, hint in HINTS.items()]
    events = Field("events", Hint("Events"))
    left = place([problem] if problem else [], [*fields, events])
    return {"wanted": wanted, "fields": fields, "events": events, "meanings": MEANINGS, "left": left}


async def _list(journal: Journal, keys: Keys, wanted: Wanted, problem: str = "") -> Template:
    context = {
        "endpoints": list(reversed(await journal.endpoints.all())),
        "owners": await _owners(keys),
        "notices": await journal.endpoints.notices(NOTICES),
        **_form(wanted, problem),
    }
    return Template("endpoints.html", context=context, status_code=400 if problem else 200)


async def _page(
    row: EndpointRow,
    journal: Journal,
    keys: Keys,
    clock: TheClock,
    *,
    before: str | None = None,
    secret: str = "",
    wanted: Wanted | None = None,
    problem: str = "",
) -> Template:
    sent = await journal.events.deliveries(row.id, PAGE + 1, before)
    context = {
        "endpoint": row,
        "owner": (await _owners(keys)).get(row.owner, "tasks of a key that is gone"),
        "deliveries": [Sent(one, _answer(one)) for one in sent[:PAGE]],
        "more": sent[PAGE - 1].id if len(sent) > PAGE else None,
        "before": before,
        "secret": secret,
        "lost": row.secret == LOST,
        "both_until": row.overlap_until if clock.now() < (row.overlap_until or 0.0) else None,
        "overlaps": list(DAYS),
        "nonce": clock.new_id("once"),
        **_form(wanted or Wanted(row.url, row.description, row.events.split()), problem),
    }
    return Template("endpoint.html", context=context, status_code=400 if problem else 200)


def _answer(row: DeliveryRow) -> Any:
    return msgspec.json.decode(row.outcome, type=dict[str, Any]).get("detail") if row.outcome else None
