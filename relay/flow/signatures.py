"""Requests that are signed instead of carrying a key (Standard Webhooks), each by the secret of its trigger."""

from collections.abc import Mapping, Sequence

from connectors.standard_webhooks import decode_secret, verify
from relay.clock import Clock

from .keys import Caller

TOLERANCE = 300.0
"""Seconds that a signature counts, before and after its timestamp."""


class BadSignature(Exception):
    """It is not signed as it must be; the message says what is wrong, never with what it would be right."""


class Signatures:
    """Knows the secrets of triggers: several each, during a rotation."""

    def __init__(self, clock: Clock, secrets: Mapping[str, Sequence[str]]) -> None:
        self._clock = clock
        self._keys = {name: [decode_secret(one) for one in some] for name, some in secrets.items()}

    def caller(self, trigger: str, headers: Mapping[str, str], body: bytes) -> Caller:
        """Who sent ``body`` to a trigger: the trigger itself, which may do no more than submit. Raises
        :class:`BadSignature`."""
        keys = self._keys.get(trigger)
        if not keys:
            raise BadSignature("this trigger has no secret (BEATRELAY_TRIGGER_SECRETS), so it takes no signature")
        given = {name: headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")}
        if not (given["id"] and given["timestamp"].isascii() and given["timestamp"].isdigit()):
            raise BadSignature("webhook-id or webhook-timestamp (Unix seconds) is missing")
        at = int(given["timestamp"][:15])
        if not verify(keys, given["id"], at, body, given["signature"]):
            raise BadSignature("webhook-signature does not fit the body and this trigger's secret")
        if abs(self._clock.wall() - at) > TOLERANCE:
            raise BadSignature(f"webhook-timestamp is more than {TOLERANCE:.0f} s from now; check the sender's clock")
        return Caller(f"trigger:{trigger}", frozenset({"submit"}), minted=True, name=f"trigger {trigger}")
