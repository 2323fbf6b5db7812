"""What every test may use, and what holds for all of them."""

import signal

import pytest


def pytest_configure() -> None:
    """Ctrl-C works in the commands that tests start, even where a shell started pytest as its background job.

    Such a shell has SIGINT ignored, and what is ignored stays so through every `exec`; a handler does not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A case with bytes that are no line of text is named after its argument.

    What those bytes hold may differ from one collection to the next (the time in a gzip header), and workers that
    run tests side by side must agree on every name.
    """
    if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()):
        return argname
    return None


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the product does."""
    return "asyncio"
