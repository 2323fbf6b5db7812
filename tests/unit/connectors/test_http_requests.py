"""What ``http`` can send, and as whom, against a real server."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import httpx
import pytest

from connectors.base import Outcome, Reject, Retry
from connectors.http import Http, HttpConfig
from tests.unit.connectors.test_http import SECRET, Server, deliver, error_of
from tests.unit.connectors.test_http import server as server
from tests.unit.connectors.test_http import way as way

pytestmark = pytest.mark.anyio
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 1024


@dataclass
class File:
    """A finished file that counts how often it is read."""

    content: bytes = VIDEO
    name: str = 'Neon "rooftop".mp4'
    mime_type: str = "video/mp4"
    opened: int = 0
    chunks: list[int] = field(default_factory=list[int])

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        self.opened += 1
        yield self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        for start in range(0, self.size, 65536):
            self.chunks.append(start)
            yield self.content[start : start + 65536]


class TestForms:
    async def test_query_is_added_to_the_url(self, server: tuple[Server, str]) -> None:
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope.get("query_string", b"").decode())
            await server[0](scope, receive, send)

        from tests.servers import running

        with running(app) as url:
            await deliver(HttpConfig(url=f"{url}/x?a=1", query={"b": "ü &", "c": True, "d": None}), {})
        assert seen[-1] == "a=1&b=%C3%BC+%26&c=true"

    async def test_a_form(self, server: tuple[Server, str]) -> None:
        await deliver(HttpConfig(url=server[1], form={"title": "Straße & co", "tags": ["a", "b"], "ok": True}), {})
        headers, body = server[0].seen[0]
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        assert body == b"title=Stra%C3%9Fe+%26+co&tags=a&tags=b&ok=true"

    async def test_raw_text_of_its_own_type(self, server: tuple[Server, str]) -> None:
        config = HttpConfig(url=server[1], method="PUT", raw="<a/>", headers={"Content-Type": "application/xml"})
        await deliver(config, {})
        headers, body = server[0].seen[0]
        assert (headers["content-type"], body) == ("application/xml", b"<a/>")

    async def test_a_get_has_no_body(self, server: tuple[Server, str]) -> None:
        await deliver(HttpConfig(url=server[1], method="GET"), {})
        assert server[0].seen[0][1] == b""

    async def test_multipart_carries_the_file_as_it_streams(self, server: tuple[Server, str]) -> None:
        file = File()
        config = HttpConfig(url=server[1], form={"title": "Straße", "n": 1}, file="video")
        await deliver(config, {}, media=file)
        headers, body = server[0].seen[0]
        assert int(headers["content-length"]) == len(body)
        assert len(file.chunks) > 1, "in chunks, never whole"
        parts = message_from_bytes(
            b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + body, policy=HTTP
        ).get_payload()
        title, number, video = parts
        assert title.get_payload(decode=True) == "Straße".encode()
        assert number.get_payload(decode=True) == b"1"
        assert video.get_content_type() == "video/mp4"
        assert VIDEO in body
        assert b'name="video"; filename="Neon %22rooftop%22.mp4"' in body

    async def test_a_repeat_sends_the_very_same_bytes(self, server: tuple[Server, str]) -> None:
        for _ in range(2):
            await deliver(HttpConfig(url=server[1], file="video"), {}, media=File())
        assert server[0].seen[0][1] == server[0].seen[1][1]

    async def test_the_file_alone(self, server: tuple[Server, str]) -> None:
        await deliver(HttpConfig(url=server[1], method="PUT", upload=True), {}, media=File())
        headers, body = server[0].seen[0]
        assert (headers["content-type"], body) == ("video/mp4", VIDEO)

    @pytest.mark.parametrize(
        "config",
        [
            HttpConfig(url="http://x.example", body={}, form={}),
            HttpConfig(url="http://x.example", raw="x", upload=True),
            HttpConfig(url="http://x.example", body={}, file="video"),
            HttpConfig(url="http://x.example", file="video"),
            HttpConfig(url="http://x.example", form={"a": {"b": 1}}),
            HttpConfig(url="http://x.example", headers={"x-a": "1\r\nx-b: 2"}),
            HttpConfig(url="http://x.example", headers={"x a": "1"}),
        ],
    )
    async def test_what_contradicts_itself_is_refused_before_anything_is_sent(self, config: HttpConfig) -> None:
        assert isinstance(await error_of(config, {}), Reject)


class TestWho:
    @pytest.mark.parametrize(
        ("connection", "name", "value"),
        [
            ({"token": "t0ken"}, "authorization", "Bearer t0ken"),
            ({"user": "mia", "password": "p:w"}, "authorization", "Basic " + base64.b64encode(b"mia:p:w").decode()),
            ({"header": "X-Make-ApiKey", "value": "k3y"}, "x-make-apikey", "k3y"),
        ],
    )
    async def test_credentials(
        self, server: tuple[Server, str], connection: dict[str, str], name: str, value: str
    ) -> None:
        await deliver(HttpConfig(), {"url": server[1], **connection})
        assert server[0].seen[0][0][name] == value

    @pytest.mark.parametrize("connection", [{"token": "a", "user": "b"}, {"header": "x-key"}, {"value": "x"}])
    async def test_what_contradicts_itself(self, connection: dict[str, str]) -> None:
        assert isinstance(await error_of(HttpConfig(url="http://x.example"), connection), Reject)

    async def test_an_hmac_as_github_does_it(self, server: tuple[Server, str]) -> None:
        connection = {"hmac_secret": "s3cret", "hmac_header": "X-Hub-Signature-256"}
        await deliver(HttpConfig(url=server[1]), connection)
        headers, body = server[0].seen[0]
        expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={expected}"

    async def test_an_hmac_of_ones_own_form(self, server: tuple[Server, str]) -> None:
        connection = {
            "hmac_secret": "s3cret",
            "hmac_format": "t={timestamp},v1={base64}",
            "hmac_over": "{id}.{timestamp}.{body}",
            "hmac_hash": "sha512",
        }
        await deliver(HttpConfig(url=server[1]), connection, at=77)
        headers, body = server[0].seen[0]
        digest = hmac.new(b"s3cret", b"dlv_1.77." + body, hashlib.sha512).digest()
        assert headers["x-signature"] == f"t=77,v1={base64.b64encode(digest).decode()}"

    @pytest.mark.parametrize("wrong", [{"hmac_hash": "md5"}, {"hmac_over": "x"}, {"hmac_format": "x"}])
    async def test_an_hmac_that_would_sign_nothing_is_refused(self, wrong: dict[str, str]) -> None:
        error = await error_of(HttpConfig(url="http://x.example"), {"hmac_secret": "s3cret", **wrong})
        assert isinstance(error, Reject)
        assert "s3cret" not in str(error)

    async def test_a_streamed_file_cannot_be_signed_and_says_so(self) -> None:
        with pytest.raises(Reject, match="cannot be signed"):
            await deliver(HttpConfig(url="http://x.example", upload=True), {"secret": SECRET}, media=File())


class TestAnswers:
    async def test_success_can_be_another_set(self, server: tuple[Server, str]) -> None:
        server[0].status = 409
        outcome = await deliver(HttpConfig(url=server[1], success=[200, 409]), {})
        assert outcome.detail["status"] == 409
        server[0].status = 204
        assert isinstance(await error_of(HttpConfig(url=server[1], success=[200, 409]), {}), Retry)

    async def test_makes_full_queue_is_waited_for(self, server: tuple[Server, str]) -> None:
        server[0].status, server[0].body = 400, b"Queue is full."
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Retry)
        assert "Make" in str(error)

    @pytest.mark.parametrize(
        ("message", "hint", "said"),
        [
            (
                "This webhook is not registered for POST requests. Did you mean to make a GET request?",
                "",
                "set its HTTP Method",
            ),
            (
                'The requested webhook "POST in-test" is not registered.',
                "The workflow must be active for a production URL to run successfully. You can activate the workflow"
                " using the toggle in the top-right of the editor. Note that unlike test URL calls, production URL"
                " calls aren't shown on the canvas (only in the executions list)",
                "switch yours on",
            ),
            (
                'The requested webhook "production" is not registered.',
                "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only"
                " works for one call after you click this button)",
                "use the production URL",
            ),
        ],
    )
    async def test_n8ns_404_is_explained_and_waited_for(
        self, server: tuple[Server, str], message: str, hint: str, said: str
    ) -> None:
        server[0].status = 404
        server[0].body = json.dumps({"code": 404, "message": message, "hint": hint}).encode()
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Retry)
        assert said in str(error)
        assert error.after == 600.0

    async def test_an_n8n_that_starts_is_tried_again_soon(self, server: tuple[Server, str]) -> None:
        server[0].status, server[0].body = 404, b"<pre>Cannot POST /webhook/abc</pre>"
        error = await error_of(HttpConfig(url=server[1]), {})
        assert (isinstance(error, Retry), error.after) == (True, None)


class Hopping(Server):
    """Sends whoever asks on to the next door."""

    def __init__(self, status: int, doors: list[str]) -> None:
        super().__init__()
        self.doors, self.redirect = doors, status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.status = self.redirect if self.doors else 200
            self.headers = {"location": self.doors.pop(0)} if self.doors else {}
        await super().__call__(scope, receive, send)


class TestRedirects:
    async def test_307_and_308_on_the_same_host_keep_method_and_body(self) -> None:
        from tests.servers import running

        for status in (307, 308):
            hopping = Hopping(status, ["/second", "third"])
            with running(hopping) as url:
                outcome = await deliver(
                    HttpConfig(url=f"{url}/first", redirects="same-host", file="v"), {}, media=File()
                )
            assert isinstance(outcome, Outcome)
            assert len(hopping.seen) == 3
            assert len({body for _, body in hopping.seen}) == 1

    @pytest.mark.parametrize(
        ("status", "door"),
        [
            (301, "/second"),
            (302, "/second"),
            (303, "/second"),
            (307, "http://other.example/"),
            (308, "ftp://127.0.0.1/"),
            (307, "http://169.254.169.254/latest/meta-data"),
        ],
    )
    async def test_no_other_is_followed(self, status: int, door: str) -> None:
        from tests.servers import running

        hopping = Hopping(status, [door])
        with running(hopping) as url:
            error = await error_of(HttpConfig(url=url, redirects="same-host"), {})
        assert isinstance(error, Reject)
        assert len(hopping.seen) == 1

    async def test_not_for_ever(self) -> None:
        from tests.servers import running

        hopping = Hopping(307, ["/again"] * 10)
        with running(hopping) as url:
            assert "in circles" in str(await error_of(HttpConfig(url=url, redirects="same-host"), {}))
        assert len(hopping.seen) == 4


class TestCheck:
    async def test_it_reaches_the_host_and_starts_nobodys_workflow(self, server: tuple[Server, str]) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            said = await Http().check({"url": f"{server[1]}/webhook/abc?x=1"}, client)
            with pytest.raises(Reject, match=r"n8n's test URL.*put the Webhook node's production URL") as caught:
                await Http().check({"url": f"{server[1]}/webhook-test/abc?x=1"}, client)
        assert "127.0.0.1 answers" in said
        assert "abc" not in said + str(caught.value)

    async def test_what_cannot_be_reached_or_used_says_so(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(Retry):
                await Http().check({"url": "http://127.0.0.1:1/x"}, client)
            with pytest.raises(Reject, match="secret"):
                await Http().check({"url": "http://127.0.0.1:1/x", "secret": "whsec_short"}, client)
