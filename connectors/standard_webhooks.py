"""Standard Webhooks 1.0.0, symmetric signatures (``v1``)."""

import base64
import binascii
import hashlib
import hmac


def decode_secret(secret: str) -> bytes:
    """The key in a ``whsec_…`` secret: 24 to 64 bytes of standard base64.

    Raises :class:`ValueError`, without the secret, if it is anything else.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing secret must be whsec_ followed by standard base64") from None
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("a signing secret must be whsec_ followed by base64 of 24 to 64 bytes")
    return key


def sign(keys: list[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: one entry per key, the current key first."""
    message = f"{id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode() for key in keys)
