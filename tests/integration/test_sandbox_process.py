"""`beatrelay sandbox` as a process of its own: one line, real answers, and a prompt end."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.integration.conftest import REQUEST

KEY = {"authorization": "Bearer sk_sandbox_key"}


@contextmanager
def sandbox(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox, and the address it prints."""
    command = [sys.executable, "-m", "relay.cli", "sandbox", "--port", "0", "--quiet", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield process, line.removeprefix("sandbox: ").rstrip("\n")
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_what_it_says_and_ends_promptly_in_the_middle_of_things(how: signal.Signals) -> None:
    with sandbox("--slow", "30") as (process, url), httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/sandbox/ledger", timeout=20).status_code == 200
        with pytest.raises(httpx.ReadTimeout):  # its answer is still being held back when the end comes
            client.post("/v1/music-video/tasks", json=REQUEST, headers=KEY, timeout=0.5)
        assert client.get("/sandbox/ledger").json()["data"]["creates"] == 1
        before = time.monotonic()
        process.send_signal(how)
        process.wait(timeout=10)
        assert time.monotonic() - before < 5
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_port_in_use_ends_it_with_status_1_and_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "relay.cli", "sandbox", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "--port 0" in ended.stderr
    assert "Traceback" not in ended.stderr
