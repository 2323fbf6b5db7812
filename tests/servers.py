"""Any ASGI application on a real socket, for as long as a test needs it."""

import atexit
import random
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

_reserved: deque[socket.socket] = deque()
RESERVED_MOST = 64
"""Ports that one process keeps from others: far more than it uses at once."""


def free_port() -> int:
    """A port that is free now, that the system gives to no client's connection before it is taken, and that no other
    process with tests takes meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            _reserve(port)
            probe.bind(("127.0.0.1", port))
            return port


def _reserve(port: int) -> None:
    """Raises :class:`OSError` if another process has it. Where there are no abstract sockets, chance has to do."""
    if sys.platform != "linux":
        return
    sign = socket.socket(socket.AF_UNIX)
    try:
        sign.bind(f"\0beatrelay test port {port}")
    except OSError:
        sign.close()
        raise
    _reserved.append(sign)
    if len(_reserved) > RESERVED_MOST:
        _reserved.popleft().close()


@atexit.register
def _give_back() -> None:
    for sign in _reserved:
        sign.close()


@contextmanager
def running(app: Any, *, port: int = 0) -> Iterator[str]:
    """Serve ``app`` with uvicorn in a thread; gives its base URL once it answers."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not server.ready.wait(20):
            raise RuntimeError("the server did not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


class _Server(uvicorn.Server):
    """A server that says when it has started; a thread has no signals to handle."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
