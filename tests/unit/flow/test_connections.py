"""Connections: typed, sealed, the file wins, and a change holds at once."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import pytest

from connectors.base import SECRET, ConnectionSettings, Connector, ConnectorConfig, Outcome, Reject, Retry
from relay.flow.connections import BadConnection, Connections
from relay.journal import SqliteJournal, place_of
from relay.log import redact
from relay.vault import Vault, new_key
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio
TOKEN, OTHER = "canary-token-1", "canary-token-2"


class Plug(Connector):
    name = "plug"
    Config = ConnectorConfig

    class Connection(ConnectionSettings):
        token: Annotated[str, SECRET]
        password: Annotated[str, SECRET] | None = None
        room: str = "hall"
        tls: Literal["yes", "no"] = "yes"

    async def deliver(self, config: Any, delivery: Any) -> Outcome:
        return Outcome()

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        if connection["token"] != TOKEN:
            raise Reject("the token is not known; make a new one")
        return "reaches the hall as plug"


class Untyped(Plug):
    name = "untyped"
    Connection = ConnectionSettings


class Desk:
    """Connections of a relay with a file, and its journal."""

    def __init__(self, folder: Path, fixed: Mapping[str, Mapping[str, str]]) -> None:
        self.folder, self.fixed, self.vault = folder, fixed, Vault([new_key()])
        self.open()

    def open(self) -> None:
        self.journal = SqliteJournal.open(self.folder / "journal.db")
        kinds = {"plug": Plug(), "untyped": Untyped()}
        self.it = Connections(self.journal, VirtualClock(), self.vault, kinds, self.fixed, httpx.AsyncClient())

    async def put(self, name: str = "a", connector: str = "plug", **values: str) -> Any:
        return await self.it.put(name, connector, values)


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, getattr(request, "param", {}))
    yield desk
    await desk.journal.close()


class TestStored:
    async def test_it_can_be_used_at_once_and_after_a_restart(self, desk: Desk) -> None:
        await desk.put(token=TOKEN, room="cellar")
        assert await desk.it.use("a", "plug") == {"token": TOKEN, "room": "cellar"}
        await desk.journal.close()
        desk.open()
        assert await desk.it.use("a", "plug") == {"token": TOKEN, "room": "cellar"}

    async def test_its_secrets_are_shown_to_nobody(self, desk: Desk) -> None:
        view = await desk.put(token=TOKEN, password="https://hooks.example.com/T0/canary-path", room="cellar")
        assert view.settings == {"room": "cellar"}
        assert view.secrets == {"token": "…", "password": "https://hooks.example.com/…"}
        assert "canary" not in json.dumps([str(one) for one in await desk.it.views()])
        await desk.journal.close()
        assert all(b"canary" not in file.read_bytes() for file in desk.folder.glob("journal.db*"))
        desk.open()

    async def test_from_then_on_they_are_blanked_in_every_log_line(self, desk: Desk) -> None:
        await desk.put(token='canary:with/odd "signs"')
        for form in ('canary:with/odd "signs"', "canary%3Awith%2Fodd%20%22signs%22", 'canary:with/odd \\"signs\\"'):
            assert "canary" not in redact(f"it said {form} twice"), form

    async def test_a_change_keeps_the_rest(self, desk: Desk) -> None:
        await desk.put(token=TOKEN, room="cellar", password="hunter22")
        await desk.it.change("a", {"token": OTHER, "password": None})
        assert await desk.it.use("a", "plug") == {"token": OTHER, "room": "cellar"}

    async def test_removed_it_is_waited_for(self, desk: Desk) -> None:
        await desk.put(token=TOKEN)
        await desk.it.remove("a")
        with pytest.raises(Retry, match="there is no connection named 'a'"):
            await desk.it.use("a", "plug")

    async def test_a_step_of_another_connector_cannot_use_it(self, desk: Desk) -> None:
        await desk.put(token=TOKEN)
        with pytest.raises(Retry, match="is one for plug, but the step uses untyped"):
            await desk.it.use("a", "untyped")

    async def test_of_an_untyped_connector_everything_is_secret(self, desk: Desk) -> None:
        view = await desk.put("b", "untyped", anything="canary-anything")
        assert (view.settings, view.secrets) == ({}, {"anything": "…"})

    async def test_with_another_key_the_delivery_waits_and_says_why(self, desk: Desk) -> None:
        await desk.put(token=TOKEN)
        await desk.journal.close()
        desk.vault = Vault([new_key()])
        desk.open()
        with pytest.raises(Retry, match="was sealed with key"):
            await desk.it.use("a", "plug")


class TestLost:
    """Its secrets were sealed with a key that is gone, and forgotten."""

    @pytest.fixture
    async def lost(self, desk: Desk) -> Desk:
        await desk.put(token=TOKEN, room="cellar", password="hunter22", max_concurrency="3")
        await desk.journal.sealed.forget([place_of("connections", "a")], 1.0)
        desk.it = Connections(desk.journal, VirtualClock(), desk.vault, {"plug": Plug()}, {}, httpx.AsyncClient())
        return desk

    async def test_it_is_told_at_the_start_and_used_by_nobody(self, lost: Desk) -> None:
        (problem,) = await lost.it.start()
        assert problem.startswith("the connection 'a' needs its secrets again")
        assert lost.it.policies["a"].max_concurrency == 3, "what is no secret still holds"
        with pytest.raises(Retry, match="the secrets of the connection 'a' are lost"):
            await lost.it.use("a", "plug")
        view = await lost.it.view("a")
        assert (view.lost, view.secrets, view.settings["room"]) == (True, {}, "cellar")

    async def test_given_again_it_works_with_the_rest_as_it_was(self, lost: Desk) -> None:
        with pytest.raises(BadConnection, match="are lost; give them with this change"):
            await lost.it.change("a", {"room": "attic"})
        with pytest.raises(BadConnection, match="`token` is missing"):
            await lost.it.change("a", {"password": "hunter23"})
        await lost.it.change("a", {"token": OTHER})
        assert await lost.it.use("a", "plug") == {"token": OTHER, "room": "cellar"}
        assert not (await lost.it.view("a")).lost


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "connector", "values", "said"),
        [
            ("a", "plug", {"token": TOKEN, "rom": "x"}, "plug connections have no `rom`; did you mean 'room'?"),
            ("a", "plug", {"room": "x"}, "`token` is missing"),
            ("a", "plug", {"token": TOKEN, "tls": "maybe"}, "tls"),
            ("a", "plug", {"token": "env:BEATAPI_API_KEY"}, "works in beatrelay.toml only"),
            ("a", "plgu", {}, "did you mean 'plug'?"),
            ("A b", "plug", {"token": TOKEN}, "cannot name a connection"),
            ("../etc", "plug", {"token": TOKEN}, "cannot name a connection"),
        ],
    )
    async def test_what_is_wrong_is_said(
        self, desk: Desk, name: str, connector: str, values: dict[str, str], said: str
    ) -> None:
        with pytest.raises(BadConnection) as caught:
            await desk.put(name, connector, **values)
        assert said in str(caught.value)
        assert await desk.it.views() == []

    async def test_a_wrong_value_is_not_repeated(self, desk: Desk) -> None:
        with pytest.raises(BadConnection) as caught:
            await desk.put(token=TOKEN, tls="canary-value")
        assert "canary" not in str(caught.value)

    async def test_one_that_is_not_there(self, desk: Desk) -> None:
        await desk.put("studio", token=TOKEN)
        for asking in (desk.it.view("studoi"), desk.it.remove("studoi"), desk.it.test("studoi")):
            with pytest.raises(BadConnection, match="did you mean 'studio'") as caught:
                await asking
            assert caught.value.status == 404


FIXED = {"a": {"connector": "plug", "token": TOKEN, "room": "attic"}, "guess": {"token": OTHER, "room": "roof"}}


@pytest.mark.parametrize("desk", [FIXED], indirect=True)
class TestFile:
    async def test_it_wins_and_is_changed_there_only(self, desk: Desk) -> None:
        assert await desk.it.use("a", "plug") == {"token": TOKEN, "room": "attic"}
        for doing in (desk.put(token=OTHER), desk.it.remove("a"), desk.it.change("a", {"room": "x"})):
            with pytest.raises(BadConnection, match=r"beatrelay\.toml, which wins") as caught:
                await doing
            assert caught.value.status == 409

    async def test_a_stored_one_of_the_same_name_is_told_of(self, desk: Desk) -> None:
        desk.it = Connections(desk.journal, VirtualClock(), desk.vault, {"plug": Plug()}, {}, httpx.AsyncClient())
        await desk.put(token=OTHER)
        await desk.journal.close()
        desk.open()
        assert "is not used" in (await desk.it.start())[0]
        assert (await desk.it.use("a", "plug"))["token"] == TOKEN

    async def test_its_secrets_are_masked_too_even_where_nobody_says_whose_it_is(self, desk: Desk) -> None:
        first, second = await desk.it.views()
        assert (first.secrets, first.settings, first.source) == ({"token": "…"}, {"room": "attic"}, "file")
        assert (second.connector, second.secrets, second.settings) == (None, {"token": "…"}, {"room": "roof"})
        assert "canary" not in redact(f"{TOKEN} and {OTHER}")

    async def test_a_test_of_one_that_does_not_say_whose_it_is_needs_to_be_told(self, desk: Desk) -> None:
        with pytest.raises(BadConnection, match="does not say whose it is"):
            await desk.it.test("guess")
        assert await desk.it.test("guess", "plug") == (False, "the token is not known; make a new one")


@pytest.mark.parametrize("desk", [{"a": {"connector": "plug", "tokn": TOKEN}, "b": {"connector": "x"}}], indirect=True)
async def test_what_is_wrong_in_the_file_is_told_at_the_start_and_waits(desk: Desk) -> None:
    told = "\n".join(await desk.it.start())
    assert "[connections.a] plug connections have no `tokn`; did you mean 'token'?" in told
    assert "[connections.b] there is no connector 'x'" in told
    with pytest.raises(Retry, match="cannot be used"):
        await desk.it.use("a", "plug")


async def test_trying_one_tells_how_it_went(desk: Desk) -> None:
    await desk.put(token=TOKEN)
    assert await desk.it.test("a") == (True, "reaches the hall as plug")
    await desk.it.change("a", {"token": OTHER})
    assert await desk.it.test("a") == (False, "the token is not known; make a new one")


class TestChangedInTheFile:
    """Between two starts, with a delivery that waits for its next try."""

    async def started_with(self, desk: Desk, **fixed: dict[str, str]) -> list[str]:
        """Start with this file; which lanes are tried at once."""
        await desk.journal.close()
        desk.fixed, hurried = fixed, list[str]()
        desk.open()
        mended = desk.journal.lanes.mended

        async def seen(lane: str, now: float) -> int:
            hurried.append(lane)
            return await mended(lane, now)

        desk.journal.lanes.mended = seen  # type: ignore[method-assign]  (looked at, not replaced)
        await desk.it.start()
        await desk.it.heed_the_file()
        return hurried

    async def test_only_what_changed_is_hurried_and_only_once(self, desk: Desk) -> None:
        first, second = {"connector": "plug", "token": TOKEN}, {"connector": "plug", "token": OTHER}
        assert await self.started_with(desk, a=first, b=first) == [], "nobody knows what was there before"
        assert await self.started_with(desk, a=first, b=first) == []
        assert await self.started_with(desk, a=first, b=second, c=first) == ["b", "c"]
        assert await self.started_with(desk, a=first, b=second, c=first) == []
        assert await self.started_with(desk, a=first) == []
        assert await self.started_with(desk, a={**first, "room": "cellar"}) == ["a"]

    async def test_how_its_test_went_is_forgotten_with_it(self, desk: Desk) -> None:
        wrong = {"connector": "plug", "token": OTHER}
        await self.started_with(desk, a=wrong)
        await desk.it.test("a")
        await self.started_with(desk, a=wrong)
        tested = (await desk.it.view("a")).tested
        assert tested is not None
        assert (tested.works, tested.message) == (False, "the token is not known; make a new one")
        await self.started_with(desk, a={**wrong, "token": TOKEN})
        assert (await desk.it.view("a")).tested is None

    async def test_nothing_of_its_values_can_be_read_in_the_journal(self, desk: Desk) -> None:
        values = {"connector": "plug", "token": "1234"}
        await self.started_with(desk, a=values)
        await self.started_with(desk, a=values)
        await desk.journal.close()
        written = (desk.folder / "journal.db").read_bytes()
        text = json.dumps(values, separators=(",", ":"), sort_keys=True).encode()
        assert b"connections of the file" in written
        assert hashlib.sha256(text).hexdigest().encode() not in written
        desk.open()

    async def test_one_whose_key_is_lost_is_as_if_it_had_never_been_noted(self, desk: Desk) -> None:
        first = {"connector": "plug", "token": TOKEN}
        await self.started_with(desk, a=first)
        desk.vault = Vault([new_key()])
        assert await self.started_with(desk, a={**first, "token": OTHER}) == []
        assert await self.started_with(desk, a=first) == ["a"]
