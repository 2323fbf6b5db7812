"""A request to any URL: signed, with the event or the file itself, in the form that the receiver likes."""

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

import httpx
import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from .answers import ANSWER_LIMIT, answer_json, read_answer, unreachable
from .base import Connector, ConnectorConfig, Delivery, Guarded, Outcome, Reject
from .http_answer import HOPS_MOST, judge, next_hop
from .http_auth import HttpConnection, credentials, is_signed, signatures
from .http_body import Body, as_file, as_form, as_json, as_multipart, as_text
from .http_presets import PRESETS, PresetName, flat, refuse_too_large

_OURS = {"host", "content-length", "transfer-encoding", "webhook-id", "webhook-timestamp", "webhook-signature"}
_NOT_IN_A_NAME, _CONTROL = re.compile(r"[ :\r\n\t]"), re.compile(r"[\x00-\x1f\x7f]")
Status = Annotated[int, Meta(ge=100, le=599)]


class HttpConfig(ConnectorConfig):
    """``with:`` of a step that uses ``http``. At most one of ``body``, ``form``, ``raw`` and ``upload``."""

    url: str | None = None
    """Where to; default: the connection's ``url``."""
    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    preset: PresetName | None = None
    """``zapier``, ``make``, ``n8n`` or ``pipedream``: the event flat, every key there, within the tool's limits."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str | int | float | bool | None] = field(
        default_factory=dict[str, str | int | float | bool | None]
    )
    """Added to the URL."""
    body: Any | UnsetType = UNSET
    """JSON; default: the event. With a preset: keys that are added to the flat event."""
    form: dict[str, Any] | None = None
    """A form; with ``file`` as multipart."""
    raw: str | None = None
    """Text as it stands; set its ``content-type`` in ``headers``."""
    file: str | None = None
    """The name of the form's field that carries the finished file."""
    upload: bool = False
    """The finished file is the whole body."""
    success: list[Status] = field(default_factory=list[int])
    """Answers that count as done; default: 200 to 299."""
    success_when: str | None = None
    """An expression that alone says whether an answer counts as done: ``{{ answer.json.ok }}``. In reach are its
    ``status``, ``headers``, ``text``, ``json`` and whether it was ``truncated``, besides all that the step sees."""
    redirects: Literal["refuse", "same-host"] = "refuse"
    """``same-host`` follows 307 and 308, at most three, on the same host."""


class Http(Connector):
    """At least once; the receiver tells a repeat by ``webhook-id``, which never changes."""

    name: ClassVar[str] = "http"
    Config = HttpConfig
    Connection = HttpConnection

    async def deliver(self, config: HttpConfig, delivery: Delivery) -> Outcome:
        if config.success and config.success_when is not None:
            raise Reject("the step says success and success_when: choose one of them")
        connection = msgspec.convert(dict(delivery.connection), HttpConnection)
        url = _url(config, connection)
        body = _body(config, delivery)
        headers = _headers(config, connection, delivery, body)
        for _ in range(HOPS_MOST + 1):
            detail, further = await self._send(config, delivery, url, headers, body)
            if further is None:
                return Outcome(detail=detail)
            url = further
        raise Reject(f"the receiver redirects in circles: {HOPS_MOST} redirects were followed")

    async def _send(
        self, config: HttpConfig, delivery: Delivery, url: str, headers: Mapping[str, str], body: Body | None
    ) -> tuple[dict[str, Any], str | None]:
        """One request: what to keep of its answer, and where it wants us to go instead."""
        try:
            status, answered, text, truncated = await _exchanged(delivery.http, config.method, url, headers, body)
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        detail: dict[str, Any] = {"status": status, "response": text, "truncated": truncated}
        further = next_hop(url, status, answered) if config.redirects == "same-host" else None
        if further is None:
            told = not truncated and "json" in answered.get("content-type", "")
            json = answer_json(text) if told and text else None
            said = {"status": status, "headers": answered, "text": text, "json": json, "truncated": truncated}
            doubt = _doubt(config, delivery, said)
            judge(status, answered, text, delivery.at, detail, success=config.success, doubt=doubt)
            if told:
                detail["json"] = json
        return detail, further

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        """A request to the host's root: the URL itself might start somebody's workflow."""
        known = msgspec.convert(dict(connection), HttpConnection)
        credentials(known)
        signatures(known, "dlv_check", 0, b"")
        if not known.url:
            return "has no `url` to try; its credentials are well-formed"
        try:
            url = httpx.URL(known.url)
            async with http.stream("HEAD", url.copy_with(path="/", query=None)):
                pass
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        if "/webhook-test/" in url.path:
            raise Reject(
                f"{url.host} answers, but this is n8n's test URL, which listens only while you look at it; put the"
                " Webhook node's production URL (/webhook/) in its place, and switch the workflow on"
            )
        return f"{url.host} answers; whether it takes the hook, only a delivery can tell"


async def _exchanged(
    http: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], body: Body | None
) -> tuple[int, httpx.Headers, str, bool]:
    """A request, and the beginning of its answer: the short way unless a file streams."""
    if _is_guarded(type(http)) and (body is None or body.whole is not None):
        whole, guarded = body.whole if body else None, cast("Guarded", http)
        status, answered, kept, truncated = await guarded.exchange(method, url, headers, whole, ANSWER_LIMIT)
        return status, answered, kept.decode("utf-8", "replace"), truncated
    async with http.stream(method, url, content=body.stream() if body else None, headers=headers) as response:
        text, truncated = await read_answer(response)
    return response.status_code, response.headers, text, truncated


@functools.cache
def _is_guarded(client: type[httpx.AsyncClient]) -> bool:
    """Asked once a class: Python looks at a protocol's methods anew each time."""
    return issubclass(client, Guarded)


def _doubt(config: HttpConfig, delivery: Delivery, said: Mapping[str, Any]) -> str | None:
    """Why ``success_when`` does not hold; empty if it does, ``None`` if there is none."""
    if config.success_when is None:
        return None
    return delivery.why_not("success_when", {"answer": {**said, "headers": dict(said["headers"])}})


def _url(config: HttpConfig, connection: HttpConnection) -> str:
    url = config.url or connection.url
    if not url:
        raise Reject("there is no `url`: give one in the step's `with:` or in its connection")
    if not config.query:
        return url
    added = {name: value for name, value in config.query.items() if value is not None}
    try:
        return str(httpx.URL(url).copy_merge_params(added))
    except httpx.InvalidURL as error:
        raise unreachable(error) from error


def _body(config: HttpConfig, delivery: Delivery) -> Body | None:
    """What the recipe says to send. Raises :class:`Reject` for a recipe that says two things at once."""
    given = {"body": config.body is not UNSET, "form": config.form is not None, "raw": config.raw is not None}
    chosen = [name for name, there in {**given, "upload": config.upload}.items() if there]
    if len(chosen) > 1 or (config.file and chosen not in ([], ["form"])):
        raise Reject(f"the step says {', '.join([*chosen, *(['file'] if config.file else [])])}: choose one of them")
    if config.preset:
        return _preset(config, delivery)
    if config.file or config.upload:
        return _with_file(config, delivery)
    if config.form is not None:
        return as_form(config.form)
    if config.raw is not None:
        return as_text(config.raw)
    if config.body is not UNSET:
        return as_json(config.body)
    return None if config.method in ("GET", "DELETE") else as_json(delivery.event)


def _preset(config: HttpConfig, delivery: Delivery) -> Body:
    assert config.preset is not None, "only called with one"
    if config.file or config.upload or config.form is not None or config.raw is not None:
        title = PRESETS[config.preset].title
        raise Reject(f"{title} gets links, not files or forms: leave only `body:` beside `preset:`")
    more: Any = {} if config.body is UNSET else config.body
    if not isinstance(more, dict):
        raise Reject("beside `preset:`, `body:` must be a mapping: its keys are added to the event")
    body = as_json(flat(delivery.event, cast("dict[str, Any]", more)))
    refuse_too_large(config.preset, body.size)
    return body


def _with_file(config: HttpConfig, delivery: Delivery) -> Body:
    if delivery.media is None:
        raise Reject("this finish has no file to send; use `on: task.succeeded`")
    if config.file:
        return as_multipart(config.form or {}, config.file, delivery.media, delivery.key)
    return as_file(delivery.media)


def _headers(config: HttpConfig, connection: HttpConnection, delivery: Delivery, body: Body | None) -> dict[str, str]:
    headers = {name.lower(): value for name, value in config.headers.items()}
    taken = sorted(_OURS & headers.keys())
    if taken:
        raise Reject(f"the header {taken[0]} is set by the relay; remove it from the step's `headers:`")
    if body is not None:
        headers.setdefault("content-type", body.kind)
        headers["content-length"] = str(body.size)
    headers |= credentials(connection)
    headers |= {"idempotency-key": delivery.key, "webhook-id": delivery.key, "webhook-timestamp": str(delivery.at)}
    if is_signed(connection):
        if body is not None and body.whole is None:
            raise Reject("a file is sent as it streams and cannot be signed; use a connection without a signing secret")
        headers |= signatures(connection, delivery.key, delivery.at, (body.whole if body else b"") or b"")
    return _clean(headers)


def _clean(headers: dict[str, str]) -> dict[str, str]:
    """The headers as they are, looked at together. Raises :class:`Reject` naming the first that cannot be sent."""
    names = "".join(headers)
    if (
        names.isascii()
        and "" not in headers
        and not _NOT_IN_A_NAME.search(names)
        and not _CONTROL.search("".join(headers.values()))
    ):
        return headers
    for name, value in headers.items():
        if not name or not name.isascii() or _NOT_IN_A_NAME.search(name):
            raise Reject(f"{name[:60]!r} cannot name a header")
        if _CONTROL.search(value):
            raise Reject(f"the header {name} holds a line break or another control character")
    return headers
