"""The ``s3`` connector: what is signed, what is refused before anything is sent, what is learnt."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.base import Reject, Retry
from connectors.s3 import S3, S3Config, S3Connection
from connectors.s3.errors import Answer, refusal
from connectors.s3.settings import checked_key, link_lifetime, place_of, read_connection
from connectors.s3.storage import Learnt, Storage
from tests.media import Bytes, a_delivery
from tests.servers import running

pytestmark = pytest.mark.anyio
NOW = 1_784_188_800.0
CONNECTION = {"bucket": "b-1", "access_key_id": "AK", "secret_access_key": "SK", "endpoint": "https://s3.example.com"}


class Service:
    """A service that keeps objects, and refuses one header."""

    def __init__(self, header: str, answer: tuple[int, str]) -> None:
        self.header, self.answer = header, answer
        self.kept: dict[str, tuple[bytes, str]] = {}
        self.puts: list[set[str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, text, extra = self._answer(scope["method"], scope["path"], headers, body)
        fields = [(b"content-length", str(len(text)).encode()), *extra]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": text.encode()})

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, list[Any]]:
        if method == "HEAD":
            return (200, "x" * len(self.kept[path][0]), self._known(path)) if path in self.kept else (404, "", [])
        if method == "DELETE":
            self.kept.pop(path, None)
            return 204, "", []
        self.puts.append(set(headers))
        if self.header in headers:
            return *self.answer, []
        self.kept[path] = (body, headers.get("x-amz-meta-sha256", ""))
        return 200, "", []

    def _known(self, path: str) -> list[tuple[bytes, bytes]]:
        return [(b"x-amz-meta-sha256", self.kept[path][1].encode())]


class Refusing(Service):
    """A service that refuses some methods, as Amazon does: an answer to HEAD has no body."""

    def __init__(self, methods: set[str], code: str) -> None:
        super().__init__("x-none", (501, ""))
        self.methods, self.code = methods, code

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, list[Any]]:
        if method not in self.methods:
            return super()._answer(method, path, headers, body)
        status = 403 if self.code == "AccessDenied" else 400
        text = f"<Error><Code>{self.code}</Code><Message>no</Message><Region>eu-central-1</Region></Error>"
        return status, "" if method == "HEAD" else text, []


class Parts(Service):
    """A service that takes uploads in parts, and refuses one of their steps (``PUT`` a part, ``POST`` to put them
    together)."""

    def __init__(self, method: str, status: int, code: str) -> None:
        super().__init__("x-none", (501, ""))
        self.refused, self.status, self.code = method, status, code
        self.begun, self.removed = 0, 0

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, list[Any]]:
        if method == "HEAD":
            return 404, "", []
        if method == "DELETE":
            self.removed += 1
            return 204, "", []
        if method == "POST" and not body:
            self.begun += 1
            return 200, "<Upload><UploadId>u1</UploadId></Upload>", []
        if method == self.refused:
            return self.status, f"<Error><Code>{self.code}</Code></Error>", []
        return 200, "", [(b"etag", b'"e"')]


class InParts(S3):
    """Sends everything in parts."""

    single = 0


@pytest.mark.parametrize(
    ("method", "status", "code", "kind", "removed"),
    [
        ("PUT", 403, "AccessDenied", Reject, 1),
        ("POST", 400, "EntityTooLarge", Reject, 1),
        ("POST", 409, "ConditionalRequestConflict", Retry, 1),
        ("PUT", 503, "SlowDown", Retry, 0),
    ],
)
async def test_of_an_upload_that_cannot_go_on_no_part_is_left(
    method: str, status: int, code: str, kind: type[Exception], removed: int
) -> None:
    service = Parts(method, status, code)
    with running(service) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            delivery = a_delivery(client, {**CONNECTION, "endpoint": url}, media=Bytes(b"v"))
            with pytest.raises(kind):
                await InParts().deliver(S3Config(key="a"), delivery)
    assert (service.begun, service.removed) == (1, removed)


NO_CONDITION = (501, "<Error><Code>NotImplemented</Code></Error>")
NO_CHECKSUM = (400, "<Error><Code>InvalidArgument</Code><Message>x-amz-checksum-sha256?</Message></Error>")


@pytest.fixture(params=[("if-none-match", NO_CONDITION), ("x-amz-checksum-sha256", NO_CHECKSUM)], ids=["501", "400"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Service, str]]:
    somebody = Service(*request.param)
    with running(somebody) as url:
        yield somebody, url


async def test_a_header_that_a_service_lacks_is_left_out_from_then_on(service: tuple[Service, str]) -> None:
    somebody, url = service
    connector, connection = S3(), {**CONNECTION, "endpoint": url}
    async with httpx.AsyncClient(trust_env=False) as client:
        for name in ("a", "b"):
            outcome = await connector.deliver(S3Config(key=name), a_delivery(client, connection, media=Bytes(b"v")))
            assert "already" not in outcome.detail
        again = await connector.deliver(S3Config(key="a"), a_delivery(client, connection, media=Bytes(b"v")))
        beside = await connector.deliver(S3Config(key="a"), a_delivery(client, connection, media=Bytes(b"w")))
    assert [somebody.header in put for put in somebody.puts] == [True, False, False, False]
    other = ({"if-none-match", "x-amz-checksum-sha256"} - {somebody.header}).pop()
    assert all(other in put for put in somebody.puts)
    assert (again.detail["already"], beside.detail["key"]) == (True, "a-50e721e4")


async def test_a_check_says_what_is_refused(service: tuple[Service, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        said = await S3().check({**CONNECTION, "endpoint": service[1]}, client)
    assert "are refused" in said
    assert service[0].kept == {}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "allow them s3:PutObject"),
        ("ExpiredToken", "the temporary credentials have ended"),
        ("AuthorizationHeaderMalformed", "`region` is wrong; the bucket is in eu-central-1"),
    ],
)
async def test_a_check_tells_what_went_wrong_first_and_why(code: str, said: str) -> None:
    """Not that the clearing up failed, too; nor nothing, as an answer to HEAD."""
    service = Refusing({"PUT", "HEAD", "GET", "DELETE"}, code)
    with running(service) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            connection = {**CONNECTION, "endpoint": url}
            with pytest.raises(Reject, match=r"^writing the object: ") as caught:
                await S3().check(connection, client)
            with pytest.raises(Reject) as died:
                await S3().deliver(S3Config(key="a"), a_delivery(client, connection, media=Bytes(b"v")))
    assert said in str(caught.value)
    assert said in str(died.value)


async def test_a_check_that_may_not_delete_says_what_it_leaves() -> None:
    service = Refusing({"DELETE"}, "AccessDenied")
    with running(service) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            said = await S3().check({**CONNECTION, "endpoint": url}, client)
    (left,) = service.kept
    assert f"its test object {left.removeprefix('/b-1/')} may not be deleted" in said


async def test_a_link_is_signed_as_amazon_documents_it() -> None:
    """The example of "Authenticating Requests: Using Query Parameters" in Amazon's S3 reference."""
    connection = S3Connection(
        bucket="examplebucket",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        endpoint="https://s3.amazonaws.com",
        path_style="false",
    )
    at = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
    async with httpx.AsyncClient() as client:
        link = httpx.URL(Storage(connection, client, lambda: at, Learnt()).link("test.txt", 86_400))
    assert (link.host, link.path, link.params["X-Amz-Expires"]) == (
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        "86400",
    )
    assert link.params["X-Amz-Signature"] == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/./b", "a\nb", "x" * 1025, "é" * 513])
def test_a_key_that_not_every_tool_can_live_with_is_refused(key: str) -> None:
    with pytest.raises(Reject, match="the key"):
        checked_key(key)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"bucket": ""}, "`bucket` is empty"),
        ({"bucket": "a/b"}, "no bucket's name"),
        ({"buckett": "b"}, "buckett"),
        ({"endpoint": "s3.example.com"}, "must be https:// and a host"),
        ({"endpoint": "https://u:p@s3.example.com"}, "must be https:// and a host"),
        ({"path_style": "yes"}, "true or false"),
        ({"region": "eu central"}, "no region's name"),
    ],
)
def test_a_connection_that_cannot_be_says_which_field(more: dict[str, str], said: str) -> None:
    with pytest.raises(Reject, match=said):
        place_of(read_connection({**CONNECTION, **more}))


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "https://s3.example.com/b-1"),
        ({"path_style": "false"}, "https://b-1.s3.example.com"),
        ({"endpoint": "", "region": "eu-central-1"}, "https://b-1.s3.eu-central-1.amazonaws.com"),
        ({"endpoint": "", "path_style": "true"}, "https://s3.us-east-1.amazonaws.com/b-1"),
    ],
)
def test_a_bucket_has_the_address_that_its_service_expects(more: dict[str, str], url: str) -> None:
    place = place_of(read_connection({**CONNECTION, **more}))
    assert place.url + place.path == url


@pytest.mark.parametrize(
    ("wanted", "more", "seconds"),
    [
        (604_800, {}, 604_800),
        (604_800, {"session_token": "t"}, 3600),
        (60, {"session_token": "t"}, 60),
        (604_800, {"session_token": "t", "session_expires": "2026-07-16T10:00:00Z"}, 7200),
    ],
)
def test_a_link_never_outlives_a_week_or_its_credentials(wanted: int, more: dict[str, str], seconds: int) -> None:
    known = read_connection({**CONNECTION, **more})
    assert link_lifetime(S3Config(key="a", link_seconds=wanted), known, NOW) == seconds


@pytest.mark.parametrize(
    ("wanted", "more", "said"),
    [
        (604_801, {}, "1 to 604800"),
        (60, {"session_expires": "2026-07-16T07:00:00Z"}, "renew them"),
        (60, {"session_expires": "tomorrow"}, "must be a date"),
        (60, {"session_expires": "2026-07-17"}, "time zone"),
    ],
)
def test_a_link_that_cannot_be_is_refused(wanted: int, more: dict[str, str], said: str) -> None:
    with pytest.raises(Reject, match=said):
        link_lifetime(S3Config(key="a", link_seconds=wanted), read_connection({**CONNECTION, **more}), NOW)


@pytest.mark.parametrize(
    ("status", "code", "headers", "kind", "said"),
    [
        (503, "SlowDown", {"retry-after": "7"}, Retry, "SlowDown"),
        (403, "RequestTimeTooSkewed", {}, Retry, "clock"),
        (409, "ConditionalRequestConflict", {}, Retry, "409"),
        (400, "XAmzContentSHA256Mismatch", {}, Retry, "400"),
        (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-3"}, Reject, "the bucket is in eu-west-3"),
        (403, "", {}, Reject, "s3:PutObject"),
        (400, "Whatever", {}, Reject, "it said so"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, headers: dict[str, str], kind: type, said: str) -> None:
    text = f"<Error><Code>{code}</Code><Message>it said so</Message></Error>" if code else ""
    error = refusal(Answer(status, httpx.Headers(headers), text), "writing a", NOW)
    assert type(error) is kind
    assert said in str(error)
    assert getattr(error, "after", None) == (7.0 if "retry-after" in headers else None)


def test_an_answer_that_unfolds_is_not_read() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]><Error><Code>&a;</Code></Error>'
    assert Answer(400, httpx.Headers(), bomb).code == ""


async def test_a_public_address_is_given_out_where_there_is_one(service: tuple[Service, str]) -> None:
    connection = {**CONNECTION, "endpoint": service[1], "public_url": "https://cdn.example.com/v/"}
    async with httpx.AsyncClient(trust_env=False) as client:

        async def link(kind: Any) -> str | None:
            config = S3Config(key="a b.mp4", link=kind)
            return (
                await S3().deliver(config, a_delivery(client, connection, media=Bytes(b"v"), at=int(time.time())))
            ).url

        assert await link("auto") == await link("public") == "https://cdn.example.com/v/a%20b.mp4"
        assert "X-Amz-Signature" in (await link("presigned") or "")
        assert await link("none") is None


async def test_what_is_wrong_with_a_step_is_said_before_anything_is_sent(service: tuple[Service, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        connection = {**CONNECTION, "endpoint": service[1]}
        for config, media, said in [
            (S3Config(key="a"), None, "no file"),
            (S3Config(key="a", content_type="video/ö"), Bytes(b"v"), "`content_type`"),
            (S3Config(key="a", link="public"), Bytes(b"v"), "`public_url`"),
        ]:
            with pytest.raises(Reject, match=said) as caught:
                await S3().deliver(config, a_delivery(client, connection, media=media))
            assert "SK" not in json.dumps([str(caught.value), dict(caught.value.detail)])
    assert service[0].kept == {}
