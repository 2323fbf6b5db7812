"""People who sign in to the dashboard, as the journal keeps them: never a password, never a session's own secret."""

from typing import Protocol

from msgspec import Struct


class UserRow(Struct, kw_only=True):
    """Somebody who signs in with a name and a password."""

    id: str
    name: str
    """As it was typed; compared without regard to case."""
    role: str
    password: str
    """A slow hash with its parameters and its salt."""
    created_at: float
    seen_at: float | None = None
    """About when it was last used."""


class SessionRow(Struct, kw_only=True):
    """One signed-in browser."""

    id: str
    digest: str
    """SHA-256 (hex) of the secret in the cookie."""
    created_at: float
    rotated_at: float
    """When the secret was last replaced."""
    seen_at: float
    former: str | None = None
    """The digest before that, good for a moment: requests that were under way still carry it."""
    user_id: str | None = None
    key_id: str | None = None
    """Who it is: a user, or whoever holds an API key."""


class LinkRow(Struct, kw_only=True):
    """A link that lets somebody in once, to choose a name and a password."""

    digest: str
    role: str
    created_at: float
    expires_at: float
    used_at: float | None = None


class PeopleStore(Protocol):
    """Users, their sessions, and the links that invite them."""

    async def users(self) -> list[UserRow]:
        """Every user, the oldest first."""
        ...

    async def user(self, user_id: str) -> UserRow | None: ...

    async def user_named(self, name: str) -> UserRow | None:
        """Without regard to case."""
        ...

    async def put_user(self, user: UserRow, link: str | None, now: float) -> bool:
        """Write a user down, and with ``link`` (a digest) use that link up in the same transaction. False: the link is
        used or over, or the name is somebody else's; nothing is written."""
        ...

    async def remove_user(self, user_id: str) -> bool:
        """Forget a user and end every session of theirs."""
        ...

    async def add_link(self, link: LinkRow) -> None: ...

    async def link(self, digest: str) -> LinkRow | None: ...

    async def add_session(self, session: SessionRow) -> None: ...

    async def rotate(self, session_id: str, old: str, new: str, at: float) -> bool:
        """Replace a session's digest. False: it is not ``old`` any more, somebody was faster."""
        ...

    async def session(self, digest: str) -> SessionRow | None:
        """By its digest of now or by the former one."""
        ...

    async def end_session(self, session_id: str) -> None: ...

    async def end_sessions(self, user_id: str, but: str = "") -> None:
        """End every session of a user's but one."""
        ...

    async def forget_sessions(self, seen_before: float, created_before: float) -> int:
        """Delete sessions and links that are over; returns how many."""
        ...
