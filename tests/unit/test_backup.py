"""``beatrelay backup`` and ``beatrelay restore``: what they say, what they refuse, and how they end."""

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.backup import command
from relay.cli import main
from relay.journal import MediaRow, SqliteJournal
from tests.unit.journal.test_sqlite import entry, operation, task

VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(5000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A relay's folder with a queued task, a video, an uploaded sheet and a key."""
    folder = tmp_path / "data"
    asyncio.run(fill(folder))
    (folder / "media" / "task_1").mkdir(parents=True)
    (folder / "media" / "task_1" / "r1-0.mp4").write_bytes(VIDEO)
    (folder / "batches").mkdir()
    (folder / "batches" / "bat_1.csv").write_bytes(b"title\n")
    (folder / "vault.key").write_text("not to be seen\n")
    return folder


async def fill(folder: Path) -> None:
    journal = SqliteJournal.open(folder / "journal.db")
    await journal.tasks.create(task(), operation(), entry())
    await journal.deliveries.add_media(
        MediaRow(
            id="med_1",
            task_id="task_1",
            revision=1,
            position=0,
            source_url="https://x",
            name="task_1.mp4",
            path="task_1/r1-0.mp4",
            mime_type="video/mp4",
            size=len(VIDEO),
            sha256=hashlib.sha256(VIDEO).hexdigest(),
            stored_at=1.0,
        )
    )
    await journal.close()


def run(data: Path, *arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], env={"BEATRELAY_DATA": str(data), **environ})


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def states(data: Path) -> list[str]:
    async def look() -> list[str]:
        journal = SqliteJournal.open(data / "journal.db")
        try:
            return [one.state for one in await journal.tasks.operations("task_1")]
        finally:
            await journal.close()

    return asyncio.run(look())


class TestBackup:
    def test_it_holds_all_but_the_key_and_says_so(self, data: Path, tmp_path: Path) -> None:
        result = run(data, "backup", tmp_path / "copy")
        assert result.exit_code == 0, result.output
        assert names(tmp_path / "copy") == {"journal.db", "backup.json", "media/task_1/r1-0.mp4", "batches/bat_1.csv"}
        assert "media    1 files, 5.0 kB" in result.output
        assert f"Not in it: the vault's key ({data / 'vault.key'})" in result.output
        assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_without_a_name_it_is_named_by_the_time(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(data, "backup").exit_code == 0
        (made,) = tmp_path.glob("beatrelay-backup-*")
        assert re.fullmatch(r"beatrelay-backup-\d{8}T\d{6}Z", made.name)

    def test_it_never_replaces_anything(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "copy").mkdir()
        result = run(data, "backup", tmp_path / "copy")
        assert (result.exit_code, "is there already" in result.output) == (1, True)
        assert names(tmp_path / "copy") == set()

    def test_videos_may_be_left_out(self, data: Path, tmp_path: Path) -> None:
        result = run(data, "backup", tmp_path / "copy", "--no-media")
        assert (result.exit_code, "left out" in result.output) == (0, True)
        assert not (tmp_path / "copy" / "media").exists()

    def test_the_key_goes_with_it_only_when_asked_for(self, data: Path, tmp_path: Path) -> None:
        result = run(data, "backup", tmp_path / "copy", "--with-vault-key")
        assert (result.exit_code, "key is in it" in result.output) == (0, True)
        assert (tmp_path / "copy" / "vault.key").read_text() == "not to be seen\n"
        assert (tmp_path / "copy" / "vault.key").stat().st_mode & 0o777 == 0o600
        elsewhere = run(data, "backup", tmp_path / "other", "--with-vault-key", BEATRELAY_VAULT_KEY="A" * 43 + "=")
        assert (elsewhere.exit_code, "BEATRELAY_VAULT_KEY" in elsewhere.output) == (1, True)
        assert not (tmp_path / "other").exists()

    @pytest.mark.parametrize("content", [None, VIDEO[:-1], VIDEO[:-1] + b"x"])
    def test_a_video_that_is_not_as_it_was_stored_is_named(
        self, data: Path, tmp_path: Path, content: bytes | None
    ) -> None:
        video = data / "media" / "task_1" / "r1-0.mp4"
        video.write_bytes(content) if content is not None else video.unlink()
        result = run(data, "backup", tmp_path / "copy")
        assert (result.exit_code, "media/task_1/r1-0.mp4" in result.output) == (3, True)
        assert names(tmp_path / "copy") == {"journal.db", "backup.json", "batches/bat_1.csv"}

    def test_what_fails_leaves_nothing(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_number: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        result = run(data, "backup", tmp_path / "copy")
        assert (result.exit_code, "No space left" in result.output) == (1, True)
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_too_little_room_is_told_before_the_copying(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage())
        result = run(data, "backup", tmp_path / "copy")
        assert (result.exit_code, "--no-media" in result.output) == (1, True)
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_long_work_says_how_far_it_is(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command.Progress, "EVERY", 0.0)
        result = run(data, "backup", tmp_path / "copy")
        assert "media: 5.0 kB of 5.0 kB (100 %)" in result.output
        assert re.search(r"journal: .* \(100 %\)", result.output)


class _Usage:
    free = 100


class TestRestore:
    @pytest.fixture
    def copy(self, data: Path, tmp_path: Path) -> Path:
        assert run(data, "backup", tmp_path / "copy").exit_code == 0
        return tmp_path / "copy"

    def test_into_an_empty_folder_all_of_it_comes_back(self, copy: Path, tmp_path: Path) -> None:
        result = run(tmp_path / "new", "restore", copy)
        assert result.exit_code == 0, result.output
        assert names(tmp_path / "new") == {
            "journal.db",
            "journal.db.lock",  # no mark yet: the first start makes one
            "media/task_1/r1-0.mp4",
            "batches/bat_1.csv",
        }
        assert states(tmp_path / "new") == ["unconfirmed"]
        assert "1 requests (0 more were unconfirmed already)" in result.output
        assert "pays once more" in result.output
        assert "open the relay again" in result.output

    def test_a_journal_gives_way_only_when_told_to_and_is_kept(self, data: Path, copy: Path) -> None:
        before = (data / "journal.db").read_bytes()
        refused = run(data, "restore", copy)
        assert (refused.exit_code, "--replace" in refused.output) == (1, True)
        assert (data / "journal.db").read_bytes() == before
        assert run(data, "restore", copy, "--replace").exit_code == 0
        (aside,) = data.glob("journal.db.before-*")
        assert states(data) == ["unconfirmed"]
        assert aside.stat().st_size > 0

    def test_a_journal_file_alone_will_do(self, data: Path, copy: Path, tmp_path: Path) -> None:
        result = run(tmp_path / "new", "restore", copy / "journal.db")
        assert (result.exit_code, "media/task_1/r1-0.mp4" in result.output) == (3, True)
        assert "the copy of 1970-01-01T00:00:01Z" in result.output, "as old as the last line of its history"
        assert states(tmp_path / "new") == ["unconfirmed"]

    def test_videos_in_the_store_are_as_good_as_copies(self, data: Path, copy: Path) -> None:
        assert run(data, "restore", copy / "journal.db", "--replace").exit_code == 0

    def test_a_damaged_video_is_not_put_into_the_store(self, copy: Path, tmp_path: Path) -> None:
        (copy / "media" / "task_1" / "r1-0.mp4").write_bytes(b"torn")
        assert run(tmp_path / "new", "restore", copy).exit_code == 3
        assert "media/task_1/r1-0.mp4" not in names(tmp_path / "new")

    def test_a_copy_that_was_put_there_by_hand_is_held_where_it_is(self, data: Path) -> None:
        result = run(data, "restore", data / "journal.db", "--replace")
        assert result.exit_code == 0, result.output
        assert states(data) == ["unconfirmed"]
        assert len(list(data.glob("journal.db.before-*"))) == 1

    def test_a_copy_that_is_not_there_is_told(self, data: Path, tmp_path: Path) -> None:
        result = run(data, "restore", tmp_path / "nowhere", "--replace")
        assert (result.exit_code, "there is no journal at" in result.output) == (1, True)

    @pytest.mark.parametrize("spoil", ["folder", "manifest", "journal"])
    def test_what_is_no_copy_changes_nothing(self, data: Path, copy: Path, spoil: str) -> None:
        if spoil == "folder":
            (copy / "backup.json").unlink()
        elif spoil == "manifest":
            (copy / "backup.json").write_text(json.dumps({"taken_at": "yesterday"}))
        else:
            (copy / "journal.db").write_bytes(b"a diary" * 1000)
        before = names(data)
        assert run(data, "restore", copy, "--replace").exit_code == 1
        assert (names(data), states(data)) == (before, ["queued"])

    def test_a_relay_that_serves_is_not_pulled_from_under_its_feet(self, data: Path, copy: Path) -> None:
        async def serving() -> Result:
            journal = SqliteJournal.open(data / "journal.db")
            try:
                return await asyncio.to_thread(run, data, "restore", copy, "--replace")
            finally:
                await journal.close()

        result = asyncio.run(serving())
        assert (result.exit_code, "another relay is using" in result.output) == (1, True)
        assert states(data) == ["queued"]

    def test_the_key_comes_back_where_there_is_none(self, data: Path, tmp_path: Path) -> None:
        run(data, "backup", tmp_path / "whole", "--with-vault-key")
        result = run(tmp_path / "new", "restore", tmp_path / "whole")
        assert "The vault's key came with the copy" in result.output
        assert (tmp_path / "new" / "vault.key").read_text() == "not to be seen\n"
        (data / "vault.key").write_text("mine\n")
        run(data, "restore", tmp_path / "whole", "--replace")
        assert (data / "vault.key").read_text() == "mine\n", "a key that is there stays"


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2**31, "2.1 GB"), (10**13, "10.0 TB")]
)
def test_sizes_are_for_people(number: int, words: str) -> None:
    assert command.size(number) == words
