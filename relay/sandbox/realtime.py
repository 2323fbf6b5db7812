"""Realtime sessions: reserved, shown and closed. There is no transport here, so none is ever connected or settled."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from litestar import Response, delete, get, post
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import replace

from relay.contract.realtime import RealtimeSession, SessionCredits

from .account import Charge, SandboxAccount
from .addresses import is_local, is_public_https
from .errors import Refusal
from .pricing import price
from .routes import Asked, TheWorld, json, read_json
from .world import World

DURATIONS = (15, 60, 300)
CREDITS_PER_SECOND = 1
SPARE_SECONDS = 60
"""How long a session waits for its browser, besides what it may last."""


class Session(Struct):
    """A session as the sandbox keeps it."""

    shown: RealtimeSession
    body: bytes
    cost: Decimal
    ends_at: float


@post("/v1/realtime/sessions")
async def create_session(request: Asked, world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= 128:
        raise Refusal(400, "bad_request", "Idempotency-Key is required; it may have 128 characters.")
    body = await request.body()
    before = account.sessions.get(key)
    if before is not None and before.body != body:
        raise Refusal(409, "idempotency_conflict", "This Idempotency-Key was used with another body.")
    if before is None:
        before = account.sessions[key] = _begin(world, account, body, _checked(await read_json(request)))
        before.shown.request_id = request.state.request_id
    return json(replace(before.shown, client_secret=_secret(before)), 201)


@get("/v1/realtime/sessions/{session_id:str}")
async def get_session(request: Asked, session_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    return json(_session(world, account, session_id).shown)


@delete("/v1/realtime/sessions/{session_id:str}", status_code=200)
async def close_session(request: Asked, session_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    session = _session(world, account, session_id)
    if session.shown.status == "ready":
        _end(account, session, "closed", world.clock.now())
    return json(session.shown)


def _begin(world: World, account: SandboxAccount, body: bytes, wanted: dict[str, Any]) -> Session:
    seconds: int = wanted["max_duration_seconds"]
    cost = price(seconds * CREDITS_PER_SECOND, world.settings.contract)
    if account.balance <= 0 or account.balance < cost:
        raise Refusal(402, "insufficient_credits", f"This costs {cost} credits; the balance is {account.balance}.")
    now = world.clock.now()
    shown = RealtimeSession(
        id=world.clock.new_id("rts"),
        status="ready",
        expires_at=_iso(now + seconds + SPARE_SECONDS),
        max_duration_seconds=seconds,
        allowed_origins=wanted["allowed_origins"],
        credits=SessionCredits(reserved=cost),
        created_at=_iso(now),
    )
    account.balance -= cost
    account.ledger.append(Charge(shown.id, "realtime", cost, now))
    return Session(shown, body, cost, now + seconds + SPARE_SECONDS)


def _session(world: World, account: SandboxAccount, session_id: str) -> Session:
    session = next((one for one in account.sessions.values() if one.shown.id == session_id), None)
    if session is None:
        raise Refusal(404, "not_found", f"There is no realtime session {session_id[:80]} in this account.")
    if session.shown.status == "ready" and world.clock.now() >= session.ends_at:
        _end(account, session, "expired", session.ends_at)
    return session


def _end(account: SandboxAccount, session: Session, status: str, at: float) -> None:
    """It was never connected, so all of it is given back."""
    session.shown.status, session.shown.closed_at = status, _iso(at)
    session.shown.credits = SessionCredits(reserved=session.cost, refunded=session.cost)
    account.balance += session.cost
    account.ledger.append(Charge(session.shown.id, "realtime", -session.cost, at))


def _secret(session: Session) -> str:
    return "brt_live_" + hashlib.sha256(session.shown.id.encode()).hexdigest()[:40]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refusal(400, "bad_request", "The request body must be a JSON object.")
    wanted = cast("dict[str, Any]", body)
    problems: list[dict[str, Any]] = []
    seconds, origins = wanted.get("max_duration_seconds"), wanted.get("allowed_origins")
    if isinstance(seconds, bool) or seconds not in DURATIONS:
        problems.append({"field": "max_duration_seconds", "value": seconds, "rule": "must be 15, 60 or 300"})
    if not isinstance(origins, list) or not 1 <= len(cast("list[Any]", origins)) <= 10:
        problems.append({"field": "allowed_origins", "value": origins, "rule": "must contain 1-10 origins"})
    else:
        for index, origin in enumerate(cast("list[Any]", origins)):
            if not (is_public_https(origin) or is_local(origin)):
                problems.append({"field": f"allowed_origins[{index}]", "value": origin, "rule": "must be an origin"})
    if "metadata" in wanted and not _fits(wanted["metadata"]):
        rule = "must be at most 20 texts of 256 characters with names of 64"
        problems.append({"field": "metadata", "value": None, "rule": rule})
    if problems:
        message = "; ".join(f"{problem['field']} {problem['rule']}" for problem in problems)
        raise Refusal(400, "bad_request", message + ".", details=problems)
    return wanted


def _fits(metadata: Any) -> bool:
    if not isinstance(metadata, dict):
        return False
    texts = cast("dict[str, Any]", metadata)
    return len(texts) <= 20 and all(
        len(name) <= 64 and isinstance(text, str) and len(text) <= 256 for name, text in texts.items()
    )


REALTIME = [create_session, get_session, close_session]
