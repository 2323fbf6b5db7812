"""Whether a request comes from Slack: ``v0`` signatures, looked at before anything is read."""

import hashlib
import hmac

TOLERANCE = 300
"""Seconds that a request may be old, or ahead."""


def genuine(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether ``signature`` (``X-Slack-Signature``) fits the raw ``body`` and ``timestamp``
    (``X-Slack-Request-Timestamp``), and the timestamp fits ``now``. ``secret`` is the app's signing secret."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        return False
    if not secret or abs(now - int(timestamp)) > TOLERANCE:
        return False
    expected = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={expected}".encode(), signature.encode("utf-8", "replace"))
