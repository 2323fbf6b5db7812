"""Who may ask for what: a bearer key, and the scope that a handler asks of it.

A handler names its scope with ``opt={"scope": …}``. Without one, ``/relay/v1`` asks for ``operate``, and ``/v1`` for
``read`` where it only looks and for ``submit`` where it changes something.
"""

from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from relay.flow.keys import Caller, Keys, Refusal, Scope
from relay.flow.signatures import BadSignature, Signatures

from .errors import ApiError

_CALLER = "caller"
_UNSIGNED = {"dry_run"}
"""What may be asked for beside a signed body: it spends nothing."""


def require_scope(keys: Keys, signatures: Signatures) -> Any:
    """A guard that lets only holders of a key pass whose scopes allow what the handler does. A handler with
    ``opt={"signed": …}``, the path parameter that names the trigger, takes a signature in the place of a key."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if "signed" in handler.opt and "webhook-signature" in connection.headers:
            caller = await _signed(cast("Request[Any, Any, Any]", connection), handler.opt["signed"], signatures)
        else:
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


async def _signed(request: Request[Any, Any, Any], name: str, signatures: Signatures) -> Caller:
    """Whoever signed the body. The signature covers no more than that, so nothing else may say what to do."""
    try:
        caller = signatures.caller(request.path_params[name], request.headers, await request.body())
    except BadSignature as error:
        raise ApiError(401, f"Not signed as it must be: {error}.") from error
    headers = [name for name in request.headers if name.lower().startswith("x-beatrelay-")]
    options = sorted({*request.query_params, *headers} - _UNSIGNED)
    if options:
        raise ApiError(
            400, f"{', '.join(options)[:200]}: a signature covers the body only, so options go with an API key alone."
        )
    return caller


def _token(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "Missing API key: send `Authorization: Bearer <key>`.")
    return token.strip()
