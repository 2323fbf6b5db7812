"""A TCP proxy that cuts connections where a test says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class CuttingProxy:
    """Passes bytes on to ``port`` on this machine, and counts what goes up.

    ``cut_after`` bytes upward, every connection is cut, once; ``swallow`` N answers: what the server says to so many
    requests with a body is dropped together with the connection.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent = 0
        self.cut_after: int | None = None
        self.swallow: bytes | None = None
        """Cut when an answer to a request that starts with this comes, without passing it on; once."""
        self.hold_after: int | None = None
        """So many bytes upward, everything stands still until :attr:`go`, once; then :attr:`held` is set."""
        self.drop = False
        """Whether what was held goes nowhere afterwards."""
        self.held, self.go = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                doomed = threading.Event()
                for way in (self._up, self._down):
                    threading.Thread(target=way, args=(client, server, doomed), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _up(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                if self.swallow is not None and data.startswith(self.swallow):
                    self.swallow = None
                    doomed.set()
                self.sent += len(data)
                if self.cut_after is not None and self.sent >= self.cut_after:
                    self.cut_after = None
                    break
                if self.hold_after is not None and self.sent >= self.hold_after:
                    self.hold_after = None
                    self.held.set()
                    self.go.wait(60)
                    if self.drop:
                        break
                server.sendall(data)
        _end(client, server)

    def _down(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if doomed.is_set() and not data.startswith(b"HTTP/1.1 100"):
                    break
                client.sendall(data)
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def cutting(port: int) -> Iterator[CuttingProxy]:
    """A proxy before ``port`` for as long as a test needs it."""
    proxy = CuttingProxy(port)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
