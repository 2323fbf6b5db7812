"""A copy is put back: what the relay did since is not in it, and still nothing is paid for or delivered twice."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from tests.integration.conftest import KEY, wait_for
from tests.integration.test_crashes import Scene, zygote

__all__ = ["zygote"]  # a fixture
SONGS = 5


@pytest.fixture
def scene(zygote: subprocess.Popen[str], tmp_path: Path) -> Iterator[Scene]:
    """Beat API's launch contract, which ignores idempotency keys, with room for two tasks at once."""
    with ExitStack() as stack:
        yield Scene(zygote, tmp_path, stack, "launch", sandbox={"concurrency": 2, "balance": 10**9})


def run(scene: Scene, *arguments: str) -> Result:
    environ = {
        "BEATAPI_API_KEY": KEY,
        "BEATRELAY_PUBLIC_URL": scene.relay.url,
        "BEATRELAY_DATA": str(scene.folder / "data"),
    }
    return CliRunner().invoke(main, list(arguments), env=environ)


def told(scene: Scene, *arguments: str) -> str:
    result = run(scene, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def in_file(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(sql)]


def answers(scene: Scene) -> bool:
    try:
        return httpx.get(f"{scene.relay.url}/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False


def unconfirmed(scene: Scene) -> set[str]:
    lines = told(scene, "tasks", "list", "--unconfirmed").splitlines()
    assert all("restored from a copy taken at " in line for line in lines)
    return {line.split()[0] for line in lines}


def received(scene: Scene) -> list[str]:
    """The videos that somebody's webhook was told of, one each time."""
    return sorted(json.loads(body)["task_id"] for _, body in scene.receiver.received)


def lived_on_after_a_copy(scene: Scene) -> Path:
    """A relay that was copied with some of its requests queued and some running, and has ended all of them since."""
    scene.relay.start()
    for number in range(SONGS):
        scene.create(f"song {number}")
    wait_for(lambda: scene.creates() >= 2, "the first requests to be sent")
    copied = scene.folder / "copy"
    assert "Not in it: the vault's key" in told(scene, "backup", str(copied))
    wait_for(lambda: len(received(scene)) == SONGS, "every video to be delivered", seconds=60)
    assert scene.creates() == SONGS
    assert run(scene, "restore", str(copied), "--replace").exit_code == 1, "a relay serves on this folder"
    scene.relay.terminate()
    return copied


def test_what_was_sent_since_the_copy_is_not_sent_again(scene: Scene) -> None:
    copied = lived_on_after_a_copy(scene)
    queued = set(in_file(copied / "journal.db", "SELECT task_id FROM operations WHERE state IN ('queued', 'sending')"))
    assert queued, "nothing was queued in the copy, so nothing is shown"
    open_ones = set(in_file(copied / "journal.db", "SELECT id FROM tasks WHERE status != 'succeeded'")) - queued
    before = received(scene)

    refused = run(scene, "restore", str(copied))
    assert (refused.exit_code, "--replace" in refused.output) == (1, True), "a journal is replaced only when told to"
    said = told(scene, "restore", str(copied), "--replace")
    assert f"{len(queued)} requests" in said
    assert f"{len(open_ones)} tasks were not over" in said
    (aside,) = (scene.folder / "data").glob("journal.db.before-*")
    theirs = dict(
        zip(in_file(aside, "SELECT id FROM tasks"), in_file(aside, "SELECT provider_id FROM tasks"), strict=True)
    )

    scene.relay.start()
    wait_for(lambda: answers(scene), "the relay")
    wait_for(lambda: ended(scene) == SONGS - len(queued), "what was open to be asked for again")
    assert unconfirmed(scene) == queued
    assert scene.creates() == SONGS, "a credit was spent twice"

    adopted, *rest = sorted(queued)
    told(scene, "tasks", "settle", adopted, "--adopt", theirs[adopted])
    told(scene, "tasks", "settle", *rest, "--abandon") if rest else None
    assert unconfirmed(scene) == set()

    late = scene.create("asked for after the restore")
    wait_for(lambda: late in received(scene), "a new video, which is delivered as ever", seconds=60)
    assert received(scene) == sorted([*before, late]), "a delivery landed twice"
    assert scene.creates() == SONGS + 1

    held = told(scene, "deliveries", "list", "--state", "dead", "--error", "restored from a copy")
    assert {task for task in (*open_ones, adopted) if task not in held} == set(), held
    told(scene, "deliveries", "replay", "--task", adopted, "--error", "restored from a copy", "--yes")
    wait_for(lambda: received(scene).count(adopted) == 2, "the delivery that a person wanted again")
    assert "restored from a copy" in told(scene, "why", adopted)
    scene.relay.terminate()


def ended(scene: Scene) -> int:
    return scene.rows("SELECT count(*) FROM tasks WHERE status = 'succeeded'")[0][0]


def test_a_machine_that_lost_everything_gets_it_back(scene: Scene) -> None:
    """Another data folder: journal and videos come from the copy, and nothing needs --replace."""
    scene.relay.start()
    task = scene.create("song")
    wait_for(lambda: received(scene) == [task], "the delivery", seconds=60)
    told(scene, "backup", str(scene.folder / "copy"))
    scene.relay.terminate()
    (scene.folder / "data").rename(scene.folder / "lost")
    said = told(scene, "restore", str(scene.folder / "copy"))
    assert "1 files" in said
    (scene.folder / "lost" / "vault.key").rename(scene.folder / "data" / "vault.key")
    scene.relay.start()
    wait_for(lambda: answers(scene), "the relay")
    (media, name) = scene.rows("SELECT id, name FROM media")[0]
    video = httpx.get(f"{scene.relay.url}/media/{media}/{name}", trust_env=False)
    assert video.content[4:8] == b"ftyp"
    assert (scene.creates(), received(scene)) == (1, [task])
    scene.relay.terminate()
