"""A whole line on real sockets: a sandbox, a relay and a receiver, each serving in a thread of its own."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from relay.app import create_app
from relay.recipe import RecipeSet, parse
from relay.relay import Relay
from relay.sandbox.app import create_app as create_sandbox
from relay.sandbox.settings import SandboxSettings
from relay.settings import Settings
from tests.browser_pages import Browser
from tests.servers import free_port, running

KEY, SECRET = "sk_integration_key", "whsec_integration_secret"
HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
REQUEST = {
    "audio_url": "https://media.example.com/song.mp3",
    "images": ["https://media.example.com/cover.png"],
    "prompt": "Neon rooftop",
    "aspect_ratio": "1:1",
}
RECIPE = """\
name: Keep and tell
on: task.succeeded
steps:
  keep:
    use: folder
    connection: shelf
    with: { path: "{{ row.title | default(task.id) | filename }}.mp4" }
  tell:
    use: http
    connection: hook
    after: keep
    with: { body: { id: "{{ event.id }}", task_id: "{{ task.id }}", file: "{{ steps.keep.url }}" } }
"""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Look until ``condition`` gives something true; fail with ``what`` if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for: {what}")


class Receiver:
    """Somebody's webhook: remembers what came, answers what it is told to."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.retry_after = 0
        """Seconds that it wishes to be left alone after a refusal, if any."""
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        with self._lock:
            self.received.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
            status = self.answers.pop(0) if self.answers else 204
        headers = [(b"retry-after", str(self.retry_after).encode())] if self.retry_after else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    @property
    def ids(self) -> list[str]:
        """The ``webhook-id`` of each delivery, in order."""
        return [headers["webhook-id"] for headers, _ in self.received]


class Line:
    """A running line and the questions tests ask it."""

    def __init__(self, url: str, sandbox_url: str, relay: Relay, receiver: Receiver, data: Path) -> None:
        self.url, self.sandbox_url, self.relay, self.receiver, self.data = url, sandbox_url, relay, receiver, data
        self.client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False, timeout=20
        )

    def create(self, *, row: dict[str, str] | None = None, **headers: str) -> str:
        """Ask for a video; gives the relay's id of the task."""
        if row is not None:
            headers["x-beatrelay-row"] = json.dumps(row)
        answer = self.client.post("/v1/music-video/tasks", json=REQUEST, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["id"]

    def task(self, task_id: str) -> dict[str, Any]:
        return self.client.get(f"/v1/tasks/{task_id}").json()["data"]

    def story(self, task_id: str) -> dict[str, Any]:
        return self.client.get(f"/relay/v1/tasks/{task_id}").json()

    def kinds(self, task_id: str) -> list[str]:
        return [moment["kind"] for moment in self.story(task_id)["moments"]]

    def moments(self, task_id: str, kind: str) -> list[dict[str, Any]]:
        return [moment["data"] for moment in self.story(task_id)["moments"] if moment["kind"] == kind]

    def until(self, task_id: str, kind: str, count: int = 1, seconds: float = 20.0) -> list[dict[str, Any]]:
        """Wait for ``count`` moments of a kind in the task's story."""

        def there() -> list[dict[str, Any]] | None:
            found = self.moments(task_id, kind)
            return found if len(found) >= count else None

        try:
            return wait_for(there, f"{count} x {kind}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is {self.kinds(task_id)}") from None

    def delivered(self, task_id: str) -> list[dict[str, Any]]:
        """Wait until the archive and both steps of the recipe are done."""
        return self.until(task_id, "delivery.done", 3)

    def faults(self, **faults: Any) -> None:
        """Change the sandbox's faults while it runs."""
        httpx.post(f"{self.sandbox_url}/sandbox/faults", json=faults, trust_env=False).raise_for_status()

    def ledger(self) -> dict[str, Any]:
        return httpx.get(f"{self.sandbox_url}/sandbox/ledger", trust_env=False).json()["data"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    """Start a line. ``sandbox``: settings of the sandbox; the rest: settings of the relay."""
    with ExitStack() as stack:

        def starting(
            recipe: str = RECIPE, sandbox: dict[str, Any] | None = None, hears: bool = True, **settings: Any
        ) -> Line:
            port, sandbox_port = free_port(), free_port()
            url, sandbox_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
            options: dict[str, Any] = {"speed": 60.0, "poll_limit": 100_000, **(sandbox or {})}
            if hears:
                options |= {"webhook_url": f"{url}/webhooks/beatapi", "webhook_secret": SECRET}
            stack.enter_context(running(create_sandbox(SandboxSettings(url=sandbox_url, **options)), port=sandbox_port))
            receiver = Receiver()
            hook = stack.enter_context(running(receiver))
            known = {
                "beatapi_base_url": sandbox_url,
                "beatapi_api_key": KEY,
                "beatapi_webhook_secret": [SECRET],
                "port": port,
                "data": tmp_path / "data",
                "allow_private": [hook.removeprefix("http://")],
                "poll_min_seconds": 0.2,
                "poll_max_seconds": 0.4,
                "polls_per_minute": 100_000,
                "connections": {
                    "shelf": {"root": str(tmp_path / "shelf")},
                    "hook": {"url": f"{hook}/caught", "secret": HOOK_SECRET},
                },
            }
            recipes = RecipeSet([parse(recipe, "recipe.yaml")] if recipe else [])
            relay = Relay(Settings(**{**known, **settings}), recipes)
            stack.enter_context(running(create_app(relay), port=port))
            line = Line(url, sandbox_url, relay, receiver, tmp_path)
            stack.callback(line.client.close)
            return line

        yield starting


@pytest.fixture
def browsers() -> Iterator[Callable[[Line], Browser]]:
    """Browsers that end with the test."""
    with ExitStack() as stack:
        yield lambda line: stack.enter_context(Browser(line.url))
