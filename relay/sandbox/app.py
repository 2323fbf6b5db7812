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
        await app(scope, receive, _slowed(world, send) if path.startswith("/v1") else send)

    return around


def _slowed(world: World, send: Send) -> Send:
    """The work is done at once; its answer takes its time."""

    async def later(message: Any) -> None:
        if message["type"] == "http.response.start" and world.settings.faults.slow:
            await world.clock.sleep(world.settings.faults.slow)
        await send(message)

    return later


def _random_error(world: World) -> Refusal:
    wanted = world.settings.faults.error_status
    status = world.dice.of("status").choice((500, 503)) if wanted == "5xx" else int(wanted)
    codes = {429: "rate_limit_exceeded", 500: "internal_error", 503: "processing_unavailable"}
    after = 1 if status in (429, 503) else None
    return Refusal(status, codes.get(status, "internal_error"), "The sandbox was told to fail.", after=after)


def _refused(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    return refusal.answer(request.state.request_id)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    codes = {404: "not_found", 413: "bad_request"}
    status = 400 if error.status_code == 413 else error.status_code
    return Refusal(status, codes.get(error.status_code, "bad_request"), error.detail).answer(request.state.request_id)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, Cut):
        raise error  # the server closes the connection: the client sees an answer that never came
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Refusal(500, "internal_error", "The sandbox failed; its log says why.").answer(request.state.request_id)
