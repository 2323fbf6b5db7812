"""500 rows, a provider that fails, a relay that is killed ten times: 500 results, each charged for once."""

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openpyxl
from click.testing import CliRunner

from relay.cli import main
from tests.integration.conftest import KEY, wait_for
from tests.integration.test_crashes import Scene, zygote
from tests.unit.sheets.books import xlsx

__all__ = ["zygote"]  # a fixture

ROWS, KILLS = 500, 10
DIGEST = """\
name: Digest
on: batch.completed
steps:
  tell:
    use: http
    connection: hook
    with: { body: { name: "{{ batch.name }}", done: "{{ batch.done }}", failed: "{{ batch.failed }}" } }
"""
FAULTS = {
    "drop_webhooks": 0.2,
    "duplicate_webhooks": True,
    "reorder": True,
    "error_rate": 0.02,
    "lost_answers": 0.02,
    "fail_rate": 0.02,
}
SPEED = 600.0


class Killer(threading.Thread):
    """Kills the relay at seeded moments, spread over the whole batch, and starts it again."""

    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(daemon=True)
        self._scene, self._chance = scene, random.Random(seed)
        self.kills = 0

    def run(self) -> None:
        wait_for(lambda: self._scene.rows("SELECT 1 FROM batches WHERE state = 'running'"), "the start", 240)
        for number in range(KILLS):
            due = number * ROWS // KILLS
            wait_for(lambda due=due: accepted(self._scene) >= due, f"{due} creates", 240)
            time.sleep(self._chance.uniform(0.0, 0.3))  # the moment itself, drawn from the seed
            self._scene.relay.kill()
            self.kills += 1
            self._scene.relay.start()


def sheet() -> bytes:
    """Each row is another song with the same prompt, so that the sandbox draws one film for all."""
    host = "https://media.example.com"
    rows = [[f"Song {n}", f"{host}/{n}.mp3", f"{host}/{n}.png", "square", "Neon rooftop"] for n in range(ROWS)]
    return xlsx([["Title", "Audio", "Image 1", "Format", "Prompt"], *rows])


def run_and_leave(file: Path, environ: dict[str, str], scene: Scene) -> str:
    """``beatrelay batch run`` until a fifth is asked for, then Ctrl-C; gives the batch's id as it is told."""
    command = [sys.executable, "-c", "from relay.cli import main; main()", "batch", "run", str(file), "--yes"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: accepted(scene) >= ROWS // 5, "a fifth of the creates", 240)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    found = re.search(r"beatrelay batch attach (bat_\w+)", told.replace("\n", " "))
    assert found, told
    return found[1]


def results(file: Path) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(file).active
    assert sheet is not None
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def test_a_sheet_of_500_survives_ten_kills_without_a_loss_or_a_double_charge(
    zygote: subprocess.Popen[str], tmp_path: Path
) -> None:
    options = {"speed": SPEED, "concurrency": 5, "balance": 10**9}
    with ExitStack() as stack:
        scene = Scene(zygote, tmp_path, stack, "current", DIGEST, options, timeout_seconds=2.0, lease_seconds=3.0)
        scene.faults(**FAULTS)
        scene.relay.start()
        wait_for(lambda: answers(scene), "the relay")
        file = tmp_path / "songs.xlsx"
        file.write_bytes(sheet())
        environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": scene.relay.url, "COLUMNS": "200"}
        killer = Killer(scene, 0)
        killer.start()
        batch_id = run_and_leave(file, environ, scene)
        told = CliRunner().invoke(main, ["batch", "attach", batch_id, "--output", str(file)], env=environ)
        killer.join(240)
        assert (told.exit_code, killer.kills) == (0, KILLS), told.output
        wait_for(lambda: scene.receiver.received, "the digest")
        check_books(scene, results(file))
        again = CliRunner().invoke(main, ["batch", "run", str(file), "--dry-run"], env=environ)
        assert "0  new" not in again.output
        assert f"{ROWS - failed_rows(scene)}  asked for before" in again.output
        scene.relay.terminate()


def answers(scene: Scene) -> bool:
    try:
        return httpx.get(f"{scene.relay.url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def accepted(scene: Scene) -> int:
    time.sleep(0.1)  # between two looks: the journal is the relay's to work with
    return scene.rows("SELECT count(*) FROM operations WHERE state = 'accepted'")[0][0]


def failed_rows(scene: Scene) -> int:
    return scene.rows("SELECT count(*) FROM tasks WHERE status = 'failed'")[0][0]


def check_books(scene: Scene, rows: list[dict[str, Any]]) -> None:
    """Each row has its own end; each create was paid for once; the digest came and tells the same."""
    ledger = httpx.get(f"{scene.sandbox_url}/sandbox/ledger", trust_env=False).json()["data"]
    assert ledger["creates"] == ROWS, "a row was charged twice, or never"
    assert ledger["peak_concurrency"] <= 5
    ends = Counter(row["Status"] for row in rows)
    failed = failed_rows(scene)
    assert ends == Counter({"succeeded": ROWS - failed, "failed": failed})
    assert 0 < failed < ROWS // 10, "the faults were off"
    assert len({row["Task ID"] for row in rows}) == ROWS
    assert all(row["Finished at"] for row in rows)
    videos = [row["Video URL"] for row in rows if row["Status"] == "succeeded"]
    assert len(set(videos)) == ROWS - failed
    assert all(video.startswith(f"{scene.relay.url}/media/med_") for video in videos)
    assert httpx.get(videos[-1], trust_env=False).content[4:8] == b"ftyp"
    assert all("refunded" in row["Error"] for row in rows if row["Status"] == "failed")
    (told,) = {body for _, body in scene.receiver.received}
    assert json.loads(told) == {"name": "songs.xlsx", "done": ROWS - failed, "failed": failed}
