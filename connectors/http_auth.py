"""Who the relay is at an ``http`` destination, and how a receiver knows that a request is the relay's."""

import base64
import hmac
from typing import Annotated

from .base import SECRET, ConnectionSettings, Reject
from .standard_webhooks import decode_secret, sign

_HASHES = ("sha256", "sha512", "sha1")


class HttpConnection(ConnectionSettings):
    """What an ``http`` connection holds. Any of the ways to authenticate can be left out, and some go together."""

    url: Annotated[str, SECRET] = ""
    """Where to, if the step does not say. Whoever knows such a URL can post to it, so it is a secret."""
    token: Annotated[str, SECRET] = ""
    """``Authorization: Bearer …``."""
    user: str = ""
    """``Authorization: Basic …``, with ``password``."""
    password: Annotated[str, SECRET] = ""
    header: str = ""
    """The name of a header such as ``x-make-apikey``, with ``value``."""
    value: Annotated[str, SECRET] = ""
    secret: Annotated[str, SECRET] = ""
    """``whsec_…``: signs by Standard Webhooks; several during a rotation, the new one first."""
    hmac_secret: Annotated[str, SECRET] = ""
    """Signs with an HMAC of one's own form."""
    hmac_header: str = "x-signature"
    hmac_format: str = "sha256={hex}"
    """What the header holds: ``{hex}`` or ``{base64}``, and ``{timestamp}`` if the receiver wants it."""
    hmac_over: str = "{body}"
    """What is signed: ``{body}``, and ``{timestamp}`` and ``{id}`` if the receiver wants them."""
    hmac_hash: str = "sha256"
    """sha256, sha512 or sha1."""


def credentials(connection: HttpConnection) -> dict[str, str]:
    """The headers that say who we are. Raises :class:`Reject` for settings that contradict each other."""
    if connection.token and connection.user:
        raise Reject("the connection has a `token` and a `user`; both are sent as `authorization`: remove one")
    if bool(connection.header) != bool(connection.value):
        raise Reject("the connection's `header` and `value` go together; one of them is missing")
    headers: dict[str, str] = {}
    if connection.token:
        headers["authorization"] = f"Bearer {connection.token}"
    if connection.user:
        pair = f"{connection.user}:{connection.password}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if connection.header:
        headers[connection.header.lower()] = connection.value
    return headers


def is_signed(connection: HttpConnection) -> bool:
    """Whether a signature over the body is asked for."""
    return bool(connection.secret or connection.hmac_secret)


def signatures(connection: HttpConnection, key: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that sign ``body``. Raises :class:`Reject`, without the secret, if they cannot be made."""
    headers: dict[str, str] = {}
    secrets = connection.secret.replace(",", " ").split()
    if secrets:
        try:
            headers["webhook-signature"] = sign([decode_secret(secret) for secret in secrets], key, at, body)
        except ValueError as error:
            raise Reject(f"the connection's `secret` cannot be used: {error}") from error
    if connection.hmac_secret:
        headers[connection.hmac_header.lower()] = _hmac(connection, key, at, body)
    return headers


def _hmac(connection: HttpConnection, key: str, at: int, body: bytes) -> str:
    if connection.hmac_hash not in _HASHES:
        raise Reject(f"the connection's `hmac_hash` is {connection.hmac_hash!r}; it must be {', '.join(_HASHES)}")
    if "{body}" not in connection.hmac_over:
        raise Reject(f"the connection's `hmac_over` is {connection.hmac_over!r}; it must have {{body}} in it")
    if "{hex}" not in connection.hmac_format and "{base64}" not in connection.hmac_format:
        raise Reject(
            f"the connection's `hmac_format` is {connection.hmac_format!r}; it must have {{hex}} or {{base64}}"
        )
    before, _, after = _filled(connection.hmac_over, key, at).partition("{body}")
    digest = hmac.digest(connection.hmac_secret.encode(), before.encode() + body + after.encode(), connection.hmac_hash)
    form = _filled(connection.hmac_format, key, at)
    return form.replace("{hex}", digest.hex()).replace("{base64}", base64.b64encode(digest).decode())


def _filled(form: str, key: str, at: int) -> str:
    return form.replace("{timestamp}", str(at)).replace("{id}", key)
