"""``beatrelay vault rotate`` over everything that is sealed, killed at any moment: nothing becomes unreadable."""

import ast
import asyncio
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from connectors.http import Http
from connectors.slack import Slack
from relay.commands.vault import rotate
from relay.flow.connections import Connections
from relay.flow.notes import JournalNotes
from relay.journal import EndpointRow, SqliteJournal, place_of
from relay.journal.sqlite_sealed import _PLACES as PLACES
from relay.settings import Settings
from relay.vault import Vault, VaultError, new_key, open_vault, read_keys
from tests.forks import dying, forks
from tests.virtual import VirtualClock

RELAY = Path(__file__).resolve().parents[2] / "relay"
SEEDS = 100


async def fill(folder: Path, vault: Vault) -> None:
    """Something of each kind that is sealed."""
    journal, clock = SqliteJournal.open(folder / "journal.db"), VirtualClock()
    async with httpx.AsyncClient(trust_env=False) as client:
        kinds = {"http": Http(), "slack": Slack()}
        connections = Connections(journal, clock, vault, kinds, {}, client)
        await connections.put("hook", "http", {"url": "https://example.com/secret-path", "token": "secret-bearer"})
        await connections.put("team", "slack", {"token": "xoxb-secret", "channel": "#releases"})
    for number in range(20):
        await JournalNotes(journal, clock, vault, f"dlv_{number}").put("session", f"secret-session-{number}")
    for number in range(3):
        name = f"ep_{number}"
        sealed = vault.seal(f"whsec_secret_{number}", place_of("endpoints", name))
        await journal.endpoints.add(an_endpoint(name, sealed))
    for name in ("beatapi_api_key", "beatapi_webhook"):
        await journal.secrets.put_secret(name, vault.seal(f"secret-{name}", place_of("secrets", name)), 1.0)
    await journal.close()


def an_endpoint(name: str, sealed: bytes) -> EndpointRow:
    return EndpointRow(
        id=name,
        kind="webhook",
        status="active",
        url="https://example.com",
        events="task.succeeded",
        secret=sealed,
        created_at=1.0,
        updated_at=1.0,
    )


def sealed_values(folder: Path) -> dict[str, bytes]:
    """Every sealed value of a journal by its place, read past the code under test."""
    found: dict[str, bytes] = {}
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        for table, keys, column in PLACES:
            wanted = f"SELECT {column}, {', '.join(keys)} FROM {table} WHERE {column} IS NOT NULL"
            found |= {place_of(table, *key): value for value, *key in connection.execute(wanted)}
    return found


def opened(folder: Path, vault: Vault) -> dict[str, str]:
    return {place: vault.open(value, place) for place, value in sealed_values(folder).items()}


def settings(folder: Path, keys: list[str] | None = None) -> Settings:
    return Settings(data=folder, vault_key=keys or [])


def test_everything_is_sealed_anew_and_the_old_key_opens_nothing(tmp_path: Path) -> None:
    old = open_vault([], tmp_path / "vault.key")
    asyncio.run(fill(tmp_path, old))
    before = opened(tmp_path, old)
    assert {place.partition("/")[0] for place in before} == {table for table, _, _ in PLACES}
    count, _ = asyncio.run(rotate(settings(tmp_path)))
    assert count == len(before) == 27
    assert len(read_keys(tmp_path / "vault.key")) == 1
    assert opened(tmp_path, open_vault([], tmp_path / "vault.key")) == before
    for place, value in sealed_values(tmp_path).items():
        with pytest.raises(VaultError):
            old.open(value, place)


def test_whatever_is_sealed_anywhere_is_known_to_the_rotation() -> None:
    named: set[str] = set()
    for file in RELAY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "place_of":
                named |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
    assert named == {table for table, _, _ in PLACES}


def killed_rotation(folder: str, keys: list[str], moment: int) -> None:
    """Rotate, and die at a moment."""
    with dying(moment):
        asyncio.run(rotate(settings(Path(folder), keys)))


@pytest.mark.parametrize("where", ["file", "environment"])
def test_killed_at_any_moment_all_of_it_opens_and_it_can_be_run_again(tmp_path: Path, where: str) -> None:
    filled, file = tmp_path / "filled", tmp_path / "filled" / "vault.key"
    keys = [new_key(), new_key()] if where == "environment" else []
    first = Vault(keys[1:]) if keys else open_vault([], file)
    asyncio.run(fill(filled, first))
    before = opened(filled, first)
    shutil.copytree(filled, tmp_path / "whole")
    moments = int(
        forks().call(f"{__name__}:killed_rotation", folder=str(tmp_path / "whole"), keys=keys, moment=0).lines[0]
    )
    killed = resealed = 0
    for seed in range(SEEDS // 2):
        folder = tmp_path / str(seed)
        shutil.copytree(filled, folder)
        first_moment = 1 if seed % 2 else moments * 9 // 10  # opening the journal takes most of them
        moment = random.Random(seed).randint(first_moment, moments)
        ended = forks().call(f"{__name__}:killed_rotation", folder=str(folder), keys=keys, moment=moment)
        killed += ended.code == -signal.SIGKILL
        asyncio.run(noticed(folder))
        assert opened(folder, open_vault(keys, folder / "vault.key")) == before, f"seed {seed}"
        heads = {value[1:5] for value in sealed_values(folder).values()}
        assert len(heads) == 1, "all of it or nothing"
        resealed += heads != {value[1:5] for value in sealed_values(filled).values()}
        asyncio.run(rotate(settings(folder, keys)))
        assert opened(folder, Vault(keys[:1]) if keys else open_vault([], folder / "vault.key")) == before
        assert keys or len(read_keys(folder / "vault.key")) == 1
        shutil.rmtree(folder)
    assert killed >= SEEDS // 2 - 2, "the last moments may not come: threads end in any order"
    assert 3 < resealed < SEEDS // 2 - 3, "kills fell before and after the moment that counts"


async def noticed(folder: Path) -> None:
    """A journal opens after the kill, whatever its write-ahead log holds."""
    await SqliteJournal.open(folder / "journal.db").close()
