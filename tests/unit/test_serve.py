"""Before the relay starts: what must be there, and what would be unsafe."""

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.journal import JournalError
from relay.journal.folder import unfit
from relay.log import redact
from relay.serve import filesystem, listen, refuse_volatile
from relay.settings import Settings


def run(*arguments: str, **environ: str) -> tuple[int, str]:
    clean = {name: None for name in os.environ if name.startswith(("BEATAPI_", "BEATRELAY_"))}
    result = CliRunner().invoke(main, arguments, env={**clean, **environ})
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_wrong_setting_stops_the_start() -> None:
    status, text = run("serve", BEATRELAY_PORT="x")
    assert status == 1
    assert "BEATRELAY_PORT is 'x'; it must be a whole number from 0 to 65535" in text
    assert "Traceback" not in text


KEYS = {
    "BEATAPI_API_KEY": "sk_a_key_of_mine",
    "BEATAPI_WEBHOOK_SECRET": "whsec_mine",
    "BEATRELAY_VOLATILE_JOURNAL": "yes",
}


def test_a_port_in_use_is_said_with_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, text = run("serve", "--port", str(taken.getsockname()[1]), **KEYS)
    assert status == 1
    assert "cannot be listened on" in text
    assert "BEATRELAY_PORT" in text


def test_a_broken_recipe_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "bad.yaml").write_text("name: x\non: task.suceeded\nsteps: { a: { use: http } }\n")
    status, text = run("serve", "--port", "0", **KEYS)
    assert status == 1
    assert "bad.yaml:2:5: 'task.suceeded' is not an event" in text
    assert "did you mean 'task.succeeded'?" in text


def test_a_journal_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("relay.serve.filesystem", lambda path: "tmpfs")
    with pytest.raises(JournalError, match="set BEATRELAY_DATA to a folder on disk"):
        refuse_volatile(Settings(data=tmp_path))
    refuse_volatile(Settings(data=tmp_path, volatile_journal=True))


@contextmanager
def refused_by_its_owner(folder: Path) -> Iterator[int]:
    """``folder`` may be read, and not be written in; gives the number of the user who tries."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield os.geteuid()
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_data_folder_that_is_not_ours_is_said_with_who_we_are_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        Path(folder).chmod(0o755)
        monkeypatch.chdir(folder)
        with refused_by_its_owner(Path(folder) / "data") as user:
            status, text = run("serve", "--port", "0", BEATRELAY_DATA=f"{folder}/data", **KEYS)
        monkeypatch.undo()
    assert status == 1
    assert f"the data folder {folder}/data cannot be written in by user {user}" in text
    assert f"chown -R {user}:" in text
    assert "for a container" in text
    assert "Traceback" not in text


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    status, text = run("serve", "--port", "0", BEATRELAY_DATA=str(tmp_path / "notes.txt"), **KEYS)
    assert (status, f"the data folder {tmp_path}/notes.txt is a file" in text) == (1, True)
    status, text = run("serve", "--port", "0", BEATRELAY_DATA=str(tmp_path / "notes.txt" / "data"), **KEYS)
    assert (status, f"the data folder {tmp_path}/notes.txt/data is a file, or leads through one" in text) == (1, True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EROFS, "lies on a read-only file system"),
        (errno.ENOSPC, "the disk is full; make room on it"),
        (errno.EIO, "the disk fails"),
        (errno.ENAMETOOLONG, "File name too long"),
    ],
)
def test_what_a_data_folder_lacks_is_said_in_words(number: int, says: str) -> None:
    text = unfit(Path("/data"), OSError(number, os.strerror(number)))
    assert says in text
    assert "the data folder /data" in text
    assert f"user {os.geteuid()}" in text
    assert "BEATRELAY_DATA" in text


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="this machine has no /proc/mounts to read")
def test_the_file_system_is_told_by_its_mount() -> None:
    assert filesystem(Path("/proc/self")) == "proc"
    assert filesystem(Path("/")) not in ("", "proc")


def test_port_0_gives_a_free_one() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk_live_1234567890 failed", "key sk_… failed"),
        ("secret whsec_MfKQ9r8GKYqrTwj==", "secret whsec_…"),
        ("Authorization: Bearer abcdef", "Authorization: Bearer …"),
        ("task_019e1234567890 is fine", "task_019e1234567890 is fine"),
    ],
)
def test_log_lines_show_no_secret(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_help_teaches() -> None:
    status, text = run("--help")
    assert status == 0
    assert "watch the whole line work" in text
    assert "BEATRELAY_RETENTION_DAYS" in run("serve", "--help")[1]
    assert "x-sandbox-fault" in run("sandbox", "--help")[1]


def test_the_openapi_document_is_checked_for_drift(tmp_path: Path) -> None:
    assert run("openapi")[0] == 0
    assert run("openapi", "--check")[0] == 0
    (tmp_path / "openapi" / "beatrelay.json").write_text("{}")
    status, text = run("openapi", "--check")
    assert (status, "is out of date" in text) == (1, True)


def test_why_says_what_to_do_when_there_is_nothing_to_tell(tmp_path: Path) -> None:
    status, text = run("why", "task_1", "--data", str(tmp_path / "nowhere"))
    assert (status, "there is no journal at" in text) == (1, True)


def test_recipes_are_checked_and_previewed(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(
        "name: x\non: task.succeeded\nsteps: { a: { use: http, with: { url: 'https://x/{{ task.id }}' } } }\n"
    )
    assert run("recipes", "check", str(good)) == (0, "1 recipe is fine\n")
    assert '"url": "https://x/task_' in run("recipes", "preview", str(good))[1]
    good.write_text(good.read_text().replace("task.id", "task.idd"))
    status, text = run("recipes", "check", str(good))
    assert (status, "`task.idd` is not there" in text) == (1, True)
    assert run("recipes", "preview", str(good))[0] == 1
