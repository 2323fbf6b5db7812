"""What stands around every request: its id, and the trouble that faults make before, during and instead of it."""

from typing import Any

from litestar import Request
from litestar.exceptions import LitestarException
from litestar.types import ASGIApp, Receive, Scope, Send

from .errors import Cut, Refusal
from .world import World

CODES = {429: "rate_limit_exceeded", 500: "internal_error", 503: "processing_unavailable"}


def troubled(app: ASGIApp, world: World) -> ASGIApp:
    """``app`` with everything that :class:`Faults` asks for between it and its server."""

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        scope["state"]["request_id"] = request_id = world.clock.new_id("req")
        api = scope["path"].startswith("/v1")
        if api and _refuses(world, scope["path"]):
            refusal = _drawn(world).answer(request_id)
            await refusal.to_asgi_response(app=None, request=Request(scope))(scope, receive, send)
            return
        try:
            await app(scope, receive, _slowed(world, send) if api else send)
        except (Cut, LitestarException) as error:
            if not isinstance(error, Cut) and not isinstance(error.__cause__, Cut):
                raise
            await _hang_up(receive, send)

    return around


def _refuses(world: World, path: str) -> bool:
    faults = world.settings.faults
    aimed = not faults.error_paths or any(path.startswith(start) for start in faults.error_paths)
    return aimed and world.dice.hits("error", faults.error_rate)


def _drawn(world: World) -> Refusal:
    wanted = world.settings.faults.error_status
    status = world.dice.of("status").choice((500, 503)) if wanted == "5xx" else int(wanted)
    code = CODES.get(status, "internal_error" if status > 500 else "bad_request")
    return Refusal(status, code, "The sandbox was told to refuse this.", after=1 if status in (429, 503) else None)


def _slowed(world: World, send: Send) -> Send:
    """The work is done at once; its answer takes its time."""

    async def later(message: Any) -> None:
        if message["type"] == "http.response.start" and world.settings.faults.slow:
            await world.clock.sleep(world.settings.faults.slow)
        await send(message)

    return later


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection: what has been written still arrives, and nothing after it.

    ASGI has no message for that, and a server answers 500 for an application that fails before it has begun to
    answer. So the connection of the server itself is closed; uvicorn hangs its ``send`` on an object that knows it.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise Cut
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
