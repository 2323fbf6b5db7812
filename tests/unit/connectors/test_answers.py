"""How a destination's answer is read."""

from decimal import Decimal

import httpx
import pytest

from connectors.answers import ANSWER_LIMIT, answer_json, read_answer, retry_after, unreachable
from connectors.base import Reject, Retry

pytestmark = pytest.mark.anyio


async def test_of_a_long_answer_only_the_start_is_kept() -> None:
    text, more = await read_answer(httpx.Response(200, content=b"x" * (ANSWER_LIMIT + 1)))
    assert (len(text), more) == (ANSWER_LIMIT, True)
    assert await read_answer(httpx.Response(200, content=b"\xff ok")) == ("� ok", False)


def test_numbers_stay_exact_and_nonsense_is_nothing() -> None:
    assert answer_json('{"price": 0.1}') == {"price": Decimal("0.1")}
    assert answer_json("<html>") is None
    assert answer_json("[" * 100_000) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Sun, 99 Nov 1994", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"retry-after": value}), at=784111740.0) == seconds


def test_a_url_that_cannot_be_one_is_final() -> None:
    assert isinstance(unreachable(httpx.UnsupportedProtocol("ftp")), Reject)
    assert isinstance(unreachable(httpx.ConnectTimeout("")), Retry)
    assert "ConnectTimeout" in str(unreachable(httpx.ConnectTimeout("")))
