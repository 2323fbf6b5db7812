"""The relay is told to stop while a video goes up: it ends in its time, and the video lands whole and once."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.s3.settings import read_connection
from connectors.s3.storage import Learnt, Storage
from tests.destinations import Destinations, destinations
from tests.integration.conftest import KEY, Receiver, wait_for
from tests.integration.test_crashes import Scene, zygote
from tests.proxies import CuttingProxy, cutting
from tests.servers import running

__all__ = ["zygote"]  # a fixture

WAYS = {
    "http": ("hook", "url", "{ file: video }"),
    "s3": ("media-bucket", "endpoint", '{ key: "{{ task.id }}.mp4" }'),
    "google_drive": ("my-drive", "api_url", '{ name: "{{ task.id }}.mp4" }'),
}
"""Of each connector: the connection, where its address stands in it, and what a step says."""
RECIPE = """\
name: Up
on: task.succeeded
steps:
  up: {{ use: {use}, connection: {connection}, with: {with_}, timeout: 60 }}
"""
HELD_AT = 20_000
"""Bytes upward: in the middle of the video."""


class Upload:
    """One video on its way up, held still half way by a proxy."""

    def __init__(self, scene: Scene, proxy: CuttingProxy, landed: Callable[[], list[bytes]]) -> None:
        self.scene, self.proxy, self._landed = scene, proxy, landed

    def stop(self) -> None:
        os.kill(self.scene.relay.pid, signal.SIGTERM)

    def ended(self) -> bool:
        return self.scene.relay._gone()

    def rows(self) -> list[tuple[Any, ...]]:
        return self.scene.rows("SELECT state, failures FROM deliveries WHERE step = 'up'")

    def landed_once_and_whole(self) -> bool:
        (video,) = (self.scene.folder / "data" / "media").rglob("*.mp4")
        (landed,) = self._landed()
        return video.read_bytes() in landed


UNFINISHED = (
    b"POST /v1/files HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer " + KEY.encode() + b"\r\n"
    b"content-type: audio/mpeg\r\ncontent-length: 1000\r\n\r\nhalf a song"
)
Begin = Callable[[float], AbstractContextManager[Upload]]


def bucket(there: Destinations) -> list[bytes]:
    """Every object, read as anybody would by its link."""

    async def read() -> list[bytes]:
        async with httpx.AsyncClient(trust_env=False) as client:
            storage = Storage(read_connection(there.connections["media-bucket"]), client, time.time, Learnt())
            return [(await client.get(storage.link(key, 60))).content for key in await there.keys()]

    return asyncio.run(read())


@pytest.fixture(params=WAYS)
def upload(request: pytest.FixtureRequest, zygote: subprocess.Popen[str], tmp_path: Path) -> Begin:
    """Gives a way to begin an upload, with so many seconds to drain."""
    use = request.param
    name, address, with_ = WAYS[use]

    @contextmanager
    def begun(drain_seconds: float) -> Iterator[Upload]:
        with ExitStack() as stack:
            receiver = Receiver()
            (tmp_path / "there").mkdir()
            there = stack.enter_context(destinations(tmp_path / "there", {use} - {"http"}))
            asyncio.run(there.make_bucket())
            there.connections["hook"] = {"url": stack.enter_context(running(receiver)) + "/caught"}
            landed: dict[str, Callable[[], list[bytes]]] = {
                "http": lambda: [body for _, body in receiver.received],
                "s3": lambda: bucket(there),
                "google_drive": lambda: [bytes(content) for content in there.drive.contents.values()],
            }
            behind = urlsplit(there.connections[name][address])
            assert behind.port is not None
            proxy = stack.enter_context(cutting(behind.port))
            connection = {**there.connections[name], address: proxy.url + behind.path}
            more: dict[str, Any] = {"connections": {name: connection}, "allow_private": ["127.0.0.1"]}
            recipe = RECIPE.format(use=use, connection=name, with_=with_)
            scene = Scene(zygote, tmp_path, stack, "current", recipe, drain_seconds=drain_seconds, **more)
            proxy.hold_after = HELD_AT
            scene.relay.start()
            scene.create("song")
            assert proxy.held.wait(30), "nothing goes up"
            try:
                yield Upload(scene, proxy, landed[use])
            finally:
                proxy.go.set()

    return begun


def test_what_can_end_in_time_does_and_is_not_sent_again(upload: Begin) -> None:
    with upload(30.0) as up:
        up.stop()
        up.proxy.go.set()
        wait_for(up.ended, "a clean end")
        assert up.rows() == [("done", 0)]
        assert up.landed_once_and_whole()


def test_what_cannot_is_broken_off_and_lands_once_after_the_next_start(upload: Begin) -> None:
    with upload(2.0) as up, socket.create_connection(("127.0.0.1", up.scene.relay.settings["port"])) as dawdler:
        dawdler.sendall(UNFINISHED)
        began = time.monotonic()
        up.stop()
        wait_for(up.ended, "the end")
        assert time.monotonic() - began < 4.0, "requests and deliveries have one limit, not one after the other"
        assert not (up.scene.folder / "data" / "journal.db-wal").exists(), "the journal was not closed"
        assert up.rows() == [("leased", 0)], "a stop is nobody's failure"
        up.proxy.drop = True  # even of what had left the relay already
        up.proxy.go.set()
        up.scene.relay.start()
        wait_for(lambda: up.rows() == [("done", 0)], "the upload")
        up.scene.relay.terminate()
        assert up.landed_once_and_whole()
        assert "it will be due again" not in (up.scene.folder / "relay.log").read_text(), "nothing of it failed"
