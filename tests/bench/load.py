"""A load of prepared requests over keep-alive connections, cheap enough to share a machine with the server."""

import selectors
import socket
import time
from typing import NamedTuple


class Measured(NamedTuple):
    """What a run came to: requests a second, the 99th percentile in milliseconds, answers by status."""

    per_second: float
    p99_ms: float
    statuses: dict[int, int]


class _Connection:
    __slots__ = ("at", "buffer", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.at = 0.0


def drive(port: int, requests: list[bytes], connections: int = 64) -> Measured:
    """Send ``requests``, each connection one at a time, and wait for every answer."""
    selector = selectors.DefaultSelector()
    waiting = iter(requests)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    opened = [_Connection(port) for _ in range(min(connections, len(requests)))]
    started = time.perf_counter()
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        _send(connection, next(waiting))
    open_count = len(opened)
    while open_count:
        for key, _ in selector.select(timeout=30):
            connection: _Connection = key.data
            connection.buffer += connection.socket.recv(65536)
            if not _complete(connection.buffer):
                continue
            latencies.append(time.perf_counter() - connection.at)
            status = int(connection.buffer[9:12])
            statuses[status] = statuses.get(status, 0) + 1
            connection.buffer = b""
            following = next(waiting, None)
            if following is None:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_count -= 1
            else:
                _send(connection, following)
    seconds = time.perf_counter() - started
    latencies.sort()
    return Measured(len(requests) / seconds, latencies[int(len(latencies) * 0.99)] * 1000, statuses)


def _send(connection: _Connection, request: bytes) -> None:
    connection.at = time.perf_counter()
    connection.socket.sendall(request)


def _complete(buffer: bytes) -> bool:
    if not buffer:
        raise ConnectionError("the server closed the connection")
    head, mark, body = buffer.partition(b"\r\n\r\n")
    if not mark:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)
