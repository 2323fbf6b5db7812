"""The disk under a running relay takes nothing more, and later does again: said, waited for, nothing lost or doubled.

``RLIMIT_FSIZE`` set on the relay's process makes its writes fail for real, on any file system and without being root.
"""

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import KEY, REQUEST, wait_for
from tests.integration.test_crashes import Scene, signed, zygote

__all__ = ["zygote"]  # a fixture

EVENT = json.dumps({"id": "evt_x", "event": "task.failed", "data": {"id": "nobodys", "status": "failed"}}).encode()


@pytest.fixture
def scene(zygote: subprocess.Popen[str], tmp_path: Path) -> Iterator[Scene]:
    """A provider that would charge for a repeat."""
    with ExitStack() as stack:
        yield Scene(zygote, tmp_path, stack, "launch")


def limit(scene: Scene, size: int | None) -> None:
    """No file of the relay may grow beyond ``size`` bytes; ``None``: all may again."""
    hard = resource.prlimit(scene.relay.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(scene.relay.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def ready(scene: Scene) -> dict[str, Any]:
    try:
        return httpx.get(f"{scene.relay.url}/ready", trust_env=False).json()
    except httpx.TransportError:
        return {"ready": False, "problems": []}


def post(scene: Scene, path: str, **more: Any) -> httpx.Response:
    return httpx.post(f"{scene.relay.url}{path}", trust_env=False, timeout=20, **more)


def test_a_full_disk_is_said_waited_for_and_costs_nothing(scene: Scene) -> None:
    scene.relay.start()
    wait_for(lambda: ready(scene)["ready"], "the start")
    scene.create("before")
    wait_for(lambda: scene.creates() == 1, "the first charge")
    scene.faults(slow=1.0)
    scene.create("between")  # charged for while there is room; its answer comes when there is none
    wait_for(lambda: scene.creates() == 2, "the second charge")

    limit(scene, (scene.folder / "data" / "journal.db-wal").stat().st_size)
    headers = {"authorization": f"Bearer {KEY}"}
    refused = wait_for(
        lambda: next(
            (one for one in [post(scene, "/v1/music-video/tasks", json=REQUEST, headers=headers)] if one.is_error), None
        ),
        "a refusal",
    )
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    error = refused.json()["error"]
    assert (error["code"], error["retryable"]) == ("processing_unavailable", True)
    assert "The journal cannot be written" in error["message"]
    assert "the disk" in error["message"]
    told = ready(scene)
    assert not told["ready"]
    assert told["problems"][0].startswith("the journal cannot be written")
    hint = post(scene, "/webhooks/beatapi", content=EVENT, headers=signed(EVENT))
    assert (hint.status_code, hint.headers["retry-after"]) == (503, "10")
    page = httpx.get(f"{scene.relay.url}/metrics", trust_env=False).text
    assert "beatrelay_journal_failing 1.0" in page

    scene.faults()
    limit(scene, None)
    wait_for(lambda: ready(scene)["ready"], "work that moves again, by itself")
    asked = len(scene.rows("SELECT 1 FROM tasks"))
    assert post(scene, "/webhooks/beatapi", content=EVENT, headers=signed(EVENT)).is_success
    done = "SELECT count(*) FROM deliveries WHERE state = 'done'"
    wait_for(lambda: scene.rows(done) == [(3 * asked,)], "every delivery")
    scene.relay.terminate()
    assert scene.creates() == asked, "what was refused was asked for, or a credit was spent twice"
    assert scene.rows("SELECT DISTINCT state FROM operations") == [("accepted",)]
    log = (scene.folder / "relay.log").read_text()
    assert log.count("the journal cannot be written") == 1, log
    assert log.count("the journal can be written again") == 1, log
    assert "Traceback" not in log
