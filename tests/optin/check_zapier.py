"""``make check-zapier``: Zapier's own platform core drives a live relay.

Needs Node and a folder into which you have installed the core, whose licence binds you and not this project::

    npm install --prefix /somewhere zapier-platform-core
    BEATRELAY_ZAPIER_CORE=/somewhere make check-zapier
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.integration.conftest import KEY, Line
from tests.integration.conftest import start as start

APP = Path(__file__).with_name("zapier_app.js")


def test_zapiers_own_platform_drives_the_relay(start: Callable[..., Line]) -> None:
    folder = os.environ.get("BEATRELAY_ZAPIER_CORE", "")
    modules = Path(folder or "/nonexistent") / "node_modules"
    assert (modules / "zapier-platform-core").is_dir(), (
        "BEATRELAY_ZAPIER_CORE must name a folder in which `npm install zapier-platform-core` was run"
    )
    line = start(recipe="", allow_private=["127.0.0.0/8"])
    environ = {**os.environ, "NODE_PATH": str(modules), "RELAY_URL": line.url, "RELAY_KEY": KEY}
    done = subprocess.run(["node", str(APP)], env=environ, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["problem"] == [], "the app is not valid to Zapier"
    assert said["problems"] == [], "Zapier's checks of a trigger's samples fail"
    assert said["subscribeData"]["id"]
    assert (said["made"]["state"], said["again"]["state"]) == ("new", "known"), "one row, one task"
    assert said["made"]["task_id"] == said["again"]["task_id"]
    (event,) = said["events"]
    assert (event["task_id"], event["status"]) == (said["made"]["task_id"], "succeeded")
    assert said["listed"] == [event], "a sample is what is posted"
    assert not [key for key, value in event.items() if isinstance(value, dict | list)], "flat"
    assert (said["ended"], said["twice"]) == ({}, {})
    assert said["refused"] == "ResponseError"
    print(f"\nzapier-platform-core {said['core']}: subscribed, made, posted, listed, unsubscribed")
