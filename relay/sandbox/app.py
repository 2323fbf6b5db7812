"""The sandbox as an application of its own."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from relay.clock import Clock, SystemClock

from .errors import Cut, Refusal
from .routes import ROUTES
from .settings import SandboxSettings
from .world import World

log = logging.getLogger("beatrelay.sandbox")


def create_app(settings: SandboxSettings, clock: Clock | None = None) -> Litestar:
    """A sandbox with its own empty world."""
    world = World(settings, clock or SystemClock())

    @asynccontextmanager
    async def living(_: Litestar) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await world.end()

    app = Litestar(
        ROUTES,
        dependencies={"world": Provide(lambda: world, sync_to_thread=False)},
        exception_handlers={Refusal: _refused, HTTPException: _http, Exception: _failed},
        middleware=[_troubled(world)],
        lifespan=[living],
        openapi_config=None,
        logging_config=None,
    )
    app.state.world = world
    return app


def _troubled(world: World) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware that names each request, and makes trouble where faults ask for it."""
    return lambda app: _trouble(app, world)


def _trouble(app: ASGIApp, world: World) -> ASGIApp:
    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        scope["state"]["request_id"] = world.clock.new_id("req")
        faults = world.settings.faults
        path = scope["path"]
        if path.startswith("/v1"):
            aimed = not faults.error_paths or any(path.startswith(start) for start in faults.error_paths)
            if aimed and world.dice.hits("error", faults.error_rate):
                refusal = _random_error(world).answer(scope["state"]["request_id"])
                await refusal.to_asgi_response(app=None, request=Request(scope))(scope, receive, send)
                return
        answer = _Answer(world, send, slow=path.startswith("/v1"))
        try:
            await app(scope, receive, answer.send)
        except Cut:
            await answer.hang_up()

    return around


class _Answer:
    """An answer on its way out: it can take its time, or get lost."""

    def __init__(self, world: World, send: Send, *, slow: bool) -> None:
        self._world = world
        self._send = send
        self._slow = slow
        self._begun = False

    async def send(self, message: Any) -> None:
        """Pass ``message`` on; the work was done at once, the answer may come late."""
        if not self._begun and self._slow and self._world.settings.faults.slow:
            await self._world.clock.sleep(self._world.settings.faults.slow)
        self._begun = True
        await self._send(message)

    async def hang_up(self) -> None:
        """Close the connection in the middle of the answer; one that has not begun is promised first."""
        if not self._begun:
            start: Any = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4096")]}
            await self._send(start)
        raise Cut


def _random_error(world: World) -> Refusal:
    wanted = world.settings.faults.error_status
    status = world.dice.of("status").choice((500, 503)) if wanted == "5xx" else int(wanted)
    codes = {429: "rate_limit_exceeded", 500: "internal_error", 503: "processing_unavailable"}
    after = 1 if status in (429, 503) else None
    return Refusal(status, codes.get(status, "internal_error"), "The sandbox was told to fail.", after=after)


def _request_id(request: Request[Any, Any, Any]) -> str:
    """The one it was given; a path that leads nowhere never came as far as being given one."""
    return request.scope["state"].get("request_id") or SystemClock().new_id("req")


def _refused(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    return refusal.answer(_request_id(request))


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    codes = {404: "not_found", 413: "bad_request"}
    status = 400 if error.status_code == 413 else error.status_code
    return Refusal(status, codes.get(error.status_code, "bad_request"), error.detail).answer(_request_id(request))


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, Cut):
        raise error  # the server closes the connection: the client sees an answer that never came
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Refusal(500, "internal_error", "The sandbox failed; its log says why.").answer(_request_id(request))
