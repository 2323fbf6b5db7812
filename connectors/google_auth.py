"""Access to Google's APIs: a service account (its key signs a JWT) or a person's consent (a refresh token)."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, cast

import httpx
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .answers import answer_json, read_answer, retry_after, unreachable
from .base import SECRET, ConnectionSettings, Reject, Retry

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
LIFETIME = 3600
"""Seconds that a signed claim may hold; Google allows no more."""
EARLY = 120.0
"""Seconds before its end at which a token is renewed."""
ACCOUNTS = 256
"""Accounts remembered at most; the one unused longest goes first."""
RECONNECT = (
    "connect the account again and store the new refresh_token. An OAuth app whose publishing status is Testing loses"
    " its refresh tokens after 7 days: set it to In production first"
)


class GoogleConnection(ConnectionSettings, kw_only=True):
    """A service account's key, or an OAuth client with a refresh token: one of the two."""

    service_account: Annotated[str, SECRET] = ""
    """The JSON key file of a service account, as text."""
    subject: str = ""
    """A person whom the service account acts as (domain-wide delegation)."""
    scope: str = ""
    """What the service account asks for, if not all that the connector needs."""
    client_id: str = ""
    client_secret: Annotated[str, SECRET] = ""
    refresh_token: Annotated[str, SECRET] = ""
    api_url: str = ""
    """Another place than Google's, for tests."""
    token_url: str = ""
    """Another place than Google's, for tests."""


@dataclass
class Account:
    """One set of credentials and the token that it has now. Kept in memory only."""

    id: str
    """The same for the same credentials; tells nothing of them."""
    settings: GoogleConnection
    scope: str
    now: Callable[[], float]
    folders: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a folder is looked for and made: one at a time per account."""
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _token: str = ""
    _until: float = 0.0

    @property
    def is_service_account(self) -> bool:
        """It acts as itself: it can own no files."""
        return bool(self.settings.service_account) and not self.settings.subject

    @property
    def who(self) -> str:
        """For people, if it is known without asking."""
        if self.settings.subject or not self.settings.service_account:
            return self.settings.subject
        return str(_key(self.settings.service_account).get("client_email", ""))

    async def token(self, http: httpx.AsyncClient, *, refused: str | None = None) -> str:
        """An access token; a new one if the one it has is old, or is the one that was just ``refused``.

        Raises :class:`Reject` for credentials that need a person, :class:`Retry` for a bad moment.
        """
        async with self._renewing:
            if not self._token or self._token == refused or self.now() >= self._until - EARLY:
                self._token, lasts = await self._fetch(http)
                self._until = self.now() + lasts
            return self._token

    async def _fetch(self, http: httpx.AsyncClient) -> tuple[str, float]:
        url = self.settings.token_url or TOKEN_URL
        try:
            async with http.stream("POST", url, data=self._grant(url)) as response:
                text, _ = await read_answer(response)
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        known = as_object(answer_json(text))
        if response.is_success and known.get("access_token"):
            return str(known["access_token"]), float(known.get("expires_in", LIFETIME))
        raise self._refusal(response, known)

    def _grant(self, url: str) -> dict[str, str]:
        settings = self.settings
        if settings.service_account:
            claims = {"scope": settings.scope or self.scope, "aud": url}
            if settings.subject:
                claims["sub"] = settings.subject
            assertion = signed_claims(_key(settings.service_account), claims, int(self.now()))
            return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return {
            "grant_type": "refresh_token",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "refresh_token": settings.refresh_token,
        }

    def _refusal(self, response: httpx.Response, known: Mapping[str, Any]) -> Retry | Reject:
        code, says = str(known.get("error", "")), str(known.get("error_description", ""))[:300]
        status = response.status_code
        detail = {"status": status, "error": code, "description": says}
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.is_success:
            after = retry_after(response.headers, self.now())
            return Retry(f"Google's token endpoint answered {status}", after=after, detail=detail)
        if code == "invalid_grant" and not self.settings.service_account:
            return Reject(
                f"Google no longer accepts the refresh_token (invalid_grant: {says}): {RECONNECT}", detail=detail
            )
        if code == "invalid_grant":
            todo = "its key must still be listed in the Google Cloud console, and this machine's clock must be right"
            return Reject(f"Google refuses the service account (invalid_grant: {says}): {todo}", detail=detail)
        if code == "unauthorized_client" and self.settings.subject:
            todo = (
                f"a Workspace administrator has to allow its client id the scope {self.settings.scope or self.scope}"
                " (Security, API controls, Domain-wide delegation)"
            )
            return Reject(f"the service account may not act as {self.settings.subject}: {todo}", detail=detail)
        return Reject(f"Google gives no token ({status} {code}: {says}); correct the connection", detail=detail)


class Accounts:
    """The accounts of all connections of one connector, each with its token. ``now`` gives Unix seconds: Google
    compares a signed claim with its own clock."""

    def __init__(self, scope: str, now: Callable[[], float] = time.time) -> None:
        self._scope, self._now = scope, now
        self._known: dict[str, Account] = {}

    def of(self, settings: GoogleConnection) -> Account:
        """Raises :class:`Reject` for a connection that is not exactly one of the two kinds."""
        _complete(settings)
        key = hashlib.sha256(msgspec.json.encode(msgspec.structs.astuple(settings))).hexdigest()
        account = self._known.pop(key, None) or Account(key, settings, self._scope, self._now)
        self._known[key] = account
        while len(self._known) > ACCOUNTS:
            del self._known[next(iter(self._known))]
        return account


def _complete(settings: GoogleConnection) -> None:
    oauth = ("client_id", "client_secret", "refresh_token")
    missing = [name for name in oauth if not getattr(settings, name)]
    if settings.service_account and len(missing) < len(oauth):
        raise Reject("the connection has a service_account and an OAuth client too; keep one of the two")
    if not settings.service_account and missing:
        todo = "it needs service_account (the key file's JSON), or client_id, client_secret and refresh_token"
        raise Reject(f"the connection has no {missing[0]}: {todo}")


def signed_claims(key: Mapping[str, Any], claims: Mapping[str, str], at: int) -> str:
    """A JWT by the key of a service account, good for an hour from ``at`` (Unix seconds)."""
    header = {"typ": "JWT", "alg": "RS256", "kid": key.get("private_key_id", "")}
    body = {"iss": key.get("client_email", ""), **claims, "iat": at, "exp": at + LIFETIME}
    message = b".".join(_base64url(json.dumps(part).encode()) for part in (header, body))
    signature = _private_key(key).sign(message, padding.PKCS1v15(), hashes.SHA256())
    return (message + b"." + _base64url(signature)).decode()


def as_object(value: Any) -> dict[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _key(text: str) -> dict[str, Any]:
    known = as_object(answer_json(text))
    if not {"client_email", "private_key"} <= known.keys():
        raise Reject(
            "the connection's service_account is not the JSON key file of a service account: it needs client_email and"
            " private_key. Create a key in the Google Cloud console (IAM, Service accounts, Keys)"
        )
    return known


def _private_key(key: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    try:
        private = serialization.load_pem_private_key(str(key["private_key"]).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise Reject(
            "the private_key of the connection's service_account is no RSA key in PEM; download the key file again"
        )
    return private


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
