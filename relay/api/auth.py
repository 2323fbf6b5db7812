"""Who may ask for what: a bearer key, and the scope that a handler asks of it.

A handler names its scope with ``opt={"scope": …}``. Without one, ``/relay/v1`` asks for ``operate``, and ``/v1`` for
``read`` where it only looks and for ``submit`` where it changes something.
"""

from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from relay.flow.keys import Caller, Keys, Refusal, Scope

from .errors import ApiError

_CALLER = "caller"


def require_scope(keys: Keys) -> Any:
    """A guard that lets only holders of a key pass whose scopes allow what the handler does."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        caller = await keys.caller(_token(connection))
        if isinstance(caller, Refusal):
            raise ApiError(caller.status, caller.message, retry_after=caller.retry_after)
        scope: Any = connection.scope
        needed = scope_of(scope["path"], scope["method"], handler.opt)
        if not caller.may(needed):
            raise ApiError(
                403,
                f"This API key has the scopes {', '.join(sorted(caller.scopes))}; this needs `{needed}`."
                f" Make one with it: `beatrelay keys create NAME --scopes {needed}`.",
            )
        connection.state[_CALLER] = caller

    return guard


def scope_of(path: str, method: str, opt: dict[str, Any]) -> Scope:
    """What a door asks for."""
    if "scope" in opt:
        return cast("Scope", opt["scope"])
    if path.startswith("/relay/"):
        return "operate"
    return "read" if method in ("GET", "HEAD", "OPTIONS") else "submit"


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Whoever asks; only behind :func:`require_scope`."""
    return cast("Caller", request.state[_CALLER])


def _token(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "Missing API key: send `Authorization: Bearer <key>`.")
    return token.strip()
