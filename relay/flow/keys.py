"""Who may ask for what: API keys, their scopes and their limits.

A key is 256 random bits, so one SHA-256 of it is all that need be kept: there is nothing to guess. Looking a key up
by that digest takes a time that tells only of the digest.
"""

import hashlib
import math
import secrets
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from msgspec import Struct

from relay.clock import Clock
from relay.journal import Journal, JournalError, KeyRow

Scope = Literal["submit", "read", "operate", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "brk_"
USED_EVERY = 60.0
"""Seconds between two notes of a key's last use: a note is a write, a request should not be."""


class KeyProblem(Exception):
    """A key cannot be made so; the message names the field, its value and the rule."""


class Caller(Struct, frozen=True):
    """Whoever holds a key."""

    id: str
    """Stable for the same key, and never the key itself."""
    scopes: frozenset[str]
    minted: bool = False
    """Made by this relay. Such a caller sees what is its own; a key from the settings sees everything."""
    name: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether the key allows it; ``admin`` allows everything."""
        return scope in self.scopes or "admin" in self.scopes


class Refusal(Struct, frozen=True):
    """Why a request is turned away."""

    status: Literal[401, 429]
    message: str
    retry_after: int | None = None
    """Whole seconds."""


class Pacer:
    """So many requests a minute, evenly, with a burst of a minute's worth. One number a key, in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        """When a key would have spent exactly what it was given."""

    def wait(self, key: KeyRow) -> float:
        """0 if a request may go now (it is counted), else seconds until one may."""
        if key.per_minute is None:
            return 0.0
        now, each = self._clock.now(), 60.0 / key.per_minute
        spent = max(self._next.get(key.id, now), now) + each
        if spent - now > 60.0 + 1e-6:
            return spent - now - 60.0
        self._next[key.id] = spent
        return 0.0


class Keys:
    """Makes, knows and ends keys. ``configured`` are the keys from the settings: admins, without limits."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        configured: Sequence[str] = (),
        secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._secret = secret
        self.configure(configured)
        self._pacer = Pacer(clock)
        self._used: dict[str, float] = {}

    def configure(self, configured: Sequence[str]) -> None:
        """Know these instead of those configured before."""
        self._configured = {digest(key): Caller(_configured_id(key), frozenset(SCOPES)) for key in configured}

    @property
    def house(self) -> str:
        """Whom the dashboard's people ask as: the first key of the settings, so that a sheet which the command has
        run is known again on the page, whoever gives it."""
        return next((caller.id for caller in self._configured.values()), "house")

    async def caller(self, token: str) -> Caller | Refusal:
        """Who holds ``token``; counts the request against its limit."""
        known = self._configured.get(digest(token))
        if known is not None:
            return known
        key = await self._journal.keys.by_digest(digest(token)) if token.startswith(PREFIX) else None
        refusal = _unusable(key, self._clock.now())
        if refusal or key is None:
            return refusal or Refusal(401, "Invalid API key.")
        wait = self._pacer.wait(key)
        if wait > 0:
            message = f"This key may ask {key.per_minute} times a minute; ask again in {math.ceil(wait)} s."
            return Refusal(429, message, math.ceil(wait))
        await self._note_use(key)
        return _caller(key)

    async def holder(self, key_id: str) -> Caller | None:
        """Whoever holds the key of that id, if it still opens anything."""
        for caller in self._configured.values():
            if caller.id == key_id:
                return caller
        key = await self._journal.keys.get(key_id)
        return _caller(key) if key and key.usable(self._clock.now()) else None

    async def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        per_minute: int | None = None,
        share: int | None = None,
        expires_at: float | None = None,
    ) -> tuple[KeyRow, str]:
        """A new key, and the key itself, which is never shown again. Raises :class:`KeyProblem`."""
        now = self._clock.now()
        _check(name, scopes, now, per_minute=per_minute, share=share, expires_at=expires_at)
        token = PREFIX + self._secret()
        row = KeyRow(
            id=self._clock.new_id("key"),
            name=name,
            digest=digest(token),
            hint=token[:8],
            scopes=" ".join(scope for scope in SCOPES if scope in scopes),
            created_at=now,
            per_minute=per_minute,
            share=share,
            expires_at=expires_at,
        )
        await self._journal.keys.add(row)
        return row, token

    async def all(self) -> list[KeyRow]:
        """Every key that was ever made, the oldest first."""
        return await self._journal.keys.all()

    async def revoke(self, key_id: str) -> KeyRow | None:
        """End a key at once. ``None``: there is none of that id."""
        return await self._journal.keys.revoke(key_id, self._clock.now())

    async def _note_use(self, key: KeyRow) -> None:
        now = self._clock.now()
        if now - self._used.get(key.id, key.last_used_at or 0.0) < USED_EVERY:
            return
        self._used[key.id] = now
        try:
            await self._journal.keys.used(key.id, now)
        except JournalError:
            return  # a full disk must not keep anybody from reading; who writes is told by the write itself


def _caller(key: KeyRow) -> Caller:
    return Caller(key.id, frozenset(key.scopes.split()), minted=True, name=key.name)


def digest(token: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _configured_id(key: str) -> str:
    return hashlib.sha256(f"Bearer {key}".encode()).hexdigest()[:16]


def _unusable(key: KeyRow | None, now: float) -> Refusal | None:
    if key is None:
        return Refusal(
            401,
            "Invalid API key: it is none that `beatrelay keys create` made, nor one of BEATRELAY_API_KEYS (or the"
            " Beat API key, where those are not set).",
        )
    if key.revoked_at is not None:
        return Refusal(401, f"The API key {key.hint}… ({key.name}) was revoked; ask for a new one.")
    if not key.usable(now):
        return Refusal(401, f"The API key {key.hint}… ({key.name}) has expired; ask for a new one.")
    return None


def _check(
    name: str,
    scopes: Sequence[str],
    now: float,
    *,
    per_minute: int | None,
    share: int | None,
    expires_at: float | None,
) -> None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise KeyProblem(f"`name` is {name[:100]!r}; it must be 1 to 100 printable characters")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise KeyProblem(f"`scopes` is {', '.join(scopes) or 'empty'}; it must name some of {', '.join(SCOPES)}")
    for field, value in (("per_minute", per_minute), ("share", share)):
        if value is not None and not 1 <= value <= 1_000_000:
            raise KeyProblem(f"`{field}` is {value}; it must be from 1 to 1000000, or left out for no limit")
    if expires_at is not None and expires_at <= now:
        raise KeyProblem(f"`expires_at` is {expires_at:g}; it must be later than now ({now:.0f})")
