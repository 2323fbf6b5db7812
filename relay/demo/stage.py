"""Starts the sandbox and the relay as processes of their own, as a person would in two terminals."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from .catch import Catch, free
from .songs import shipped

API_KEY = "sk_demo_key_0123456789"
WEBHOOK_SECRET = "whsec_demo_secret_of_the_local_sandbox"  # noqa: S105 (of a sandbox that ends with the demo)
START_SECONDS = 20.0


class StageError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Stage:
    """The running processes and where they are."""

    def __init__(self, data: Path, sandbox_port: int, relay_port: int) -> None:
        self.data = data
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self.relay_url = f"http://127.0.0.1:{relay_port}"
        self.auth = {"authorization": f"Bearer {API_KEY}"}
        self._processes: list[subprocess.Popen[bytes]] = []

    @classmethod
    @asynccontextmanager
    async def running(cls, data: Path, catch: Catch, say: Callable[[str], None]) -> AsyncGenerator["Stage"]:
        """Both processes, ready; they end with the block."""
        stage = cls(data, _port(8788, say, "sandbox"), _port(8787, say, "relay"))
        try:
            stage._sandbox()
            stage._relay(catch)
            await stage._ready(f"{stage.sandbox_url}/v1/workflows")
            await stage._ready(f"{stage.relay_url}/health")
            yield stage
        finally:
            stage._end()

    async def until_ended(self) -> None:
        """Wait until one of the processes ends, or for ever."""
        ended = [asyncio.create_task(asyncio.to_thread(process.wait)) for process in self._processes]
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        raise StageError("one of the servers has ended; its last lines are above")

    def _sandbox(self) -> None:
        port = self.sandbox_url.rpartition(":")[2]
        webhook = ["--webhook", f"{self.relay_url}/webhooks/beatapi", "--webhook-secret", WEBHOOK_SECRET]
        faults = ["--speed", "12", "--seed", "1", "--drop-webhooks", "0.3"]
        self._start(["sandbox", "--port", port, "--quiet", *faults, *webhook], {})

    def _relay(self, catch: Catch) -> None:
        folder = self.data / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "beatrelay.toml"
        config.write_text(f'[connections.demo-catch]\nurl = "{catch.url}"\nsecret = "env:DEMO_SECRET"\n')
        environment = {
            "BEATAPI_BASE_URL": self.sandbox_url,
            "BEATAPI_API_KEY": API_KEY,
            "BEATAPI_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BEATRELAY_DATA": str(self.data),
            "BEATRELAY_RECIPES": str(shipped("examples")),
            "BEATRELAY_ALLOW_PRIVATE": f"127.0.0.1:{catch.port}",
            "BEATRELAY_POLL_MIN_SECONDS": "2.5",
            "BEATRELAY_POLL_MAX_SECONDS": "5",
            "DEMO_SECRET": catch.secret,
        }
        self._start(["serve", "--port", self.relay_url.rpartition(":")[2], "--config", str(config)], environment)

    def _start(self, arguments: list[str], environment: dict[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BEATAPI_", "BEATRELAY_"))}
        self._processes.append(
            subprocess.Popen(  # noqa: S603 (our own program, arguments from above)
                [sys.executable, "-m", "relay.cli", *arguments],
                env={**clean, **environment},
                stdout=subprocess.DEVNULL,
            )
        )

    async def _ready(self, url: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(int(START_SECONDS / 0.1)):
                if any(process.poll() is not None for process in self._processes):
                    raise StageError("a server of the demo could not start; it says why above")
                try:
                    if (await client.get(url)).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        raise StageError(f"{url} did not answer within {START_SECONDS:g} s")

    def _end(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(port: int, say: Callable[[str], None], what: str) -> int:
    with free(port, say, what) as listener:
        return listener.getsockname()[1]
