"""API keys: who may use the relay over its API, for what, and how much."""

import datetime as dt
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct, field

from relay.api.errors import ApiError
from relay.api.parts import TheClock, TheKeys
from relay.clock import Clock
from relay.flow.keys import SCOPES, KeyProblem, Keys, Scope
from relay.journal import KeyRow

from .fields import Field, Hint, place
from .forms import form
from .gate import back, visitor_of
from .parts import TheOnce

_ADMIN = {"role": "admin"}
MEANINGS: dict[Scope, str] = {
    "submit": "ask for videos, and change what it asked for",
    "read": "look at its own tasks",
    "operate": "see and steer everybody's work; opens this dashboard as an operator",
    "admin": "everything, keys and connections too",
}
HINTS = {
    "name": Hint("Name", "What or whom it is for."),
    "per_minute": Hint("Requests a minute", "More are refused with 429. Empty: no limit.", kind="number"),
    "share": Hint("Videos at once", "Most of its tasks that may run at the same time. Empty: no limit.", kind="number"),
    "expires_at": Hint("Last day", "It opens nothing after this day (UTC). Empty: until it is revoked.", kind="date"),
}


class Wanted(Struct):
    """A key as it was asked for."""

    name: str = ""
    scopes: list[str] = field(default_factory=lambda: ["submit", "read"])
    per_minute: str = ""
    share: str = ""
    expires_at: str = ""
    nonce: str = ""


class KeyPages(Controller):
    """``/keys``."""

    path = "/keys"

    @get()
    async def list_keys(self, keys: TheKeys, clock: TheClock) -> Template:
        """Every key that was ever made, newest first."""
        return await _page(keys, clock, Wanted())

    @post(opt=_ADMIN, status_code=200)
    async def create(self, request: Request[Any, Any, Any], keys: TheKeys, clock: TheClock, once: TheOnce) -> Template:
        """A new key, shown this once."""
        wanted = await form(request, Wanted)
        try:
            row, token = await once.make(visitor_of(request).id, wanted.nonce, lambda: _create(keys, wanted))
        except KeyProblem as error:
            return await _page(keys, clock, wanted, str(error))
        return await _page(keys, clock, Wanted(), made=row, token=token)

    @post("/{key_id:str}/revoke", opt=_ADMIN, status_code=303)
    async def revoke(self, key_id: FromPath[str], keys: TheKeys) -> Response[Any]:
        """It opens nothing from now on; its tasks go on."""
        row = await keys.revoke(key_id)
        if row is None:
            raise ApiError(404, f"There is no key {key_id[:80]}.")
        return back("/keys", f"{row.name} is revoked: it opens nothing from now on. Its tasks go on.")


async def _create(keys: Keys, wanted: Wanted) -> tuple[KeyRow, str]:
    return await keys.create(
        wanted.name,
        [scope for scope in SCOPES if scope in wanted.scopes],
        per_minute=_whole("per_minute", wanted.per_minute),
        share=_whole("share", wanted.share),
        expires_at=_end_of(wanted.expires_at),
    )


def _whole(name: str, text: str) -> int | None:
    try:
        return int(text) if text.strip() else None
    except ValueError as error:
        raise KeyProblem(f"`{name}` is {text[:40]!r}; it must be a whole number, or empty") from error


def _end_of(text: str) -> float | None:
    try:
        day = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) if text.strip() else None
    except ValueError as error:
        raise KeyProblem(f"`expires_at` is {text[:40]!r}; it must be a day such as 2027-01-31, or empty") from error
    return day.timestamp() + 86400 if day else None


def _state(row: KeyRow, now: float) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "active" if row.usable(now) else "expired"


async def _page(
    keys: Keys, clock: Clock, wanted: Wanted, problem: str = "", made: KeyRow | None = None, token: str = ""
) -> Template:
    now = clock.now()
    fields = [Field(key, hint, required=key == "name", value=getattr(wanted, key)) for key, hint in HINTS.items()]
    scopes = Field("scopes", Hint("What it may do"))
    context: dict[str, Any] = {
        "keys": [(row, _state(row, now)) for row in reversed(await keys.all())],
        "left": place([problem] if problem else [], [*fields, scopes]),
        "fields": fields,
        "scopes": scopes,
        "meanings": MEANINGS,
        "wanted": wanted,
        "made": made,
        "token": token,
        "nonce": clock.new_id("once"),
    }
    return Template("keys.html", context=context, status_code=400 if problem else 200)
