"""Slack's signatures, held against Slack's own verifier."""

import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from connectors.slack.signature import TOLERANCE, genuine

NOW = 1_800_000_000
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODIES = (b"payload=%7B%22type%22%3A%22block_actions%22%7D", b"", "payload=é".encode(), b"\n" * 1000)


class Standing(Clock):
    def now(self) -> float:
        return NOW


def signed(body: bytes, at: int = NOW, secret: str = SECRET) -> str:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
    assert signature is not None
    return signature


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("at", [NOW, NOW - TOLERANCE, NOW + TOLERANCE, NOW - TOLERANCE - 1, NOW + TOLERANCE + 1])
def test_it_agrees_with_slacks_own_verifier(body: bytes, at: int) -> None:
    theirs = SignatureVerifier(SECRET, clock=Standing())
    for signature in (signed(body, at), signed(body, at, "another"), signed(body + b" ", at), "v0=", ""):
        expected = theirs.is_valid(body=body, timestamp=str(at), signature=signature)
        assert genuine(SECRET, str(at), signature, body, NOW) is expected


def test_the_vector_of_slacks_documentation() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert genuine(SECRET, "1531420618", signature, body, 1531420618)
    assert not genuine(SECRET, "1531420619", signature, body, 1531420619)


@pytest.mark.parametrize("timestamp", ["", "now", "-1800000000", "1800000000.0", "٣", " 1800000000", "1" * 400])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    assert not genuine(SECRET, timestamp, signed(b""), b"", NOW)


def test_without_a_secret_nothing_is_genuine() -> None:
    assert not genuine("", str(NOW), signed(b"", secret="x"), b"", NOW)
    assert not genuine(SECRET, str(NOW), "é", b"", NOW)
