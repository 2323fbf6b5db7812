"""Users, sessions and one-time links, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .people import LinkRow, SessionRow, UserRow
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

S = TypeVar("S", bound=msgspec.Struct)

_PUT_USER = (
    insert("users", UserRow)
    + " ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, password = excluded.password,"
    " seen_at = excluded.seen_at"
)
_ADD_LINK = insert("links", LinkRow)
_USE_LINK = "UPDATE links SET used_at = :now WHERE digest = :link AND used_at IS NULL AND expires_at > :now"
_ADD_SESSION = insert("sessions", SessionRow)
_ROTATE = (
    "UPDATE sessions SET digest = :new, former = :old, rotated_at = :at, seen_at = :at WHERE id = :id AND digest = :old"
)


class SqlitePeople:
    """See :class:`relay.journal.people.PeopleStore`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def users(self) -> list[UserRow]:
        return await self._rows(UserRow, "SELECT * FROM users ORDER BY created_at, id")

    async def user(self, user_id: str) -> UserRow | None:
        return await self._one(UserRow, "SELECT * FROM users WHERE id = ?", user_id)

    async def user_named(self, name: str) -> UserRow | None:
        return await self._one(UserRow, "SELECT * FROM users WHERE name = ? COLLATE NOCASE", name)

    async def put_user(self, user: UserRow, link: str | None, now: float) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            taken = "SELECT 1 FROM users WHERE name = ? COLLATE NOCASE AND id <> ?"
            if connection.execute(taken, (user.name, user.id)).fetchone():
                return False
            if link is not None and not connection.execute(_USE_LINK, {"link": link, "now": now}).rowcount:
                return False
            connection.execute(_PUT_USER, values(user))
            return True

        return await self._journal.write(write)

    async def remove_user(self, user_id: str) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
            return connection.execute("DELETE FROM users WHERE id = ?", (user_id,)).rowcount > 0

        return await self._journal.write(write)

    async def add_link(self, link: LinkRow) -> None:
        await self._do(_ADD_LINK, *values(link))

    async def link(self, digest: str) -> LinkRow | None:
        return await self._one(LinkRow, "SELECT * FROM links WHERE digest = ?", digest)

    async def add_session(self, session: SessionRow) -> None:
        await self._do(_ADD_SESSION, *values(session))

    async def rotate(self, session_id: str, old: str, new: str, at: float) -> bool:
        given = {"id": session_id, "old": old, "new": new, "at": at}
        return await self._journal.write(lambda connection: connection.execute(_ROTATE, given).rowcount > 0)

    async def session(self, digest: str) -> SessionRow | None:
        return await self._one(SessionRow, "SELECT * FROM sessions WHERE ? IN (digest, former)", digest)

    async def end_session(self, session_id: str) -> None:
        await self._do("DELETE FROM sessions WHERE id = ?", session_id)

    async def end_sessions(self, user_id: str, but: str = "") -> None:
        await self._do("DELETE FROM sessions WHERE user_id = ? AND id <> ?", user_id, but)

    async def forget_sessions(self, seen_before: float, created_before: float) -> int:
        def write(connection: sqlite3.Connection) -> int:
            over = "DELETE FROM sessions WHERE seen_at < ? OR created_at < ?"
            sessions = connection.execute(over, (seen_before, created_before)).rowcount
            return sessions + connection.execute("DELETE FROM links WHERE expires_at < ?", (seen_before,)).rowcount

        return await self._journal.write(write)

    async def _do(self, sql: str, *arguments: object) -> None:
        await self._journal.write(lambda connection: connection.execute(sql, arguments) and None)

    async def _rows(self, struct: type[S], sql: str, *arguments: object) -> list[S]:
        return await self._journal.read(
            lambda connection: [read(struct, row) for row in connection.execute(sql, arguments)]
        )

    async def _one(self, struct: type[S], sql: str, *arguments: object) -> S | None:
        found = await self._rows(struct, sql, *arguments)
        return found[0] if found else None
