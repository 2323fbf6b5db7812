"""The vault's key is lost: the relay says so, is started without what it opened, and asks for that again."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.commands.vault import lost_in
from relay.flow.notes import JournalNotes
from relay.journal import DeliveryRow, SqliteJournal
from relay.vault import new_key, open_vault, write_keys
from tests.browser_pages import Browser, invitation
from tests.integration.conftest import KEY, Line, wait_for
from tests.integration.test_crashes import Scene, zygote
from tests.integration.test_vault_rotation import fill, settings
from tests.virtual import VirtualClock

__all__ = ["zygote"]  # a fixture


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with something of each kind that is sealed, and two deliveries under way, one with notes."""
    vault = open_vault([], tmp_path / "data" / "vault.key")
    asyncio.run(fill(tmp_path / "data", vault))
    asyncio.run(deliveries(tmp_path / "data"))
    return tmp_path / "data"


async def deliveries(folder: Path) -> None:
    journal = SqliteJournal.open(folder / "journal.db")
    basis = {"task_id": "t", "revision": 1, "recipe": "r", "recipe_hash": "h", "use": "http", "connection": None}
    rows = [
        DeliveryRow(id=name, event_id=name, step="s", state="due", created_at=1.0, updated_at=1.0, due_at=9e9, **basis)  # type: ignore[arg-type]
        for name in ("dlv_1", "dlv_without_notes")
    ]
    await journal.deliveries.add(rows, [])
    await journal.close()


def run(data: Path, *arguments: str, answer: str = "", **environ: str) -> Result:
    known = {"BEATRELAY_DATA": str(data), "BEATAPI_API_KEY": KEY, "BEATRELAY_VOLATILE_JOURNAL": "yes", **environ}
    return CliRunner().invoke(main, list(arguments), env=known, input=answer)


def states(data: Path) -> dict[str, tuple[str, str | None]]:
    async def look() -> dict[str, tuple[str, str | None]]:
        journal = SqliteJournal.open(data / "journal.db")
        try:
            return {row.id: (row.state, row.error) for row in await journal.deliveries.of_task("t")}
        finally:
            await journal.close()

    return asyncio.run(look())


def test_no_key_is_made_while_something_is_sealed_and_the_error_says_what_to_do(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "vault.key").unlink()
    monkeypatch.chdir(data)
    for command in (["vault", "rotate"], ["serve", "--port", "0"]):
        result = run(data, *command)
        assert result.exit_code == 1
        for words in ("is not there", str(data / "vault.key"), "BEATRELAY_VAULT_KEY", "beatrelay vault lost"):
            assert words in result.output, command
        assert not (data / "vault.key").exists(), "a key that opens nothing only hides what has happened"


def test_what_no_key_opens_is_listed_and_kept_until_told(data: Path) -> None:
    assert run(data, "vault", "lost").output.startswith("everything that is sealed opens")
    (data / "vault.key").rename(data / "elsewhere")
    listed = run(data, "vault", "lost")
    assert listed.exit_code == 1
    for line in (
        "connection hook: its secrets",
        "connection team: its secrets",
        "endpoint ep_0: the secret that signs what it is sent",
        "the relay's own beatapi_api_key",
        "20 notes of connectors",
    ):
        assert line in listed.output
    refused = run(data, "vault", "lost", "--forget", answer="n\n")
    assert (refused.exit_code, "Aborted" in refused.output) == (1, True)
    assert len(asyncio.run(lost_in(settings(data)))) == 27
    (data / "elsewhere").rename(data / "vault.key")
    assert run(data, "vault", "lost").exit_code == 0, "the key was found"


def test_only_what_does_not_open_is_forgotten(data: Path) -> None:
    """Some was sealed with a key that is still there."""
    old = (data / "vault.key").read_text()
    (data / "vault.key").unlink()
    write_keys(data / "vault.key", [new_key()])
    asyncio.run(note(data, "dlv_5"))
    assert run(data, "vault", "lost", "--forget", "--yes").exit_code == 0
    assert asyncio.run(note(data, "dlv_5")) == "of the new key"
    (data / "vault.key").write_text(old)
    assert asyncio.run(lost_in(settings(data))) == ["notes/dlv_5/session"]


async def note(data: Path, scope: str) -> str | None:
    """A note as the relay with today's key writes and reads it."""
    journal = SqliteJournal.open(data / "journal.db")
    try:
        notes = JournalNotes(journal, VirtualClock(), open_vault([], data / "vault.key"), scope)
        if (data / "noted").exists():
            return await notes.get("session")
        (data / "noted").touch()
        await notes.put("session", "of the new key")
        return None
    finally:
        await journal.close()


def test_a_delivery_whose_notes_are_gone_is_held(data: Path) -> None:
    (data / "vault.key").unlink()
    said = run(data, "vault", "lost", "--forget", "--yes")
    assert "1 deliveries under way became dead letters" in said.output
    after = states(data)
    assert after["dlv_without_notes"] == ("due", None)
    assert after["dlv_1"][0] == "dead"
    assert "sealed with a key that is lost" in (after["dlv_1"][1] or "")


@pytest.fixture
def scene(zygote: subprocess.Popen[str], tmp_path: Path, data: Path) -> Iterator[Scene]:
    """Its relay serves on ``data``."""
    assert data == tmp_path / "data"
    with ExitStack() as stack:
        yield Scene(zygote, tmp_path, stack, "launch")


def test_the_relay_starts_again_and_asks_for_what_is_missing(scene: Scene, data: Path) -> None:
    (data / "vault.key").unlink()
    assert run(data, "vault", "lost", "--forget", "--yes").exit_code == 0
    scene.relay.start()
    wait_for(lambda: answers(scene), "the relay")
    assert (data / "vault.key").exists(), "nothing is sealed any more, so a new key is right"
    client = httpx.Client(
        base_url=scene.relay.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False, timeout=20
    )
    with client:
        listed = {one["name"]: one for one in client.get("/relay/v1/connections").json()["data"]["data"]}
        assert (listed["team"]["lost"], listed["team"]["secrets"]) == (True, {})
        assert listed["team"]["settings"] == {"channel": "#releases"}, "what was no secret is still there"
        tried = client.post("/relay/v1/connections/team/test").json()["data"]
        assert (tried["ok"], "give them again" in tried["message"]) == (False, True)
        with Browser(scene.relay.url) as browser:
            line = Line(scene.relay.url, scene.sandbox_url, None, scene.receiver, data)  # type: ignore[arg-type]
            browser.fill(invitation(line), name="Ada", password="correct horse battery")
            line.client.close()
            assert "needs its secret again" in browser.see("/connections")
            assert "It needs its secret again" in browser.see("/connections/team")
            assert "Make a new secret below" in browser.see("/endpoints/ep_0")
        short = client.patch("/relay/v1/connections/team", json={"settings": {"channel": "#ops"}})
        assert (short.status_code, "are lost; give them" in short.text) == (400, True)
        given = client.patch("/relay/v1/connections/team", json={"settings": {"token": "xoxb-given-again"}})
        assert given.status_code == 200, given.text
        assert given.json()["data"]["lost"] is False
        rotated = client.post("/relay/v1/endpoints/ep_0/rotate", json={})
        assert rotated.status_code in (200, 201), rotated.text
        assert rotated.json()["data"]["secret"].startswith("whsec_")
    os.kill(scene.relay.pid, signal.SIGTERM)
    wait_for(lambda: not answers(scene), "the end")
    said = run(data, "vault", "lost")
    assert (said.exit_code, "everything that is sealed opens" in said.output) == (0, True)


def answers(scene: Scene) -> bool:
    try:
        return httpx.get(f"{scene.relay.url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False
