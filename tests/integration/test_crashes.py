"""The relay is killed at seeded moments, again and again; nothing is lost, doubled or torn."""

import hashlib
import hmac
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from relay.sandbox.app import create_app as create_sandbox
from relay.sandbox.settings import SandboxSettings
from tests.integration.conftest import HOOK_SECRET, KEY, RECIPE, REQUEST, SECRET, Receiver, wait_for
from tests.servers import free_port, running

KILLS = 10
"""In each of the five seeded runs: fifty moments in all."""


class Mortal:
    """A relay that is killed and started again on the same folder."""

    def __init__(self, zygote: subprocess.Popen[str], settings: dict[str, Any]) -> None:
        self._zygote = zygote
        self.settings = settings
        self.pid = 0
        self.url = f"http://127.0.0.1:{settings['port']}"

    def start(self) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(self.settings) + "\n")
        self._zygote.stdin.flush()
        self.pid = int(self._zygote.stdout.readline())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        wait_for(self._gone, "the relay's end")

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        wait_for(self._gone, "a clean end")

    def _gone(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


class Neighbour(threading.Thread):
    """Sends signed webhooks of somebody else's tasks all the while, and remembers which were acknowledged."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/webhooks/beatapi"
        self._end = threading.Event()
        self.acknowledged: list[str] = []

    def run(self) -> None:
        number = 0
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._end.wait(0.005):
                number += 1
                body = json.dumps(
                    {"id": f"evt_n{number}", "event": "task.failed", "data": {"id": f"n{number}", "status": "failed"}}
                ).encode()
                try:
                    if client.post(self._url, content=body, headers=signed(body)).is_success:
                        self.acknowledged.append(f"evt_n{number}")
                except httpx.TransportError:
                    continue

    def stop(self) -> None:
        self._end.set()
        self.join()


def signed(body: bytes) -> dict[str, str]:
    now = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-beatapi-timestamp": now, "x-beatapi-signature": signature}


@pytest.fixture(scope="module")
def zygote() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


class Scene:
    """Sandbox, receiver and a mortal relay."""

    def __init__(
        self,
        zygote: subprocess.Popen[str],
        folder: Path,
        stack: ExitStack,
        contract: Any,
        recipe: str = RECIPE,
        sandbox: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.folder = folder
        port, sandbox_port = free_port(), free_port()
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        options: dict[str, Any] = {"speed": 25.0, "poll_limit": 1_000_000, **(sandbox or {})}
        provider = SandboxSettings(
            url=self.sandbox_url,
            contract=contract,
            webhook_url=f"http://127.0.0.1:{port}/webhooks/beatapi",
            webhook_secret=SECRET,
            **options,
        )
        stack.enter_context(running(create_sandbox(provider), port=sandbox_port))
        self.receiver = Receiver()
        hook = stack.enter_context(running(self.receiver))
        (folder / "recipes").mkdir()
        (folder / "recipes" / "recipe.yaml").write_text(recipe)
        settings = {
            "log": str(folder / "relay.log"),
            "beatapi_base_url": self.sandbox_url,
            "beatapi_api_key": KEY,
            "beatapi_webhook_secret": [SECRET],
            "port": port,
            "data": str(folder / "data"),
            "recipes": str(folder / "recipes"),
            "volatile_journal": True,
            "allow_private": [hook.removeprefix("http://")],
            "poll_min_seconds": 0.1,
            "poll_max_seconds": 0.2,
            "polls_per_minute": 100_000,
            "connections": {
                "shelf": {"root": str(folder / "shelf")},
                "hook": {"url": f"{hook}/caught", "secret": HOOK_SECRET},
            },
            **more,
        }
        self.relay = Mortal(zygote, settings)

    def faults(self, **faults: Any) -> None:
        httpx.post(f"{self.sandbox_url}/sandbox/faults", json=faults, trust_env=False).raise_for_status()

    def creates(self) -> int:
        ledger = httpx.get(f"{self.sandbox_url}/sandbox/ledger", trust_env=False).json()["data"]
        return ledger["creates"]

    def create(self, title: str) -> str:
        """Ask until it is answered; the client's own key makes that safe."""
        headers = {
            "authorization": f"Bearer {KEY}",
            "idempotency-key": title,
            "x-beatrelay-row": json.dumps({"title": title}),
        }

        def ask() -> str | None:
            try:
                url = f"{self.relay.url}/v1/music-video/tasks"
                answer = httpx.post(url, json=REQUEST, headers=headers, trust_env=False, timeout=5)
            except httpx.TransportError:
                return None
            return answer.json()["data"]["id"] if answer.status_code == 201 else None

        found: str = wait_for(ask, "an answer to the create")
        return found

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self.folder}/data/journal.db?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def all_delivered(self) -> bool:
        states = self.rows("SELECT state, count(*) FROM deliveries GROUP BY state")
        return states == [("done", 9)]


@pytest.fixture
def scene(zygote: subprocess.Popen[str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(zygote, tmp_path, stack, getattr(request, "param", "current"))


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_seeded_moments_nothing_is_lost_doubled_or_torn(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    relay = scene.relay
    relay.start()
    neighbour = Neighbour(relay.url)
    neighbour.start()
    creating = threading.Thread(target=lambda: [scene.create(f"song {number}") for number in range(3)])
    creating.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.0, 0.7))  # the moment itself, drawn from the seed: not a wait for anything
        relay.kill()
        relay.start()
    creating.join()
    wait_for(scene.all_delivered, "all nine deliveries", seconds=60)
    neighbour.stop()
    relay.terminate()

    ledger = httpx.get(f"{scene.sandbox_url}/sandbox/ledger", trust_env=False).json()["data"]
    assert ledger["creates"] == 3, "a credit was spent twice"

    tasks = scene.rows("SELECT id, status, revision FROM tasks ORDER BY id")
    assert [(status, revision) for _, status, revision in tasks] == [("succeeded", 1)] * 3

    media = scene.rows("SELECT path, size, sha256 FROM media")
    assert len(media) == 3
    kept = sorted(path for path in (scene.folder / "shelf").iterdir())
    assert [path.name for path in kept] == ["song 0.mp4", "song 1.mp4", "song 2.mp4"], "a file is doubled or left over"
    sums = {hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
    assert sums == {sha256 for _, _, sha256 in media}, "a file is torn"
    stored = [path for path in (scene.folder / "data" / "media").rglob("*") if path.is_file()]
    assert len(stored) == 3

    told = {json.loads(body)["task_id"]: headers["webhook-id"] for headers, body in scene.receiver.received}
    assert set(told) == {task_id for task_id, _, _ in tasks}, "a delivery is lost"
    assert len(set(scene.receiver.ids)) == 3, "a repeat came under another id"

    written = {event for (event,) in scene.rows("SELECT event_id FROM receipts WHERE verdict = 'accepted'")}
    acknowledged = {sent["event_id"] for sent in ledger["webhooks"] if 200 <= sent["status"] < 300}
    assert len(neighbour.acknowledged) > 20
    assert acknowledged | set(neighbour.acknowledged) <= written, "an acknowledged receipt is missing"


def killed_while_the_answer_to_the_create_is_under_way(scene: Scene) -> None:
    scene.faults(slow=2.0)
    scene.relay.start()
    scene.create("song")
    wait_for(lambda: scene.creates() == 1, "the charge")
    scene.relay.kill()
    scene.faults()
    scene.relay.start()


def test_a_create_cut_by_a_kill_is_repeated_with_its_key_where_that_is_free(scene: Scene) -> None:
    killed_while_the_answer_to_the_create_is_under_way(scene)
    wait_for(lambda: scene.rows("SELECT 1 FROM deliveries WHERE step = 'tell' AND state = 'done'"), "the delivery")
    assert scene.creates() == 1
    scene.relay.terminate()


@pytest.mark.parametrize("scene", ["launch"], indirect=True)
def test_a_create_cut_by_a_kill_is_held_where_a_repeat_would_cost(scene: Scene) -> None:
    killed_while_the_answer_to_the_create_is_under_way(scene)
    wait_for(lambda: scene.rows("SELECT 1 FROM operations WHERE state = 'unconfirmed'"), "the operation to be held")
    assert scene.creates() == 1
    scene.relay.terminate()


def test_sigterm_drains(scene: Scene) -> None:
    """A stop in the middle of the work loses nothing, and leaves with status 0 and a closed journal."""
    relay = scene.relay
    relay.start()
    task_id = scene.create("song")
    wait_for(lambda: scene.rows("SELECT 1 FROM deliveries"), "the finish")
    relay.terminate()
    assert not (scene.folder / "data" / "journal.db-wal").exists(), "the journal was not closed"
    leased = scene.rows("SELECT count(*) FROM deliveries WHERE state = 'leased'")
    assert leased == [(0,)], "work under way was dropped instead of finished"
    relay.start()
    wait_for(lambda: scene.rows("SELECT 1 FROM deliveries WHERE state != 'done'") == [], "the rest")
    assert [json.loads(body)["task_id"] for _, body in scene.receiver.received] == [task_id]
    relay.terminate()
