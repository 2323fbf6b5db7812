"""Who is at the dashboard: users with passwords, holders of API keys, and what each may do there.

A password is kept as a slow hash (scrypt); a session and a one-time link only as the SHA-256 of 256 random bits.
"""

import asyncio
import base64
import hmac
import math
import os
import re
import secrets
from collections.abc import Callable
from typing import Literal, get_args

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct, structs

from relay.clock import Clock
from relay.journal import Journal, LinkRow, SessionRow, UserRow

from .keys import Caller, Keys, Refusal, digest

Role = Literal["viewer", "operator", "admin"]
"""``viewer`` looks, ``operator`` steers the work, ``admin`` also changes connections, keys and people."""
ROLES: tuple[Role, ...] = get_args(Role)
LINK_HOURS = 24
IDLE_DAYS, MOST_DAYS = 7, 30
"""A session ends when it is not used for so long, and at the latest after so long."""
ROTATE, GRACE = 3600.0, 60.0
"""Seconds after which a session's secret is replaced, and for which the former one still opens."""
TRIES, LOCK, LONGEST = 5, 60.0, 3600.0
"""Wrong tries in a row before a wait; seconds of the first wait, doubled with each further try; the longest."""
_COST = (15, 8, 1)
"""scrypt's log2(n), r and p: 32 MiB and about a tenth of a second."""
_NAME = re.compile(r"\S(.{0,62}\S)?")


class PeopleProblem(Exception):
    """It cannot be done; the message is a sentence for the person. ``field`` is what was wrong, if one was."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Visitor(Struct, frozen=True):
    """Somebody who is signed in."""

    id: str
    """The user's or the key's id: what they do is done in its name."""
    name: str
    role: Role
    session: str

    def may(self, role: Role) -> bool:
        """Whether theirs is ``role`` or more."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Entered(Struct, frozen=True):
    """A visitor, and the new secret for their cookie where it changed."""

    visitor: Visitor
    secret: str | None


class Lockout:
    """Makes guessing slow: after a few wrong tries under a name (or from an address), each costs a longer wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait(self, *whom: str) -> float:
        """Seconds until any of ``whom`` may try again; 0: now."""
        now = self._clock.now()
        return max((self._until(one) - now for one in whom if one in self._wrong), default=0.0)

    def failed(self, *whom: str) -> None:
        """One more wrong try."""
        now = self._clock.now()
        self._wrong = {one: seen for one, seen in self._wrong.items() if seen[1] > now - 2 * LONGEST}
        for one in whom:
            self._wrong[one] = (self._wrong.get(one, (0, 0.0))[0] + 1, now)

    def passed(self, *whom: str) -> None:
        """A right one: start afresh."""
        for one in whom:
            self._wrong.pop(one, None)

    def _until(self, one: str) -> float:
        tries, last = self._wrong[one]
        over = tries - TRIES
        return last + min(LONGEST, LOCK * 2.0 ** min(over, 20)) if over >= 0 else 0.0


class People:
    """Invites, signs in and out, and knows who comes back. ``url`` is where the dashboard is."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        keys: Keys,
        url: str,
        secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._store = journal.people
        self._clock = clock
        self._keys = keys
        self._url = url
        self._secret = secret
        self._lockout = Lockout(clock)

    async def first_link(self) -> str | None:
        """A link that makes the first admin; ``None`` once there is one."""
        if any(user.role == "admin" for user in await self._store.users()):
            return None
        return await self.invite("admin")

    async def invite(self, role: Role) -> str:
        """A link that lets one person in, once, to choose a name and a password."""
        secret, now = self._secret(), self._clock.now()
        ends = now + LINK_HOURS * 3600
        await self._store.add_link(LinkRow(digest=digest(secret), role=role, created_at=now, expires_at=ends))
        return f"{self._url}/sign-in/{secret}"

    async def invited(self, secret: str) -> LinkRow | None:
        """The link of that secret, if it still lets somebody in."""
        link = await self._store.link(digest(secret))
        return link if link and link.used_at is None and self._clock.now() < link.expires_at else None

    async def accept(self, secret: str, name: str, password: str) -> Entered:
        """Make the user whom a link invites, or give the one of that name a new password; and sign them in."""
        link = await self.invited(secret)
        if link is None:
            raise PeopleProblem(f"This link was used, or is older than {LINK_HOURS} hours. {AGAIN}")
        name = _checked_name(name)
        _check_password(password, name)
        now, known = self._clock.now(), await self._store.user_named(name)
        if known is not None and link.role != "admin":
            raise PeopleProblem(f"`{name}` is somebody's name already; choose another.", "name")
        user = UserRow(
            id=known.id if known else self._clock.new_id("user"),
            name=name,
            role=link.role,
            password=await asyncio.to_thread(hash_password, password),
            created_at=known.created_at if known else now,
            seen_at=now,
        )
        if not await self._store.put_user(user, link.digest, now):
            raise PeopleProblem("The link was used a moment ago, or the name was taken. Try again.", "name")
        await self._store.end_sessions(user.id)
        self._lockout.passed(_of(name))
        return await self._begin(user_id=user.id)

    async def sign_in(self, name: str, password: str, address: str) -> Entered:
        """With a name and a password, or with an API key in place of the password and no name."""
        name = name.strip()
        whom = (_of(name), f"address {address}") if name else (f"address {address}",)
        wait = self._lockout.wait(*whom)
        if wait > 0:
            raise PeopleProblem(f"Too many wrong tries. Wait {_span(wait)}, then try again. {AGAIN}")
        self._lockout.failed(*whom)  # counted before the slow part: a hundred tries at once are a hundred tries
        entered = await (self._by_password(name, password) if name else self._by_key(password))
        self._lockout.passed(*whom)
        return entered

    async def enter(self, secret: str) -> Entered | None:
        """Who comes back with that cookie; ``None``: nobody we know, or no longer."""
        session, now = await self._store.session(digest(secret)), self._clock.now()
        if session is None or not self._lives(session, digest(secret), now):
            return None
        visitor = await self._visitor(session)
        if visitor is None:
            return None
        if session.digest != digest(secret) or now - session.rotated_at < ROTATE:
            return Entered(visitor, None)
        fresh = self._secret()
        rotated = await self._store.rotate(session.id, session.digest, digest(fresh), now)
        return Entered(visitor, fresh if rotated else None)

    async def sign_out(self, visitor: Visitor) -> None:
        """End this session."""
        await self._store.end_session(visitor.session)

    async def change_password(self, visitor: Visitor, old: str, new: str) -> None:
        """A user's own; ends their other sessions."""
        user = await self._store.user(visitor.id)
        if user is None:
            raise PeopleProblem("You are signed in with an API key; that has no password.")
        if not await asyncio.to_thread(is_password, old, user.password):
            raise PeopleProblem("That is not your password of today.", "old")
        _check_password(new, user.name, "new")
        user = structs.replace(user, password=await asyncio.to_thread(hash_password, new))
        await self._store.put_user(user, None, self._clock.now())
        await self._store.end_sessions(user.id, visitor.session)

    async def users(self) -> list[UserRow]:
        """Every user, the oldest first."""
        return await self._store.users()

    async def give_role(self, user_id: str, role: Role) -> None:
        """From their next click on."""
        user = await self._known(user_id)
        await self._keep_an_admin(user, role)
        await self._store.put_user(structs.replace(user, role=role), None, self._clock.now())

    async def remove(self, user_id: str) -> None:
        """Forget a user; their sessions end at once."""
        await self._keep_an_admin(await self._known(user_id), None)
        await self._store.remove_user(user_id)

    async def _known(self, user_id: str) -> UserRow:
        user = await self._store.user(user_id)
        if user is None:
            raise PeopleProblem("There is no such user any more.")
        return user

    async def _keep_an_admin(self, user: UserRow, role: Role | None) -> None:
        admins = [one for one in await self._store.users() if one.role == "admin"]
        if role != "admin" and [one.id for one in admins] == [user.id]:
            raise PeopleProblem(f"{user.name} is the only admin; make somebody else one first.")

    async def _by_password(self, name: str, password: str) -> Entered:
        user = await self._store.user_named(name)
        known = user.password if user else _NOBODY  # nobody takes as long as somebody
        right = await asyncio.to_thread(is_password, password, known)
        if user is None or not right:
            raise PeopleProblem(f"The name or the password is wrong. {AGAIN}", "password")
        return await self._begin(user_id=user.id)

    async def _by_key(self, token: str) -> Entered:
        caller = await self._keys.caller(token.strip())
        if isinstance(caller, Refusal) or role_of(caller) is None:
            raise PeopleProblem(
                "That is no API key that opens the dashboard: it needs the scope operate or admin.", "password"
            )
        return await self._begin(key_id=caller.id)

    async def _begin(self, *, user_id: str | None = None, key_id: str | None = None) -> Entered:
        secret, now = self._secret(), self._clock.now()
        await self._store.forget_sessions(now - IDLE_DAYS * 86400, now - MOST_DAYS * 86400)
        session = SessionRow(
            id=self._clock.new_id("ses"),
            digest=digest(secret),
            created_at=now,
            rotated_at=now,
            seen_at=now,
            user_id=user_id,
            key_id=key_id,
        )
        await self._store.add_session(session)
        visitor = await self._visitor(session)
        assert visitor is not None, "whoever was just let in is known"
        return Entered(visitor, secret)

    def _lives(self, session: SessionRow, asked: str, now: float) -> bool:
        if session.digest != asked and now - session.rotated_at > GRACE:
            return False
        return now - session.seen_at < IDLE_DAYS * 86400 and now - session.created_at < MOST_DAYS * 86400

    async def _visitor(self, session: SessionRow) -> Visitor | None:
        if session.user_id is not None:
            user = await self._store.user(session.user_id)
            return Visitor(user.id, user.name, _role(user.role), session.id) if user else None
        holder = await self._keys.holder(session.key_id or "")
        role = role_of(holder) if holder else None
        return Visitor(holder.id, holder.name or "API key", role, session.id) if holder and role else None


AGAIN = "`beatrelay dashboard link` on the relay's machine makes a new way in."


def role_of(caller: Caller) -> Role | None:
    """What a key's scopes allow at the dashboard, which shows everybody's work."""
    if caller.may("admin"):
        return "admin"
    return "operator" if caller.may("operate") else None


def hash_password(password: str) -> str:
    """A slow hash of it, with its parameters and a fresh salt."""
    salt = os.urandom(16)
    return _format(_COST, salt, _derive(password, salt, _COST))


def is_password(password: str, known: str) -> bool:
    """Whether ``known`` is a hash of it."""
    _, cost, salt, key = known.split("$")
    log_n, r, p = (int(number) for number in cost.split(","))
    return hmac.compare_digest(_derive(password, base64.b64decode(salt), (log_n, r, p)), base64.b64decode(key))


def _derive(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log_n, r, p = cost
    return Scrypt(salt=salt, length=32, n=2**log_n, r=r, p=p).derive(password.encode("utf-8", "replace"))


def _format(cost: tuple[int, int, int], salt: bytes, key: bytes) -> str:
    numbers = ",".join(map(str, cost))
    return f"scrypt${numbers}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


_NOBODY = _format(_COST, b"\0" * 16, b"\0" * 32)


def _role(text: str) -> Role:
    return next(role for role in ROLES if role == text)


def _of(name: str) -> str:
    return f"name {name.casefold()}"


def _checked_name(name: str) -> str:
    name = name.strip()
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise PeopleProblem("A name has 1 to 64 printable characters.", "name")
    return name


def _check_password(password: str, name: str, field: str = "password") -> None:
    if not 12 <= len(password) <= 1000:
        raise PeopleProblem(f"A password has 12 characters or more; this has {len(password)}.", field)
    if password.casefold() == name.casefold() or len(set(password)) < 5:
        raise PeopleProblem("That password is too easy to guess; a few random words are better.", field)


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
