"""Named credentials: those of ``beatrelay.toml``, which win, and those that people store while the relay runs."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from connectors.base import Connector, DeliveryError, Retry
from relay.clock import Clock
from relay.journal import LOST, Journal, LanePolicy, place_of
from relay.journal.connections import ConnectionRow
from relay.log import hide
from relay.recipe import Known
from relay.recipe.errors import suggestion
from relay.vault import Vault, VaultError

from .connection_kinds import (
    ConnectionKey,
    Values,
    guessed_secrets,
    is_typed,
    keys_of,
    mask,
    problems_of,
    secret_keys,
    split,
)
from .connection_memory import ConnectionMemory, Tested
from .lanes import policy, without

FILE = "beatrelay.toml"
KIND = "connector"
"""The key by which a connection in the file may say whose it is."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_decode = msgspec.json.Decoder(dict[str, str]).decode


class BadConnection(Exception):
    """A connection cannot be what was asked; ``status`` is the HTTP status that says so, ``problems`` each thing that
    is wrong."""

    def __init__(self, message: str, status: int = 400, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.problems = list(problems) or [message]


class ConnectionView(Struct):
    """A connection as people may see it. Secrets are never shown again, only that they are there."""

    name: str
    connector: str | None
    """``null`` for one of the file's that does not say; its recipes do."""
    source: str
    """``file`` (beatrelay.toml: changed there only) or ``stored``."""
    settings: dict[str, str]
    secrets: dict[str, str]
    """Masked: of a URL its host, of anything else nothing."""
    updated_at: float | None = None
    lost: bool = False
    """Its secrets were sealed with a key that is lost, and have to be given again."""
    tested: Tested | None = None
    """``null``: not since it was last changed."""


class Connections:
    """Finds, stores and tries connections. A change holds from the next attempt of a delivery on."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        vault: Vault,
        connectors: Mapping[str, Connector],
        fixed: Mapping[str, Values],
        http: httpx.AsyncClient,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._lanes = journal.connections, journal.lanes
        self._clock = clock
        self._vault = vault
        self._memory = ConnectionMemory(journal, clock, vault)
        self._connectors = connectors
        self._file = fixed
        self._kinds = {name: values.get(KIND) for name, values in fixed.items()}
        self._fixed = {name: {key: values[key] for key in values if key != KIND} for name, values in fixed.items()}
        self._http = http
        self._wake = wake
        self._usable: dict[tuple[str, str], tuple[Values, Values]] = {}
        self.policies: dict[str, LanePolicy] = {}
        """What connections say about their lanes; all others are served as usual."""
        for name, values in self._fixed.items():
            hide(self._secrets_in_file(name))
            self._allow(name, values)

    async def start(self) -> list[str]:
        """Know every stored secret, so that none reaches a log; returns what is wrong, for the log."""
        problems: list[str] = []
        for name in self._fixed:
            problems += [f"{FILE}: [connections.{name}] {problem}" for problem in self._problems_in_file(name)]
        for row in await self._store.all():
            lost = row.secrets == LOST
            values = _decode(row.settings) if lost else self._values(row)
            if row.name not in self._fixed:
                self._allow(row.name, values)
                problems += [f"the connection {row.name!r} needs its secrets again: {_again(row.name)}"] if lost else []
            else:
                problems.append(f"the stored connection {row.name!r} is not used: {FILE} has one of that name")
        return problems

    async def heed_the_file(self) -> None:
        """What failed through a connection that the file has changed since the last start is tried at once."""
        for name in await self._memory.changed(self._file):
            await self._mended(name)
        await self._memory.keep(self._file)

    def forms(self) -> dict[str, list[ConnectionKey]]:
        """What connections there can be: the keys of each connector's, by its name."""
        return {name: keys_of(connector) for name, connector in self._connectors.items()}

    async def use(self, name: str, connector: str) -> Mapping[str, str]:
        """What a step of ``connector`` gets. Raises :class:`Retry`: whoever mends the connection mends the delivery."""
        if name in self._fixed:
            values, kind = self._fixed[name], self._kinds[name] or connector
        else:
            row = await self._store.get(name)
            if row is None:
                raise Retry(
                    f"there is no connection named {name!r}; make it: `beatrelay connections add {name} {connector}`"
                )
            if row.secrets == LOST:
                raise Retry(f"the secrets of the connection {name!r} are lost; give them again: {_again(name)}")
            try:
                values, kind = self._values(row), row.connector
            except VaultError as error:
                raise Retry(str(error)) from error
        if kind != connector:
            raise Retry(f"the connection {name!r} is one for {kind}, but the step uses {connector}")
        return self._sound(name, connector, values)

    def _sound(self, name: str, connector: str, values: Values) -> Values:
        """Values without anything wrong with them; those that have not changed were looked through before."""
        known = self._usable.get((name, connector))
        if known is not None and known[0] == values:
            return known[1]
        problems = problems_of(self._connectors[connector], values)
        if problems:
            raise Retry(f"the connection {name!r} cannot be used: {'; '.join(problems)}")
        self._usable[name, connector] = values, without(values)
        return self._usable[name, connector][1]

    async def known(self) -> dict[str, Known]:
        """Whose each of them is and which keys it has, for the check of recipes."""
        stored = {row.name: Known(row.connector, self._keys(row)) for row in await self._store.all()}
        return stored | {name: Known(self._kinds[name], _given(values)) for name, values in self._fixed.items()}

    def _keys(self, row: ConnectionRow) -> frozenset[str] | None:
        try:
            return None if row.secrets == LOST else _given(self._values(row))
        except VaultError:
            return None

    async def views(self) -> list[ConnectionView]:
        """All that can be used, by name."""
        stored = [row for row in await self._store.all() if row.name not in self._fixed]
        views = [*map(self._view_of_file, self._fixed), *map(self._view, stored)]
        return [await self._with_test(view) for view in sorted(views, key=lambda view: view.name)]

    async def view(self, name: str) -> ConnectionView:
        """One of them. Raises :class:`BadConnection`."""
        view = self._view_of_file(name) if name in self._fixed else self._view(await self._known(name))
        return await self._with_test(view)

    async def put(self, name: str, connector: str, values: Values) -> ConnectionView:
        """Store a connection, whole; what failed through it before is tried at once. Raises :class:`BadConnection`
        with everything that is wrong with it."""
        self._refuse(name, connector, values)
        shown, secrets = split(self._connectors[connector], values)
        sealed = self._vault.seal(_text(secrets), place_of("connections", name)) if secrets else None
        hide(secrets.values())
        row = ConnectionRow(
            name=name, connector=connector, settings=_text(shown), secrets=sealed, updated_at=self._clock.now()
        )
        await self._store.put(row)
        self._allow(name, values)
        await self._mended(name)
        return self._view(row)

    async def change(self, name: str, changes: Mapping[str, str | None]) -> ConnectionView:
        """Change some keys and keep the rest; ``None`` removes one. Raises :class:`BadConnection`."""
        self._refuse_file(name)
        row = await self._known(name)
        lost = row.secrets == LOST
        given = {key: value for key, value in changes.items() if value is not None}
        if lost and row.connector in self._connectors and not split(self._connectors[row.connector], given)[1]:
            raise BadConnection(f"the secrets of the connection {name!r} are lost; give them with this change")
        known = _decode(row.settings) if lost else self._values(row)
        merged = {key: value for key, value in known.items() if key not in changes} | given
        return await self.put(name, row.connector, merged)

    async def remove(self, name: str) -> None:
        """Forget a stored connection. Raises :class:`BadConnection`."""
        self._refuse_file(name)
        if not await self._store.remove(name):
            raise await self._unknown(name)
        self.policies.pop(name, None)
        self._usable = {known: values for known, values in self._usable.items() if known[0] != name}

    async def test(self, name: str, connector: str | None = None) -> tuple[bool, str]:
        """Try it, without lasting effect there: whether it works, and a sentence for people. It is remembered."""
        kind = (self._kinds[name] if name in self._fixed else (await self._known(name)).connector) or connector
        if kind is None:
            raise BadConnection(
                f'[connections.{name}] in {FILE} does not say whose it is; add {KIND} = "…" or name the connector'
            )
        if kind not in self._connectors:
            raise self._no_connector(kind)
        works, message = await self._try(name, kind)
        await self._memory.test(name, works=works, message=message)
        return works, message

    async def _try(self, name: str, kind: str) -> tuple[bool, str]:
        try:
            return True, await self._connectors[kind].check(await self.use(name, kind), self._http)
        except DeliveryError as error:
            return False, error.reason
        except httpx.HTTPError as error:
            return False, f"the connection failed: {str(error) or type(error).__name__}"

    async def _mended(self, name: str) -> None:
        if await self._lanes.mended(name, self._clock.now()):
            self._wake()

    def _allow(self, name: str, values: Values) -> None:
        """Serve its lane as the connection says; a wrong value is told elsewhere, and does not stop the others."""
        self.policies.pop(name, None)
        with suppress(ValueError):
            if without(values) != values:
                self.policies[name] = policy(values)

    def _refuse(self, name: str, connector: str, values: Values) -> None:
        if not _NAME.fullmatch(name):
            rule = "small letters, digits, `.`, `_` and `-`, at most 63, a letter or digit first"
            raise BadConnection(f"{name[:80]!r} cannot name a connection; a name has {rule}")
        self._refuse_file(name)
        if connector not in self._connectors:
            raise self._no_connector(connector)
        problems = [
            f"`{key}` refers to the environment; that works in {FILE} only: store the value itself, it is sealed"
            for key, value in values.items()
            if value.startswith("env:")
        ]
        problems += problems_of(self._connectors[connector], values)
        if problems:
            raise BadConnection("; ".join(problems), problems=problems)

    def _refuse_file(self, name: str) -> None:
        if name in self._fixed:
            raise BadConnection(f"the connection {name!r} stands in {FILE}, which wins; change it there", 409)

    def _no_connector(self, name: str) -> BadConnection:
        return BadConnection(f"there is no connector {name[:80]!r}; {suggestion(name, self._connectors)}")

    async def _known(self, name: str) -> ConnectionRow:
        row = await self._store.get(name)
        if row is None:
            raise await self._unknown(name)
        return row

    async def _unknown(self, name: str) -> BadConnection:
        known = [*self._fixed, *(row.name for row in await self._store.all())]
        return BadConnection(f"there is no connection {name[:80]!r}; {suggestion(name, known)}".rstrip("; "), 404)

    def _values(self, row: ConnectionRow) -> dict[str, str]:
        secrets: dict[str, str] = {}
        if row.secrets is not None:
            secrets = _decode(self._vault.open(row.secrets, place_of("connections", row.name)))
            hide(secrets.values())
        return {**_decode(row.settings), **secrets}

    def _view(self, row: ConnectionRow) -> ConnectionView:
        shown = _decode(row.settings)
        if row.secrets == LOST:
            return ConnectionView(row.name, row.connector, "stored", shown, {}, row.updated_at, lost=True)
        values = self._values(row)
        secrets = {key: mask(value) for key, value in values.items() if key not in shown}
        return ConnectionView(row.name, row.connector, "stored", shown, secrets, row.updated_at)

    async def _with_test(self, view: ConnectionView) -> ConnectionView:
        view.tested = await self._memory.tested(view.name, view.updated_at or 0.0)
        return view

    def _view_of_file(self, name: str) -> ConnectionView:
        values, secret = self._fixed[name], set(self._secrets_in_file(name))
        shown = {key: value for key, value in values.items() if value not in secret}
        secrets = {key: mask(value) for key, value in values.items() if value in secret}
        return ConnectionView(name, self._kinds[name], "file", shown, secrets)

    def _secrets_in_file(self, name: str) -> list[str]:
        connector = self._connectors.get(self._kinds[name] or "")
        values = self._fixed[name]
        if connector is None or not is_typed(connector):
            return guessed_secrets(self._connectors.values(), values)
        secret = secret_keys(connector)
        return [value for key, value in values.items() if key in secret]

    def _problems_in_file(self, name: str) -> list[str]:
        kind = self._kinds[name]
        if kind is None:
            return []
        connector = self._connectors.get(kind)
        return [str(self._no_connector(kind))] if connector is None else problems_of(connector, self._fixed[name])


def _again(name: str) -> str:
    return f"on its page, or by `beatrelay connections set {name} KEY=?`"


def _given(values: Values) -> frozenset[str]:
    return frozenset(key for key, value in values.items() if value)


def _text(values: Any) -> str:
    return msgspec.json.encode(values).decode()
