"""The front page: what runs, what waits, what needs a person, what to do next."""

import calendar
import time
from typing import Any
from urllib.parse import quote

from litestar import get
from litestar.response import Template
from msgspec import Struct

from relay.api.health import broken
from relay.api.parts import TheAccount, TheClock, TheConnections, TheGovernor, TheJournal, TheShelf, TheStore
from relay.contract import ACTIONABLE, Status
from relay.flow.account import Account
from relay.flow.endpoints import ENDPOINT
from relay.flow.shelf import Shelf
from relay.journal import Journal, LaneRow, Verdict

from .tasks import line_of


class Health(Struct):
    """How a destination fares."""

    name: str
    state: str
    text: str
    link: str = ""
    """Its page, if it has one."""


class Step(Struct):
    """One step of setting up."""

    done: bool
    title: str
    text: str
    link: str = ""


@get("/")
async def home(
    journal: TheJournal,
    clock: TheClock,
    governor: TheGovernor,
    connections: TheConnections,
    shelf: TheShelf,
    account: TheAccount,
    store: TheStore,
) -> Template:
    """The whole relay at a glance."""
    today = calendar.timegm((*time.gmtime(clock.now())[:3], 0, 0, 0))
    pulse = await journal.pulse()
    finished = await journal.tasks.finished_since(today)
    needs = await journal.tasks.count([Status.STORYBOARD_READY, Status.REQUIRES_ACTION])
    lanes = await journal.lanes.all()
    views = await connections.views()
    waiting = await journal.tasks.recent(5, None, None, list(ACTIONABLE)) if needs else []
    recent = await journal.tasks.recent(8)
    steps = await checklist(journal, account, shelf, bool(views), any(task.finished_at for task in recent))
    context: dict[str, Any] = {
        "broken": broken(journal, store, clock.now()),
        "pulse": pulse,
        "queue": await governor.view(),
        "standing": governor.standing,
        "failed": finished.get("task.failed", 0),
        "succeeded": finished.get("task.succeeded", 0),
        "storyboards": needs,
        "boards": [line_of(task) for task in waiting],
        "asks": needs + pulse.unconfirmed + pulse.dead_deliveries,
        "health": health_of(lanes, [view.name for view in views], clock.now()),
        "tasks": [line_of(task) for task in recent],
        "steps": [] if all(step.done for step in steps) else steps,
    }
    return Template("home.html", context=context)


async def checklist(journal: Journal, account: Account, shelf: Shelf, connected: bool, delivered: bool) -> list[Step]:
    """From nothing to the first delivered video."""
    accepted: Verdict = "accepted"
    heard = bool(await journal.receipts.recent(1, None, accepted))
    return [
        Step(
            account.ready,
            "Give the relay your Beat API key",
            "With it the relay asks for videos, and asks how they stand.",
            "/setup#key",
        ),
        Step(
            heard,
            "Let Beat API tell when a video is ready",
            "Without it, the relay asks every few seconds: nothing is missed, it only takes a moment longer.",
            "/setup#webhook",
        ),
        Step(connected, "Connect a destination", "Slack, Google, S3, a no-code tool, a folder.", "/connections"),
        Step(
            any(recipe.enabled for recipe in shelf.recipes),
            "Choose a recipe",
            "It says what happens with a finished video; the gallery has many to begin from.",
            "/recipes/gallery",
        ),
        Step(delivered, "Make your first video", "Drop a sheet of songs on the page, or send a request.", "/batches"),
    ]


def health_of(lanes: list[LaneRow], connections: list[str], now: float) -> list[Health]:
    """Of every connection, used or not, and of whatever else things are sent to."""
    known = {name: LaneRow(name=name) for name in connections} | {lane.name: lane for lane in lanes}
    found = [_health(lane, now) for lane in known.values()]
    for one in found:
        kind, _, endpoint = one.name.partition(" ")
        if one.name in connections:
            one.link = f"/connections/{quote(one.name)}"
        elif kind == ENDPOINT:
            one.link = f"/endpoints/{quote(endpoint)}"
    return found


def _health(lane: LaneRow, now: float) -> Health:
    state, error = lane.standing(now), lane.error or "no reason told"
    match state:
        case "paused":
            text = f"{lane.reason or 'paused'}; {lane.parked} parked"
        case "open":
            text = f"fails, and is tried now and then: {error}"
        case "held":
            text = f"{lane.due} due, but it wished to be left alone for now: {error}"
        case "ok":
            text = f"{lane.due} due, {lane.leased} under way" if lane.due or lane.leased else "quiet"
    return Health(lane.name, state, text)
