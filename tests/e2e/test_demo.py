"""The demo, as a person starts it: it says what happened only if it truly did."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

LAST = "demo: 3 succeeded, 3 archived, 3 delivered, 0 lost"


def test_three_songs_become_three_delivered_videos_even_with_every_usual_port_in_use(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for port in (8787, 8788, 8789):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
            except OSError:
                continue  # somebody else has it: just as well
        run = subprocess.run(
            [sys.executable, "-m", "relay.cli", "demo", "--once", "--data", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=90,
            env={**os.environ, "BEATAPI_API_KEY": "sk_must_not_matter", "BEATRELAY_VOLATILE_JOURNAL": ""},
        )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert lines[-1] == LAST
    assert run.stdout.count("demo:") == 2, "the title and the last line"
    for what in ("sandbox", "relay", "catch server"):
        assert f"is in use: the {what} takes" in run.stdout
    assert "poll (webhook dropped)" in run.stdout, "polling saved the day, and it shows"

    videos = list((tmp_path / "media").rglob("*.mp4"))
    assert len(videos) == 3
    connection = sqlite3.connect(tmp_path / "journal.db")
    learnt = [
        json.loads(data)["learnt_by"]
        for (data,) in connection.execute("SELECT data FROM history WHERE kind = 'task.finished'")
    ]
    connection.close()
    assert set(learnt) == {"poll", "webhook"}
