"""Deliveries: what has not arrived and why; sending it again, or putting it aside, after that was counted."""

import datetime as dt
from collections import Counter
from typing import Annotated, Any, Literal

from litestar import Controller, Request, Response, get, post
from litestar.params import QueryParameter
from litestar.response import Template
from msgspec import Struct, field, structs

from relay.api.parts import TheClock, TheDeliverer, TheJournal, TheReplayer
from relay.flow.dismiss import Reason, dismiss
from relay.flow.replay import OVER, As, ReplayError
from relay.journal import UNDELIVERED, DeliveryFilter, DeliveryRow, DeliveryState

from .forms import form
from .gate import back, visitor_of

PAGE = 50
CAUSES = 500
"""Dead letters looked at to group them by cause."""
STATES: dict[str, list[DeliveryState]] = {
    "all": [],
    "not arrived": UNDELIVERED,
    "dead": ["dead"],
    "under way": ["waiting", "due", "leased"],
    "parked": ["parked"],
    "unrouted": ["unrouted"],
    "done": ["done"],
    "dismissed": ["dismissed"],
}


class Wanted(Struct):
    """What is looked at, and which of it is to be sent again or put aside."""

    show: str = "not arrived"
    recipe: str = ""
    lane: str = ""
    since: str = ""
    until: str = ""
    error: str = ""
    id: list[str] = field(default_factory=list[str])
    """Those that were ticked; none: all that fit."""
    how: As = "same"
    confirm: bool = False


class Dismissing(Wanted):
    """Dead letters to be put aside."""

    reason: Reason | Literal[""] = ""


class Backfilling(Struct):
    """A recipe to run over past finishes."""

    recipe: str = ""
    since: str = ""
    until: str = ""
    confirm: bool = False


class Lane(Struct):
    """A destination, by the name of its lane."""

    lane: str


class Cause(Struct):
    """Dead letters that died of the same thing."""

    error: str
    lane: str
    count: int


class DeliveryPages(Controller):
    """``/deliveries``."""

    path = "/deliveries"

    @get()
    async def list_deliveries(
        self,
        journal: TheJournal,
        clock: TheClock,
        show: Annotated[str, QueryParameter()] = "not arrived",
        recipe: Annotated[str, QueryParameter()] = "",
        lane: Annotated[str, QueryParameter()] = "",
        since: Annotated[str, QueryParameter()] = "",
        until: Annotated[str, QueryParameter()] = "",
        error: Annotated[str, QueryParameter()] = "",
        before: Annotated[str | None, QueryParameter()] = None,
    ) -> Template:
        """Newest first; what did not arrive, unless something else is asked for."""
        wanted = Wanted(show, recipe, lane, since, until, error)
        rows = await journal.deliveries.find(filter_of(wanted), PAGE + 1, before)
        dead = await journal.deliveries.find(DeliveryFilter(states=["dead"]), CAUSES)
        context = {
            "deliveries": rows[:PAGE],
            "more": rows[PAGE - 1].id if len(rows) > PAGE else None,
            "before": before,
            "wanted": wanted,
            "states": list(STATES),
            "causes": _causes(dead),
            "many": len(dead) == CAUSES,
            "lanes": [(lane, lane.standing(clock.now())) for lane in await journal.lanes.all()],
        }
        return Template("deliveries.html", context=context)

    @post("/replay", status_code=200)
    async def replay(self, request: Request[Any, Any, Any], replayer: TheReplayer) -> Response[Any]:
        """First a count of the effects; then, when that was confirmed, the sending."""
        wanted = await form(request, Wanted)
        chosen = DeliveryFilter(ids=wanted.id, states=OVER) if wanted.id else _again(filter_of(wanted))
        effects = await replayer.replay(chosen, wanted.how, run=wanted.confirm)
        if not wanted.confirm:
            return Template("replay.html", context={"wanted": wanted, "effects": effects})
        return back("/deliveries", f"{effects.count} sent again. This list shows them until they arrive.")

    @post("/dismiss", status_code=200)
    async def dismiss(
        self, request: Request[Any, Any, Any], journal: TheJournal, clock: TheClock
    ) -> Response[Any] | Template:
        """First a count, and the question why; then, when that was confirmed, they are put aside."""
        wanted = await form(request, Dismissing)
        chosen = DeliveryFilter(ids=wanted.id) if wanted.id else filter_of(wanted)
        run, by = wanted.confirm and wanted.reason != "", visitor_of(request).name
        told = await dismiss(journal, clock, chosen, reason=wanted.reason, by=by, run=run)
        if not run:
            return Template("dismiss.html", context={"wanted": wanted, "told": told})
        return back("/deliveries", f"{told.count} dismissed. They can still be sent again.")

    @post("/backfill", status_code=200)
    async def backfill(self, request: Request[Any, Any, Any], replayer: TheReplayer, clock: TheClock) -> Response[Any]:
        """A recipe over past finishes: counted first."""
        wanted = await form(request, Backfilling)
        since, until = day(wanted.since) or 0.0, _end(wanted.until)
        try:
            effects = await replayer.backfill(
                wanted.recipe, since, clock.now() if until is None else until, run=wanted.confirm
            )
        except ReplayError as error:
            return back("/deliveries", str(error), "bad")
        if not wanted.confirm:
            return Template("backfill.html", context={"wanted": wanted, "effects": effects})
        return back("/deliveries", f"{effects.count} planned. This list shows them until they arrive.")

    @post("/pause", status_code=303)
    async def pause(self, request: Request[Any, Any, Any], journal: TheJournal, clock: TheClock) -> Response[Any]:
        """Send nothing more to a destination; what comes is parked."""
        lane = (await form(request, Lane)).lane
        count = await journal.lanes.pause(lane, clock.now(), "a person paused it")
        return back("/deliveries", f"{lane} is paused; {count} parked.", "ask")

    @post("/resume", status_code=303)
    async def resume(
        self, request: Request[Any, Any, Any], journal: TheJournal, clock: TheClock, deliverer: TheDeliverer
    ) -> Response[Any]:
        """Go on, in order; an open breaker is closed, and what waits for its next try is tried."""
        lane = (await form(request, Lane)).lane
        count = await journal.lanes.resume(lane, clock.now())
        deliverer.nudge()
        return back("/deliveries", f"{lane} goes on; {count} are due now.")


def filter_of(wanted: Wanted) -> DeliveryFilter:
    """What is asked for, for the journal."""
    return DeliveryFilter(
        states=STATES.get(wanted.show, UNDELIVERED),
        recipe=wanted.recipe or None,
        lane=wanted.lane or None,
        since=day(wanted.since),
        until=_end(wanted.until),
        error=wanted.error or None,
    )


def _again(wanted: DeliveryFilter) -> DeliveryFilter:
    """Of what is looked at, only what can be sent again."""
    states: list[DeliveryState] = [state for state in wanted.states if state in OVER]
    return structs.replace(wanted, states=states or ["dead"])


def day(text: str) -> float | None:
    """The beginning of a day (``2026-07-01``, UTC); ``None`` for what is none."""
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() if text else None
    except ValueError:
        return None


def _end(text: str) -> float | None:
    begin = day(text)
    return begin + 86400 - 0.001 if begin is not None else None


def _causes(dead: list[DeliveryRow]) -> list[Cause]:
    counted = Counter((row.error or "no reason told", row.lane) for row in dead)
    return [Cause(error, lane, count) for (error, lane), count in counted.most_common(10)]
