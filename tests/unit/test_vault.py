"""The vault's promises: unreadable without the key, good at one place only, and never lost by a rotation."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.commands.vault import rotate
from relay.flow.notes import JournalNotes
from relay.journal import SqliteJournal, place_of
from relay.settings import Settings
from relay.vault import Vault, VaultError, new_key, open_vault, read_keys, write_keys
from tests.virtual import VirtualClock

SECRET = "whsec_canary_canary_canary"


def settings(folder: Path, **more: object) -> Settings:
    return Settings(data=folder, **more)  # type: ignore[arg-type]  (a test's own settings)


async def noted(folder: Path, vault: Vault, value: str | None = None) -> str | None:
    """Write a note, or read it, as a connector does."""
    journal = SqliteJournal.open(folder / "journal.db")
    try:
        notes = JournalNotes(journal, VirtualClock(), vault, "dlv_1")
        if value is not None:
            await notes.put("session", value)
        return await notes.get("session")
    finally:
        await journal.close()


class TestSealing:
    def test_what_is_sealed_can_be_opened_and_not_read(self) -> None:
        vault = Vault([new_key()])
        sealed = vault.seal(SECRET, "connections/a")
        assert SECRET.encode() not in sealed
        assert vault.open(sealed, "connections/a") == SECRET
        assert vault.seal(SECRET, "connections/a") != sealed, "two seals of the same must not look the same"

    def test_another_key_is_refused_by_its_name(self) -> None:
        mine, other = Vault([new_key()]), Vault([new_key()], "vault.key")
        with pytest.raises(VaultError) as caught:
            other.open(mine.seal(SECRET, "connections/a"), "connections/a")
        assert mine.key_ids[0] in str(caught.value)
        assert other.key_ids[0] in str(caught.value)
        assert SECRET not in str(caught.value)

    def test_a_value_moved_to_another_place_is_refused(self) -> None:
        vault = Vault([new_key()])
        with pytest.raises(VaultError, match="changed or moved"):
            vault.open(vault.seal(SECRET, "connections/bank"), "connections/thief")

    @pytest.mark.parametrize("position", [4, 6, 20, -1])
    def test_a_changed_byte_is_refused(self, position: int) -> None:
        vault = Vault([new_key()])
        sealed = bytearray(vault.seal(SECRET, "a"))
        sealed[position] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(sealed), "a")

    @pytest.mark.parametrize("text", [b"", b"plain", b"\x01short"])
    def test_what_was_never_sealed_is_refused(self, text: bytes) -> None:
        with pytest.raises(VaultError):
            Vault([new_key()]).open(text, "a")

    @pytest.mark.parametrize("key", ["", "short", "A" * 44, "ä" * 44])
    def test_a_wrong_key_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(VaultError) as caught:
            Vault([key])
        assert not key or key not in str(caught.value)


class TestKeyFile:
    def test_it_is_made_once_for_the_owner_only(self, tmp_path: Path) -> None:
        file = tmp_path / "deep" / "vault.key"
        first = open_vault([], file)
        assert file.stat().st_mode & 0o777 == 0o600
        assert open_vault([], file).key_ids == first.key_ids

    def test_one_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "vault.key"
        write_keys(file, [new_key()])
        file.chmod(0o640)
        with pytest.raises(VaultError, match="chmod 600"):
            open_vault([], file)

    def test_the_environment_wins_and_leaves_no_file(self, tmp_path: Path) -> None:
        assert len(open_vault([new_key(), new_key()], tmp_path / "vault.key").key_ids) == 2
        assert not (tmp_path / "vault.key").exists()

    def test_an_empty_one_is_refused(self, tmp_path: Path) -> None:
        write_keys(tmp_path / "vault.key", [])
        with pytest.raises(VaultError, match="holds no key"):
            open_vault([], tmp_path / "vault.key")


class TestRotation:
    def test_with_a_file_the_old_key_is_gone_and_everything_opens(self, tmp_path: Path) -> None:
        before = open_vault([], tmp_path / "vault.key")
        asyncio.run(noted(tmp_path, before, SECRET))
        count, after = asyncio.run(rotate(settings(tmp_path)))
        assert (count, len(read_keys(tmp_path / "vault.key"))) == (1, 1)
        assert after.key_ids != before.key_ids
        assert asyncio.run(noted(tmp_path, open_vault([], tmp_path / "vault.key"))) == SECRET
        with pytest.raises(VaultError):
            asyncio.run(noted(tmp_path, before))

    def test_with_keys_of_the_environment_the_first_one_is_enough_afterwards(self, tmp_path: Path) -> None:
        old, new = new_key(), new_key()
        asyncio.run(noted(tmp_path, Vault([old]), SECRET))
        asyncio.run(rotate(settings(tmp_path, vault_key=[new, old])))
        assert asyncio.run(noted(tmp_path, Vault([new]))) == SECRET

    def test_without_the_old_key_nothing_changes(self, tmp_path: Path) -> None:
        old = Vault([new_key()])
        asyncio.run(noted(tmp_path, old, SECRET))
        with pytest.raises(VaultError):
            asyncio.run(rotate(settings(tmp_path, vault_key=[new_key()])))
        assert asyncio.run(noted(tmp_path, old)) == SECRET

    def test_killed_before_the_old_key_was_removed_it_can_be_run_again(self, tmp_path: Path) -> None:
        file = tmp_path / "vault.key"
        asyncio.run(noted(tmp_path, open_vault([], file), SECRET))
        write_keys(file, [new_key(), *read_keys(file)])  # as a rotation leaves it that was killed before it resealed
        asyncio.run(rotate(settings(tmp_path)))
        assert len(read_keys(file)) == 1
        assert asyncio.run(noted(tmp_path, open_vault([], file))) == SECRET

    def test_the_command_says_what_it_did(self, tmp_path: Path) -> None:
        asyncio.run(noted(tmp_path, open_vault([], tmp_path / "vault.key"), SECRET))
        said = run(["vault", "rotate"], {"BEATRELAY_DATA": str(tmp_path)})
        assert "1 stored secrets are sealed with key" in said
        assert len(Vault([run(["vault", "key"], {}).strip()]).key_ids) == 1


def run(command: list[str], environ: Mapping[str, str]) -> str:
    result = CliRunner().invoke(main, [*command], env=dict(environ))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_key_is_checked_against_the_journal(tmp_path: Path) -> None:
    async def look(vault: Vault) -> None:
        journal = SqliteJournal.open(tmp_path / "journal.db")
        try:
            for sealed, place in await journal.sealed.sample():
                assert place == place_of("notes", "dlv_1", "session")
                vault.open(sealed, place)
        finally:
            await journal.close()

    right = Vault([new_key()])
    asyncio.run(noted(tmp_path, right, SECRET))
    asyncio.run(look(right))
    with pytest.raises(VaultError, match="was sealed with key"):
        asyncio.run(look(Vault([new_key()])))


def test_a_note_is_nowhere_on_the_disk_in_plain(tmp_path: Path) -> None:
    asyncio.run(noted(tmp_path, Vault([new_key()]), SECRET))
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.glob("journal.db*"))
