"""A relay as its command serves it: what it prints as JSON, and whose word about a client it takes."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import wait_for
from tests.integration.test_crashes import Scene, zygote

__all__ = ["zygote"]  # a fixture

Serve = Callable[..., Any]


@pytest.fixture
def serve(zygote: subprocess.Popen[str], tmp_path: Path) -> Iterator[Serve]:
    """Serve with these settings; gives the scene once it answers."""
    with ExitStack() as stack:

        @contextmanager
        def serving(**settings: Any) -> Iterator[Scene]:
            scene = Scene(zygote, tmp_path, stack, "current", **settings)
            scene.relay.start()
            try:
                wait_for(lambda: answers(scene), "the start")
                yield scene
            finally:
                scene.relay.terminate()

        yield serving


def answers(scene: Scene) -> bool:
    try:
        return httpx.get(f"{scene.relay.url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_every_line_is_one_json_object(serve: Serve) -> None:
    with serve(log_format="json", recipes="nowhere") as scene:
        with socket.create_connection(("127.0.0.1", scene.relay.settings["port"])) as rude:
            rude.sendall(b"this is no HTTP\r\n\r\n")
            while rude.recv(1000):
                pass
        wait_for(lambda: "Invalid HTTP" in (scene.folder / "relay.log").read_text(), "a word of the server's own")
    lines = [json.loads(line) for line in (scene.folder / "relay.log").read_text().splitlines()]
    assert {"at", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    messages = [line["message"] for line in lines]
    assert any("there are no recipes" in message for message in messages)
    assert any("/sign-in/" in message for message in messages), "the first link is in the greeting"


def guess(scene: Scene, name: str, forwarded: str) -> str:
    headers = {"sec-fetch-site": "same-origin", "x-forwarded-for": forwarded}
    form = {"name": name, "password": "a guess of mine"}
    return httpx.post(f"{scene.relay.url}/sign-in", data=form, headers=headers, trust_env=False).text


@pytest.mark.parametrize(("trusted", "locked"), [([], True), (["10.0.0.0/8"], True), (["127.0.0.0/8"], False)])
def test_who_guesses_is_believed_of_a_trusted_proxy_only(serve: Serve, trusted: list[str], locked: bool) -> None:
    with serve(trusted_proxies=trusted) as scene:
        for number in range(5):
            assert "password is wrong" in guess(scene, f"Ada{number}", "198.51.100.9, 203.0.113.1")
        assert ("Too many wrong tries" in guess(scene, "Bo", "203.0.113.1")) is True
        assert ("Too many wrong tries" in guess(scene, "Cy", "203.0.113.2")) is locked
