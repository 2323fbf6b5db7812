"""Who may come in, and who may do what: the session's cookie, the role a page asks for, and where a change comes from.

A change counts only when the browser says that it was made on our own pages: by ``Sec-Fetch-Site`` where it is sent,
else by ``Origin``. Both are out of reach of a page's script, so no token has to travel in every form.
"""

import base64
from typing import Any, Literal, cast
from urllib.parse import quote, urlsplit

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.response import Redirect
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Struct

from relay.api.errors import COME_BACK, ApiError, come_back, on_any_error
from relay.disk import trouble_of
from relay.flow.people import MOST_DAYS, People, Role, Visitor
from relay.journal import Unavailable

from .render import HEADERS, plain_page

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAID = "beatrelay-said"
Tone = Literal["good", "bad", "ask"]


class SignInFirst(Exception):
    """Nobody is signed in."""


class Said(Struct):
    """What the page before has to say on the next one."""

    text: str
    tone: Tone = "good"


class Gate(ASGIMiddleware):
    """Knows the visitor by the cookie, replaces its secret in time, and sends every page with its headers."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, people: People, own_url: str) -> None:
        self._people = people
        self._cookie = Session(own_url)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = Request(scope)
        secret = self._cookie.read(request)
        entered = await self._people.enter(secret) if secret else None
        state = scope["state"]
        state["visitor"] = entered.visitor if entered else None
        state["said"] = said = _said(request)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders(cast("Any", message))
                for name, value in HEADERS.items():
                    if name not in headers:
                        headers[name] = value
                if entered and entered.secret:
                    headers.add("set-cookie", self._cookie.give(entered.secret).to_header(header=""))
                if said:
                    headers.add("set-cookie", Cookie(_SAID, value="", max_age=0, httponly=True).to_header(header=""))
            await send(message)

        await next_app(scope, receive, sending)


class Session:
    """The cookie that a browser keeps."""

    def __init__(self, own_url: str) -> None:
        self._secure = own_url.startswith("https:")
        self._name = "__Host-beatrelay" if self._secure else "beatrelay"

    def read(self, request: Request[Any, Any, Any]) -> str | None:
        """The secret that came with a request."""
        return request.cookies.get(self._name)

    def give(self, secret: str | None) -> Cookie:
        """The cookie that carries ``secret``; ``None``: takes it away."""
        return Cookie(
            self._name,
            value=secret or "",
            max_age=MOST_DAYS * 86400 if secret else 0,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="lax",
        )


def allow(own_url: str) -> Any:
    """A guard: ``opt={"role": …}`` says who may; else everybody signed in may look, and operators may change.
    The role ``anybody`` needs no session."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        safe = scope["method"] in SAFE
        if not safe and not same_origin(connection, own_url):
            raise ApiError(
                403, "This change did not come from the relay's own pages; open the page again and repeat it."
            )
        role: str = handler.opt.get("role", "viewer" if safe else "operator")
        if role == "anybody":
            return
        visitor: Visitor | None = connection.state.get("visitor")
        if visitor is None:
            raise SignInFirst
        if not visitor.may(cast("Role", role)):
            raise ApiError(
                403, f"This needs the role {role}; you are signed in as {visitor.role}. An admin can change that."
            )

    return guard


def same_origin(connection: ASGIConnection[Any, Any, Any, Any], own_url: str) -> bool:
    """Whether the browser says that the request was made by a page of ours."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = connection.headers.get("origin")
    if not origin or origin == "null":
        return False
    return urlsplit(origin).netloc in (connection.headers.get("host"), urlsplit(own_url).netloc)


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    """Whoever is signed in; only behind :func:`allow`."""
    return cast("Visitor", request.state["visitor"])


def inside(path: str | None) -> str:
    """``path`` if it leads to a page of ours, else the front page: nobody is sent elsewhere by a link."""
    return path if path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def back(path: str, text: str, tone: Tone = "good") -> Redirect:
    """To a page that says ``text`` once."""
    said = base64.urlsafe_b64encode(msgspec.json.encode(Said(text[:1500], tone))).decode()
    return Redirect(
        path, status_code=303, cookies=[Cookie(_SAID, value=said, max_age=60, httponly=True, samesite="lax")]
    )


def _said(request: Request[Any, Any, Any]) -> Said | None:
    text = request.cookies.get(_SAID)
    if not text or "text/html" not in request.headers.get("accept", "") or "hx-request" in request.headers:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Said)
    except ValueError:
        return None


def on_sign_in_first(request: Request[Any, Any, Any], _: SignInFirst) -> Response[Any]:
    """To the sign-in page, and back here afterwards."""
    to = f"/sign-in?next={quote(request.url.path)}"
    if "hx-request" in request.headers:
        return Response(b"", status_code=401, headers={"hx-redirect": "/sign-in", **HEADERS})
    return Redirect(to, status_code=303)


def on_refusal(_: Request[Any, Any, Any], error: ApiError) -> Response[Any]:
    """A refusal as a page."""
    return plain_page("error.html", error.status, status=error.status, message=str(error))


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The framework's own refusals as a page."""
    if error.status_code >= 500:
        return on_bug(request, error)
    return plain_page("error.html", error.status_code, status=error.status_code, message=error.detail)


def on_disk_trouble(request: Request[Any, Any, Any], error: Unavailable | OSError) -> Response[Any]:
    """The disk fails: a page that says how."""
    if isinstance(error, OSError) and trouble_of(error) is None:
        return on_bug(request, error)
    page = plain_page("error.html", 503, status=503, message=come_back(error).message)
    page.headers["retry-after"] = str(COME_BACK)
    return page


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Our own fault: logged in full, told in one sentence."""
    on_any_error(request, error)
    return plain_page("error.html", 500, status=500, message="The relay failed to make this page; its log says why.")


PAGES: Any = {
    SignInFirst: on_sign_in_first,
    ApiError: on_refusal,
    HTTPException: on_http_error,
    Unavailable: on_disk_trouble,
    OSError: on_disk_trouble,
    Exception: on_bug,
}
