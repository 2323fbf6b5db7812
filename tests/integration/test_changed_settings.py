"""A connection is mended in beatrelay.toml: what waited for hours is tried at the next start, and nothing else is."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.conftest import wait_for
from tests.integration.test_crashes import Scene, zygote

__all__ = ["zygote"]  # a fixture
TELL = """\
name: Tell
on: task.succeeded
steps:
  tell: { use: http, connection: hook, with: { body: { id: "{{ event.id }}" } } }
"""
WAITS = "SELECT due_at FROM deliveries WHERE recipe = 'Tell' AND state = 'due' AND failures = 1"
DONE = "SELECT 1 FROM deliveries WHERE recipe = 'Tell' AND state = 'done'"


@pytest.fixture
def scene(zygote: subprocess.Popen[str], tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(zygote, tmp_path, stack, "current", recipe=TELL)


def test_what_waits_is_tried_at_the_start_after_its_connection_changed(scene: Scene) -> None:
    scene.receiver.answers, scene.receiver.retry_after = [429], 4 * 3600
    scene.relay.start()
    scene.create("song")
    wait_for(lambda: scene.rows(WAITS), "a try that fails, and is to be repeated in hours", seconds=60)
    scene.relay.terminate()
    due = scene.rows(WAITS)
    scene.relay.settings["connections"]["shelf"]["root"] += "/elsewhere"
    scene.relay.start()
    scene.create("another song, by which the relay is seen to serve")
    scene.relay.terminate()
    assert scene.rows(WAITS) == due, "the change of another connection is none of this one's business"
    scene.receiver.retry_after = 0
    scene.relay.settings["connections"]["hook"]["token"] = "the right one"
    scene.relay.start()
    wait_for(lambda: scene.rows(DONE), "the delivery", seconds=60)
    assert scene.receiver.received[-1][0]["authorization"] == "Bearer the right one"
    scene.relay.terminate()
