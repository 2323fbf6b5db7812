"""Connections: named credentials, each with how it fares, a form with hints, and a test."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from relay.api.errors import ApiError
from relay.api.parts import TheClock, TheConnections, TheJournal, TheRecipeFiles, TheShelf
from relay.flow.connections import BadConnection, Connections, ConnectionView
from relay.journal import DeliveryFilter, Journal, LaneRow, LaneUse
from relay.recipe import RecipeSet

from .connection_form import Sent, fields, read
from .connection_guide import GUIDES, Guide, guide_of
from .fields import Field, Hint, place
from .gate import back

NEWEST = 200
"""Deliveries of a connection that are looked at to tell when it was last used."""
_ADMIN = {"role": "admin"}


class Use(Struct):
    """A step of a recipe that uses a connection."""

    recipe: str
    step: str
    connector: str
    file: str
    """Its file's name."""


class Health(Struct):
    """How a connection fares."""

    state: str = "unused"
    used_at: float | None = None
    done_at: float | None = None
    dead: int = 0
    error: str | None = None
    parked: int = 0
    held_until: float | None = None
    """Unix seconds: it asked to be left alone until then."""
    test: str | None = None
    """Why the last test failed, if nothing has arrived since."""


class ConnectionPages(Controller):
    """``/connections``; the form of a new one is ``/new-connection/{kind}``."""

    @get("/connections")
    async def list_connections(
        self, journal: TheJournal, connections: TheConnections, shelf: TheShelf, clock: TheClock
    ) -> Template:
        """All of them, and what can be added."""
        views = await connections.views()
        fares = await _fares(journal, views, clock.now())
        others = [name for name in connections.forms() if name not in {one.connector for one in GUIDES.values()}]
        context: dict[str, Any] = {
            "connections": views,
            "health": fares,
            "uses": {view.name: uses(shelf.recipes, view.name) for view in views},
            "guides": {**GUIDES, **{name: guide_of(name) for name in others}},
        }
        return Template("connections.html", context=context)

    @get("/new-connection/{kind:str}", opt=_ADMIN)
    async def new(self, kind: FromPath[str], connections: TheConnections) -> Template:
        """The form of one kind."""
        return _form(connections, kind, Sent({}, guide(connections, kind).example, kind))

    @post("/connections", opt=_ADMIN, status_code=200)
    async def create(self, request: Request[Any, Any, Any], connections: TheConnections) -> Response[Any]:
        """Stored, then tried."""
        sent = await read(request)
        chosen = guide(connections, sent.kind)
        problems = [f"`{key}` is missing" for key in chosen.needed if not sent.values.get(key)]
        if sent.name in [view.name for view in await connections.views()]:
            problems.append("`name` is taken; open that connection to change it")
        if problems:
            return _form(connections, sent.kind, sent, problems)
        try:
            await connections.put(sent.name, chosen.connector, sent.values)
        except BadConnection as error:
            return _form(connections, sent.kind, sent, error.problems)
        return await _tried(connections, sent.name, None, "Stored.")

    @get("/connections/{name:str}")
    async def look(
        self,
        name: FromPath[str],
        connections: TheConnections,
        journal: TheJournal,
        shelf: TheShelf,
        recipe_files: TheRecipeFiles,
        clock: TheClock,
    ) -> Template:
        """How it fares, who uses it, and its form."""
        return await _page(await _known(connections, name), connections, journal, shelf, recipe_files, clock.now())

    @post("/connections/{name:str}", opt=_ADMIN, status_code=200)
    async def change(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        connections: TheConnections,
        journal: TheJournal,
        shelf: TheShelf,
        recipe_files: TheRecipeFiles,
        clock: TheClock,
    ) -> Response[Any]:
        """What is empty: a secret stays, anything else goes."""
        view, sent = await _known(connections, name), await read(request)
        changes: dict[str, str | None] = {**dict.fromkeys([*view.settings, *sent.forget]), **sent.values}
        try:
            await connections.change(name, changes)
        except BadConnection as error:
            return await _page(view, connections, journal, shelf, recipe_files, clock.now(), sent, error.problems)
        return await _tried(connections, name, None, "Changed; what failed here is tried again now.")

    @post("/connections/{name:str}/test", status_code=303)
    async def test(self, name: FromPath[str], connections: TheConnections, shelf: TheShelf) -> Response[Any]:
        """Reach the destination, without any lasting effect."""
        await _known(connections, name)
        found = uses(shelf.recipes, name)
        return await _tried(connections, name, found[0].connector if found else None)

    @post("/connections/{name:str}/remove", opt=_ADMIN, status_code=303)
    async def remove(self, name: FromPath[str], connections: TheConnections) -> Response[Any]:
        """Deliveries that need it wait for it to come back, until their tries are used up."""
        try:
            await connections.remove(name)
        except BadConnection as error:
            return back("/connections", f"{error}.", "bad")
        return back("/connections", f"{name} is removed.")


def guide(connections: Connections, kind: str) -> Guide:
    """The form's words. Raises :class:`ApiError` 404."""
    found = GUIDES.get(kind) or guide_of(kind)
    if found.connector not in connections.forms():
        raise ApiError(404, f"There is no kind of connection called {kind[:80]!r}.")
    return found


def uses(recipes: RecipeSet, name: str) -> list[Use]:
    """The steps that name a connection."""
    return [
        Use(recipe.name, label, step.use, Path(recipe.file).name)
        for recipe in recipes
        for label, step in [*recipe.steps.items(), *(("on failure", step) for step in recipe.on_failure)]
        if step.connection == name
    ]


def health_of(lanes: list[LaneRow], used: list[LaneUse], now: float) -> dict[str, Health]:
    """How each lane fares, by its name. One through which nothing came lately but refusals is not *ok*."""
    found = {
        use.name: Health("refused" if use.dead and not use.done_at else "ok", use.used_at, use.done_at, use.dead)
        for use in used
    }
    for lane in lanes:
        health = found.setdefault(lane.name, Health("ok"))
        health.parked, health.error = lane.parked, lane.reason or lane.error
        state = lane.standing(now)
        health.state = health.state if state == "ok" else state
        health.held_until = lane.held_until if state == "held" else None
    return found


async def _fares(journal: Journal, views: Sequence[ConnectionView], now: float) -> dict[str, Health]:
    used = await journal.lanes.uses([view.name for view in views], NEWEST)
    fares = health_of(await journal.lanes.all(), used, now)
    return {view.name: _with_test(fares.get(view.name, Health()), view) for view in views}


def _with_test(health: Health, view: ConnectionView) -> Health:
    """A test that failed says more than that nothing was sent yet, or that what was sent before arrived."""
    tested = view.tested
    if tested is not None and not tested.works and tested.at > (health.done_at or 0.0):
        health.test = tested.message
        health.state = "test failed" if health.state in ("unused", "ok") else health.state
    return health


async def _known(connections: Connections, name: str) -> ConnectionView:
    try:
        return await connections.view(name)
    except BadConnection as error:
        raise ApiError(error.status, f"{error}.") from error


async def _tried(connections: Connections, name: str, connector: str | None, before: str = "") -> Response[Any]:
    """To the connection's page, with what its test told."""
    try:
        works, message = await connections.test(name, connector)
    except BadConnection as error:
        works, message = False, str(error)
    verdict = f"{'It works' if works else 'The test failed'}: {message.rstrip('.')}."
    return back(f"/connections/{name}", f"{before} {verdict}".strip(), "good" if works else "bad")


def _form(connections: Connections, kind: str, sent: Sent, problems: Iterable[str] = ()) -> Template:
    chosen = guide(connections, kind)
    shown = fields(chosen, connections.forms()[chosen.connector], None, sent)
    name = Field("name", Hint("Name"), secret=False, required=True, choices=[], value=sent.name)
    left = [one for one in place(problems, [name, *shown]) if not _of_name(one, name)]
    context: dict[str, Any] = {"kind": kind, "guide": chosen, "name": name, "fields": shown, "left": left}
    return Template("new-connection.html", context=context, status_code=400 if problems else 200)


def _of_name(problem: str, name: Field) -> bool:
    mine = "cannot name a connection" in problem
    name.problem = problem if mine else name.problem
    return mine


async def _page(
    view: ConnectionView,
    connections: Connections,
    journal: TheJournal,
    shelf: TheShelf,
    recipe_files: TheRecipeFiles,
    now: float,
    sent: Sent | None = None,
    problems: Iterable[str] = (),
) -> Template:
    fares = await _fares(journal, [view], now)
    chosen = guide_of(view.connector or "")
    keys = connections.forms().get(view.connector or "", [])
    shown = fields(chosen, keys, view, sent) if view.source == "stored" else []
    context: dict[str, Any] = {
        "connection": view,
        "guide": chosen,
        "fields": shown,
        "left": place(problems, shown),
        "health": fares[view.name],
        "uses": uses(shelf.recipes, view.name),
        "files": await recipe_files.names(),
        "dead": await journal.deliveries.find(DeliveryFilter(states=["dead"], lane=view.name), 5),
    }
    return Template("connection.html", context=context, status_code=400 if problems else 200)
