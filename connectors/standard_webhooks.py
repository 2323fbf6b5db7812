"""Standard Webhooks 1.0.0, symmetric signatures (``v1``)."""

import base64
import binascii
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
    return " ".join("v1," + base64.b64encode(hmac.digest(key, message, "sha256")).decode() for key in keys)


def verify(keys: list[bytes], id: str, timestamp: int, body: bytes, signature: str) -> bool:
    """Whether one of the entries of a ``webhook-signature`` header was made with one of the keys."""
    wanted = [one.encode() for one in sign(keys, id, timestamp, body).split(" ")]
    given = [one.encode("utf-8", "replace") for one in signature.split(" ")][:20]
    return sum(hmac.compare_digest(one, other) for one in wanted for other in given) > 0  # as long as if none did
