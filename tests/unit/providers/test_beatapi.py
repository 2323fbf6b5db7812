"""Beat API's answers and signatures, as the contract tells them."""

import hashlib
import hmac
from collections.abc import Callable

import httpx
import pytest

from relay.providers import BeatApi, Busy, Forged, Genuine, MalformedWebhook, Missing, Refused, Told, Unclear

pytestmark = pytest.mark.anyio

SECRET, TIMESTAMP = "whsec_test", 1784187600
BODY = b'{"event":"task.succeeded","data":{"id":"task_123"}}'
SIGNATURE = "ea8fe65b9f729d48f172f2b7fb4b267e6ae50ace77a9b4672d418378cd50729b"
TASK = '{"id":"task_9","status":"queued","new_field":{"a":1.10}}'


def provider(
    answer: Callable[[httpx.Request], httpx.Response] | None = None, secrets: tuple[str, ...] = (SECRET,)
) -> BeatApi:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer or (lambda _: httpx.Response(500))))
    return BeatApi(client, "https://api.example.com/", "sk_key", secrets)


def signed(timestamp: str = str(TIMESTAMP), signature: str = SIGNATURE) -> dict[str, str]:
    return {"x-beatapi-timestamp": timestamp, "x-beatapi-signature": signature}


def error(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"error": {"code": code, "message": "no", "request_id": "req_1"}}
    return httpx.Response(status, json=body, headers=headers)


class TestSignature:
    def test_the_published_vector_is_genuine(self) -> None:
        assert provider().verify(signed(), BODY, TIMESTAMP + 10.0) == Genuine(10.0)

    def test_any_active_secret_may_match(self) -> None:
        assert isinstance(provider(secrets=("whsec_new", SECRET)).verify(signed(), BODY, TIMESTAMP), Genuine)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            (signed(), BODY + b" "),
            (signed(signature=SIGNATURE.upper()), BODY),
            (signed(signature="sha256=" + SIGNATURE), BODY),
            (signed(signature="v1=" + SIGNATURE), BODY),
            (signed(signature="ü" * 64), BODY),
            (signed(signature=""), BODY),
            (signed(timestamp=str(TIMESTAMP * 1000)), BODY),
            (signed(timestamp=f"{TIMESTAMP}.0"), BODY),
            (signed(timestamp=f"-{TIMESTAMP}"), BODY),
            (signed(timestamp="٣"), BODY),
            ({"x-beatapi-signature": SIGNATURE}, BODY),
            ({"x-beatapi-timestamp": str(TIMESTAMP)}, BODY),
            ({}, b""),
        ],
    )
    def test_anything_else_is_forged(self, headers: dict[str, str], body: bytes) -> None:
        assert isinstance(provider().verify(headers, body, TIMESTAMP), Forged)

    def test_without_a_secret_nothing_is_genuine(self) -> None:
        empty = hmac.new(b"", f"{TIMESTAMP}.".encode() + BODY, hashlib.sha256).hexdigest()
        assert isinstance(provider(secrets=()).verify(signed(signature=empty), BODY, TIMESTAMP), Forged)

    def test_a_reason_never_shows_the_secret(self) -> None:
        verdict = provider().verify(signed(signature="00"), BODY, TIMESTAMP)
        assert isinstance(verdict, Forged)
        assert SECRET not in verdict.reason


class TestWebhookBody:
    def test_an_event_names_its_task_and_keeps_its_bytes(self) -> None:
        body = b'{"id":"evt_1","event":"task.failed","data":' + TASK.encode() + b"}"
        hint = provider().read_webhook(body)
        assert (hint.event_id, hint.event, hint.provider_id) == ("evt_1", "task.failed", "task_9")
        assert provider().told_by_webhook(body).raw == TASK

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id":"evt_1"}', b'{"id":1,"event":"x","data":{}}', b"\xff"])
    def test_anything_else_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedWebhook):
            provider().read_webhook(body)


class TestCreate:
    async def test_it_sends_the_body_untouched_with_our_key(self) -> None:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(201, content='{"data":' + TASK + "}")

        told = await provider(answer).create("music-video", '{"images": []}', "op_1")
        assert isinstance(told, Told)
        assert told.raw == TASK
        (request,) = seen
        assert (request.url.path, request.content) == ("/v1/music-video/tasks", b'{"images": []}')
        assert request.headers["idempotency-key"] == "op_1"
        assert request.headers["authorization"] == "Bearer sk_key"

    @pytest.mark.parametrize(
        ("response", "kind"),
        [
            (error(400, "bad_request"), Refused),
            (error(404, "not_found"), Refused),
            (error(401, "unauthorized"), Busy),
            (error(402, "insufficient_credits"), Busy),
            (httpx.Response(403, text="error code: 1010"), Busy),
            (error(409, "idempotency_conflict"), Busy),
            (error(429, "user_concurrency_exceeded"), Busy),
            (error(408, "timeout"), Unclear),
            (error(500, "internal_error"), Unclear),
            (error(503, "processing_unavailable"), Unclear),
            (httpx.Response(502, text="<html>"), Unclear),
            (httpx.Response(201, text="<html>"), Unclear),
            (httpx.Response(302, headers={"location": "https://elsewhere"}), Unclear),
        ],
    )
    async def test_what_each_answer_means(self, response: httpx.Response, kind: type) -> None:
        assert isinstance(await provider(lambda _: response).create("music-video", "{}", "k"), kind)

    async def test_a_connection_that_was_never_made_is_no_ambiguity(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        assert isinstance(await provider(refuse).create("music-video", "{}", "k"), Busy)

    async def test_a_lost_answer_is(self) -> None:
        def cut(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError("reset", request=request)

        assert isinstance(await provider(cut).create("music-video", "{}", "k"), Unclear)

    async def test_retry_after_is_read_from_header_and_body(self) -> None:
        busy = await provider(lambda _: error(429, "rate_limit_exceeded", **{"retry-after": "7"})).create(
            "w", "{}", "k"
        )
        assert isinstance(busy, Busy)
        assert busy.after == 7.0
        body = {"error": {"code": "rate_limit_exceeded", "retry_after_seconds": 9}}
        busy = await provider(lambda _: httpx.Response(429, json=body)).create("w", "{}", "k")
        assert isinstance(busy, Busy)
        assert busy.after == 9.0


class TestFetch:
    async def test_a_404_is_never_an_end(self) -> None:
        assert isinstance(await provider(lambda _: error(404, "not_found")).fetch("task_9"), Missing)

    @pytest.mark.parametrize("status", [401, 403, 500, 503])
    async def test_errors_say_nothing_of_the_task(self, status: int) -> None:
        assert isinstance(await provider(lambda _: error(status, "x")).fetch("task_9"), Unclear)

    async def test_too_many_polls_are_told_apart(self) -> None:
        busy = await provider(lambda _: error(429, "rate_limit_exceeded", **{"retry-after": "12"})).fetch("task_9")
        assert busy == Busy("Beat API answered 429 rate_limit_exceeded: no", "rate_limit_exceeded", 12.0)


class TestContract:
    @pytest.mark.parametrize(("usage", "idempotent"), [({"period": "all"}, True), ({}, False)])
    async def test_usage_tells_the_contracts_apart(self, usage: dict[str, str], idempotent: bool) -> None:
        api = provider(lambda _: httpx.Response(200, json={"data": usage}))
        assert await api.idempotent_create() is idempotent

    async def test_while_it_cannot_be_asked_nothing_is_repeated(self) -> None:
        assert await provider(lambda _: error(503, "x")).idempotent_create() is False
