"""The ``http`` connector, against a real server."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from connectors.answers import ANSWER_LIMIT
from connectors.base import Delivery, DeliveryError, Gone, Outcome, Reject, Retry
from connectors.http import Http, HttpConfig
from connectors.standard_webhooks import decode_secret, sign
from relay.net import Egress, guarded_client
from tests.notes import MemoryNotes
from tests.servers import running

pytestmark = pytest.mark.anyio
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
WAY = ["httpx"]
LOCAL = Egress(["127.0.0.0/8", "::1/128"])


class Server:
    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers, self.body = 200, dict[str, str](), b"ok"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.seen.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    somebody = Server()
    with running(somebody) as url:
        yield somebody, url


@pytest.fixture(autouse=True, params=["httpx", "wire"])
def way(request: pytest.FixtureRequest) -> None:
    """Everything holds over any httpx client, and over the relay's own, which takes a shorter way where it can."""
    WAY[0] = request.param


async def deliver(config: HttpConfig, connection: Mapping[str, str], **more: Any) -> Outcome:
    async with httpx.AsyncClient(trust_env=False) if WAY[0] == "httpx" else guarded_client(LOCAL) as client:
        known: dict[str, Any] = {"key": "dlv_1", "attempt": 1, "at": 1_784_188_800, "event": {"id": "evt_1"}}
        known |= {"connection": connection, "http": client, "notes": MemoryNotes(), "task_notes": MemoryNotes()}
        return await Http().deliver(config, Delivery(**{**known, **more}))


async def error_of(config: HttpConfig, connection: Mapping[str, str]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await deliver(config, connection)
    return caught.value


class TestSignature:
    @pytest.mark.parametrize(
        ("secret", "id", "timestamp", "body", "signature"),
        [
            (
                OTHER,
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1649367553,
                b'{"email":"test@example.com","username":"test_user"}',
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                SECRET,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1614265330,
                b'{"test": 2432232314}',
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
    )
    def test_the_published_vectors(self, secret: str, id: str, timestamp: int, body: bytes, signature: str) -> None:
        assert sign([decode_secret(secret)], id, timestamp, body) == signature

    @pytest.mark.parametrize("secret", ["", "whsec_!!!!", "whsec_QUJD", SECRET[6:], "whsec_" + "A" * 100])
    def test_a_wrong_secret_is_refused_and_not_shown(self, secret: str) -> None:
        with pytest.raises(ValueError) as caught:
            decode_secret(secret)
        assert not secret or secret not in str(caught.value)

    async def test_the_reference_library_accepts_what_we_send(self, server: tuple[Server, str]) -> None:
        import time

        at = int(time.time())
        await deliver(HttpConfig(url=server[1]), {"secret": SECRET}, at=at)
        headers, body = server[0].seen[0]
        Webhook(SECRET).verify(body, headers)
        assert (headers["webhook-id"], headers["webhook-timestamp"], headers["idempotency-key"]) == (
            "dlv_1",
            str(at),
            "dlv_1",
        )

    async def test_during_a_rotation_both_secrets_sign(self, server: tuple[Server, str]) -> None:
        import time

        await deliver(HttpConfig(url=server[1]), {"secret": f"{OTHER} {SECRET}"}, at=int(time.time()))
        headers, body = server[0].seen[0]
        for secret in (SECRET, OTHER):
            Webhook(secret).verify(body, headers)

    async def test_without_a_secret_it_is_unsigned_but_has_its_id(self, server: tuple[Server, str]) -> None:
        await deliver(HttpConfig(url=server[1]), {})
        headers, _ = server[0].seen[0]
        assert "webhook-signature" not in headers
        assert headers["webhook-id"] == "dlv_1"

    async def test_a_secret_that_cannot_sign_is_a_dead_letter_that_does_not_show_it(
        self, server: tuple[Server, str]
    ) -> None:
        error = await error_of(HttpConfig(url=server[1]), {"secret": "whsec_short"})
        assert isinstance(error, Reject)
        assert "whsec_short" not in str(error)
        assert server[0].seen == []


class TestBody:
    async def test_the_event_is_sent_when_nothing_else_is_said(self, server: tuple[Server, str]) -> None:
        event = {"id": "evt_1", "title": "Straße 歌", "price": Decimal("1.10")}
        await deliver(HttpConfig(), {"url": server[1]}, event=event)
        headers, body = server[0].seen[0]
        assert body == '{"id":"evt_1","title":"Straße 歌","price":1.10}'.encode()
        assert headers["content-type"] == "application/json; charset=utf-8"

    async def test_a_body_of_ones_own_and_headers(self, server: tuple[Server, str]) -> None:
        await deliver(HttpConfig(url=server[1], body=[1, None], headers={"X-Make-ApiKey": "k"}), {})
        headers, body = server[0].seen[0]
        assert (body, headers["x-make-apikey"]) == (b"[1,null]", "k")

    @pytest.mark.parametrize("name", ["Host", "content-length", "Webhook-Signature", "webhook-id", "transfer-encoding"])
    async def test_the_relays_own_headers_cannot_be_set(self, server: tuple[Server, str], name: str) -> None:
        error = await error_of(HttpConfig(url=server[1], headers={name: "x"}), {})
        assert isinstance(error, Reject)
        assert name.lower() in str(error)


class TestAnswers:
    async def test_success_keeps_the_answer_for_later_steps(self, server: tuple[Server, str]) -> None:
        server[0].status, server[0].headers, server[0].body = 201, {"content-type": "application/json"}, b'{"id": 7}'
        outcome = await deliver(HttpConfig(url=server[1]), {})
        assert outcome.detail == {"status": 201, "response": '{"id": 7}', "truncated": False, "json": {"id": 7}}

    async def test_an_empty_answer_that_calls_itself_json_is_null(self, server: tuple[Server, str]) -> None:
        """Later steps may ask for it: what is not there at all is their dead letter."""
        server[0].headers, server[0].body = {"content-type": "application/json"}, b""
        outcome = await deliver(HttpConfig(url=server[1]), {})
        assert outcome.detail == {"status": 200, "response": "", "truncated": False, "json": None}

    async def test_a_long_answer_is_cut(self, server: tuple[Server, str]) -> None:
        server[0].body = b"x" * 100_000
        outcome = await deliver(HttpConfig(url=server[1]), {})
        assert (len(outcome.detail["response"]), outcome.detail["truncated"]) == (ANSWER_LIMIT, True)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504])
    async def test_what_may_pass_is_tried_again(self, server: tuple[Server, str], status: int) -> None:
        server[0].status, server[0].body = status, b"Queue is full"
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Retry)
        assert (error.detail["status"], error.detail["response"]) == (status, "Queue is full")

    @pytest.mark.parametrize("status", [400, 405, 411, 413, 414, 415, 422, 431, 501])
    async def test_what_waiting_does_not_mend_is_a_dead_letter_in_the_receivers_words(
        self, server: tuple[Server, str], status: int
    ) -> None:
        server[0].status, server[0].body = status, b"the field title is too long"
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Reject)
        assert "the field title is too long" in str(error)

    async def test_410_is_the_end(self, server: tuple[Server, str]) -> None:
        server[0].status = 410
        assert isinstance(await error_of(HttpConfig(url=server[1]), {}), Gone)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects_are_refused(self, server: tuple[Server, str], status: int) -> None:
        server[0].status, server[0].headers = status, {"location": server[1] + "/elsewhere"}
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Reject)
        assert "not followed" in str(error)
        assert len(server[0].seen) == 1

    @pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)])
    async def test_retry_after(self, server: tuple[Server, str], value: str, seconds: float | None) -> None:
        server[0].status, server[0].headers = 429, {"retry-after": value}
        error = await error_of(HttpConfig(url=server[1]), {})
        assert isinstance(error, Retry)
        assert error.after == seconds

    async def test_no_answer_is_tried_again(self) -> None:
        assert isinstance(await error_of(HttpConfig(url="http://127.0.0.1:1/secret?token=t"), {}), Retry)

    @pytest.mark.parametrize("url", ["", "ftp://x.example", "x.example", "file:///etc/passwd"])
    async def test_what_is_no_url_is_a_dead_letter(self, url: str) -> None:
        assert isinstance(await error_of(HttpConfig(url=url), {}), Reject)

    async def test_neither_secrets_nor_the_query_are_told(self, server: tuple[Server, str]) -> None:
        server[0].status = 500
        error = await error_of(HttpConfig(url=server[1] + "/x?token=hush"), {"secret": SECRET})
        told = str(error) + json.dumps(dict(error.detail))
        assert "hush" not in told
        assert SECRET not in told
