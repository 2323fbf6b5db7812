"""Calls to endpoints: known signatures, and days of failure in virtual time."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import relay.contract as contract
from relay.flow.archive import MediaStore
from relay.flow.callback import PATIENCE, Callback, beatapi_signature
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.endpoints import Endpoints
from relay.flow.keys import Caller
from relay.flow.observe import Observer, Pace
from relay.flow.targets import Targets
from relay.journal import DeliveryRow, EndpointKind, EndpointRow, Entry, Operation, SqliteJournal, TaskRow, place_of
from relay.net import Egress
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer
from relay.settings import Settings
from relay.vault import Vault, new_key
from tests.receivers import official, standard
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

HOUSE = Caller("house", frozenset({"admin"}))
DAY = 86400.0


def test_the_signature_is_that_of_the_contracts_vector() -> None:
    body = b'{"event":"task.succeeded","data":{"id":"task_123"}}'
    expected = "ea8fe65b9f729d48f172f2b7fb4b267e6ae50ace77a9b4672d418378cd50729b"
    assert beatapi_signature("whsec_test", "1784187600", body) == expected


async def public(host: str, port: int) -> list[str]:
    return ["93.184.216.34"]


class Bench:
    """A deliverer that calls endpoints in virtual time; the receiver answers what ``status`` says."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        self.status = 500
        self.requests: list[httpx.Request] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        vault, renderer, recipes = Vault([new_key()]), Renderer(), RecipeSet()
        self.endpoints = Endpoints(self.journal, self.clock, vault, Targets(Egress(), public), lambda: None)
        self.observer = Observer(self.journal, self.clock, lambda: recipes, renderer, Pace(), lambda: None)
        self.callback = callback = Callback(self.journal, self.clock, self.endpoints, 20.0, self.client, "http://relay")
        connectors = {callback.name: callback}
        store = MediaStore(folder / "media")
        known = Connections(self.journal, self.clock, vault, connectors, {}, self.client)
        self.deliverer = Deliverer(
            self.journal,
            self.clock,
            lambda: recipes,
            renderer,
            connectors,
            store,
            self.client,
            Settings(),
            vault,
            known,
        )
        self._tasks = 0

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status)

    async def endpoint(self, **more: Any) -> tuple[EndpointRow, str]:
        given: dict[str, Any] = {
            "kind": "webhook",
            "url": "https://example.com/hook",
            "events": ["task.failed"],
            **more,
        }
        return await self.endpoints.create(HOUSE, **given)

    async def fail_a_task(self) -> None:
        self._tasks += 1
        now, task_id = self.clock.now(), f"task_{self._tasks}"
        basis = {"provider": "beatapi", "workflow": "music-video", "status": "queued", "request": "{}"}
        task = TaskRow(id=task_id, created_at=now, updated_at=now, **basis)
        operation = Operation(
            id=f"op_{task_id}", task_id=task_id, kind="create", state="queued", body="{}", created_at=now, due_at=None
        )
        await self.journal.tasks.create(task, operation, Entry(task_id=task_id, at=now, kind="task.accepted"))
        raw = json.dumps({"id": f"p{self._tasks}", "status": "failed", "error_code": "processing_failed"})
        await self.observer.observe(task, Told(contract.decode(raw, contract.Task), raw), "poll")

    async def work(self, until: float) -> None:
        """Everything that is due until then, each at its time."""
        while True:
            due = await self.journal.deliveries.next_due()
            if due is None or due > until:
                break
            self.clock.advance(max(0.0, due - self.clock.now()))
            await self.deliverer.step()
            await self.deliverer.drain()
        self.clock.advance(until - self.clock.now())

    async def rows(self) -> list[DeliveryRow]:
        return [
            row
            for number in range(1, self._tasks + 1)
            for row in await self.journal.deliveries.of_task(f"task_{number}")
        ]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.client.aclose()
    await bench.journal.close()


async def state_of(bench: Bench, endpoint: EndpointRow) -> EndpointRow:
    row = await bench.journal.endpoints.get(endpoint.id)
    assert row is not None
    return row


async def test_five_days_of_nothing_but_failures_disable_an_endpoint(bench: Bench) -> None:
    endpoint, _ = await bench.endpoint()
    began = bench.clock.now()
    for day in range(1, 5):
        await bench.fail_a_task()
        await bench.work(began + day * DAY)
    assert (await state_of(bench, endpoint)).status == "active"
    await bench.fail_a_task()
    await bench.work(began + 6 * DAY)
    given_up = await state_of(bench, endpoint)
    assert given_up.status == "disabled"
    assert (given_up.disabled_reason or "").startswith("every delivery failed for 5 days")
    (notice,) = await bench.journal.endpoints.notices(10)
    assert began + PATIENCE <= notice.at <= began + PATIENCE + DAY
    assert (notice.about, notice.text.split(":")[0]) == (
        endpoint.id,
        f"Webhook endpoint {endpoint.id} at example.com was disabled",
    )
    sent = len(bench.requests)
    await bench.fail_a_task()
    await bench.work(began + 12 * DAY)
    assert len(bench.requests) == sent, "a disabled endpoint was called"


async def test_one_success_in_between_starts_the_five_days_anew(bench: Bench) -> None:
    endpoint, _ = await bench.endpoint()
    began = bench.clock.now()
    for day in range(1, 10):
        bench.status = 204 if day == 4 else 500
        await bench.fail_a_task()
        await bench.work(began + day * DAY)
        if day == 4:
            assert (await state_of(bench, endpoint)).failing_since is None
    row = await state_of(bench, endpoint)
    assert row.status == "active"
    assert (row.failing_since or 0.0) >= began + 4 * DAY


async def test_every_try_is_signed_afresh_under_the_same_id(bench: Bench) -> None:
    _, secret = await bench.endpoint()
    await bench.fail_a_task()
    moments: list[float] = []
    bench.deliverer.nudge()
    for _ in range(12):
        await bench.deliverer.step()
        await bench.deliverer.drain()
        moments.append(bench.clock.now())
        due = await bench.journal.deliveries.next_due()
        bench.clock.advance((due or bench.clock.now()) - bench.clock.now())
    assert len(bench.requests) == 12
    assert len({request.headers["webhook-id"] for request in bench.requests}) == 1
    for request, now in zip(bench.requests, moments, strict=True):
        assert official(secret, dict(request.headers), request.content, now)
    (row,) = await bench.rows()
    assert row.state == "dead"


async def test_after_the_overlap_only_the_new_secret_signs(bench: Bench) -> None:
    endpoint, old = await bench.endpoint()
    bench.status = 204
    rotated, new = await bench.endpoints.rotate(endpoint, overlap=DAY)
    assert rotated is not None
    await bench.fail_a_task()
    await bench.work(bench.clock.now() + DAY + 1)
    await bench.fail_a_task()
    await bench.work(bench.clock.now() + 1)
    during, after = bench.requests
    assert during.headers["webhook-signature"].count("v1,") == 2
    assert after.headers["webhook-signature"].count("v1,") == 1
    now = bench.clock.now()
    assert official(old, dict(during.headers), during.content, now - DAY - 1)
    assert official(new, dict(after.headers), after.content, now)
    assert not official(old, dict(after.headers), after.content, now)


async def test_an_endpoint_that_was_deleted_meanwhile_is_a_dead_letter(bench: Bench) -> None:
    endpoint, _ = await bench.endpoint()
    await bench.fail_a_task()
    await bench.endpoints.remove(endpoint)
    await bench.work(bench.clock.now() + 1)
    (row,) = await bench.rows()
    assert (row.state, row.error, bench.requests) == ("dead", "the endpoint was deleted", [])


async def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.status = 302
    await bench.endpoint()
    await bench.fail_a_task()
    await bench.work(bench.clock.now() + 1)
    (row,) = await bench.rows()
    assert (row.state, row.error) == ("due", "the receiver answered 302, a redirect, which is not followed")


async def test_secrets_are_valid_for_both_ways_of_signing_and_sealed_at_rest(bench: Bench, tmp_path: Path) -> None:
    seen: set[str] = set()
    for _ in range(20):
        row, secret = await bench.endpoint()
        assert standard(secret, {"webhook-id": "x"}, b"{}") is False  # the library takes the secret itself
        assert "masked" not in secret
        seen.add(secret)
        assert secret.encode() not in row.secret
        await bench.endpoints.remove(row)
    assert len(seen) == 20
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert not any(secret.encode() in on_disk for secret in seen)


@pytest.mark.parametrize("kind", ["webhook", "hook"])
async def test_a_test_sends_a_sample_and_counts_for_nothing(bench: Bench, kind: EndpointKind) -> None:
    endpoint, _ = await bench.endpoint(kind=kind)
    works, message = await bench.callback.test(endpoint)
    assert (works, message) == (False, "The test failed: the receiver answered 500.")
    assert (await state_of(bench, endpoint)).failing_since is None
    bench.status = 204
    works, message = await bench.callback.test(endpoint)
    assert (works, message) == (True, "The receiver answered 204 to a sample of task.failed.")
    bodies = [json.loads(request.content) for request in bench.requests]
    assert bodies[0]["id"] != bodies[-1]["id"], "another test is another event"
    assert (bodies[-1]["data"]["id"] if kind == "webhook" else bodies[-1]["task_id"]) == "task_sample"
    bench.status = 410
    assert not (await bench.callback.test(endpoint))[0]
    assert (await state_of(bench, endpoint)).status == "active"


async def test_with_its_secret_lost_nothing_is_sent_unsigned_and_a_new_one_lets_it_go(bench: Bench) -> None:
    endpoint, _ = await bench.endpoint()
    await bench.journal.sealed.forget([place_of("endpoints", endpoint.id)], bench.clock.now())
    await bench.fail_a_task()
    await bench.work(bench.clock.now() + 60)
    (row,) = await bench.rows()
    assert (bench.requests, row.state) == ([], "due")
    assert "secret is lost" in (row.error or "")
    lost = await state_of(bench, endpoint)
    changed, secret = await bench.endpoints.rotate(lost)
    assert changed is not None
    assert bench.endpoints.secrets(changed) == [secret], "there is no old one that could sign too"
    bench.status = 204
    await bench.work(bench.clock.now() + 3600)
    assert [row.state for row in await bench.rows()] == ["done"]
