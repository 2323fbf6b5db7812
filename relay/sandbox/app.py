"""The sandbox as an application of its own."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException

from relay.clock import Clock, SystemClock

from .errors import Cut, Refusal
from .other import OTHER
from .realtime import REALTIME
from .routes import ROUTES
from .settings import SandboxSettings
from .trouble import troubled
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
        [*ROUTES, *REALTIME, *OTHER],
        dependencies={"world": Provide(lambda: world, sync_to_thread=False)},
        exception_handlers={Refusal: _refused, HTTPException: _http, Exception: _failed},
        lifespan=[living],
        openapi_config=None,
        logging_config=None,
    )
    # Not as a middleware: those do not see requests that lead nowhere, nor the server's own ``send``.
    app.asgi_handler = troubled(app.asgi_handler, world)
    app.state.world = world
    return app


def _refused(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    return refusal.answer(request.state.request_id)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    codes = {404: "not_found", 413: "bad_request"}
    status = 400 if error.status_code == 413 else error.status_code
    message = error.detail if status != 404 else f"There is nothing at {request.url.path[:200]}."
    return Refusal(status, codes.get(error.status_code, "bad_request"), message).answer(request.state.request_id)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, Cut):
        raise error  # not an answer but the end of the connection; see trouble.py
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Refusal(500, "internal_error", "The sandbox failed; its log says why.").answer(request.state.request_id)
