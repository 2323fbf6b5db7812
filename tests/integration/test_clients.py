"""Clients written for Beat API run unchanged against the sandbox, which stands in for it, and against the relay: only
the base URL differs."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.contract.document import document
from relay.contract.examples import REQUESTS
from tests.document_client import DocumentClient
from tests.integration.conftest import KEY, Line, wait_for
from tests.songs import picture
from tests.unit.contract.test_yaml import FOLDER, Reference

Start = Callable[..., Line]
PAGE = Path("docs/how-to/call-the-api.md").read_text(encoding="utf-8")
DOCUMENTS: dict[str, Any] = {
    "the relay's": json.loads(Path("openapi/beatrelay.json").read_bytes()),
    "the sandbox's": document("Sandbox", "1", ""),
}
if (FOLDER / "launch.openapi.yaml").exists():
    DOCUMENTS["the reference"] = Reference(FOLDER / "launch.openapi.yaml").whole


def snippet(language: str) -> str:
    """The one block of the page in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def run(line: Line, to: str, command: list[str], folder: Path) -> str:
    url = {"relay": line.url, "sandbox": line.sandbox_url}[to]
    environ = {"PATH": os.environ["PATH"], "BEATAPI_BASE_URL": url, "BEATAPI_API_KEY": KEY, "POLL_SECONDS": "0.1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="the system package curl is not installed")
@pytest.mark.parametrize("to", ["sandbox", "relay"])
def test_curl(start: Start, to: str, tmp_path: Path) -> None:
    line = start("")
    (tmp_path / "cover.png").write_bytes(picture())
    text, answers = run(line, to, ["sh", "-e", "-c", snippet("sh")], tmp_path), []
    while text:
        answer, end = json.JSONDecoder().raw_decode(text)
        answers.append(answer["data"])
        text = text[end:]
    workflows, file, task, usage = answers
    assert [workflow["id"] for workflow in workflows["data"]] == ["music-video", "ecommerce-video"]
    assert (file["mime_type"], file["object"]) == ("image/png", "file")
    assert (task["object"], task["workflow"], task["status"]) == ("task", "music-video", "queued")
    assert usage["object"] == "usage"


@pytest.mark.parametrize("contract", ["launch", "current"])
@pytest.mark.parametrize("to", ["sandbox", "relay"])
def test_the_standard_library(start: Start, to: str, contract: str, tmp_path: Path) -> None:
    line = start("", sandbox={"contract": contract})
    task_id, status, url = run(line, to, [sys.executable, "-c", snippet("python")], tmp_path).split()
    assert (status, url.startswith(line.sandbox_url)) == ("succeeded", True)
    assert task_id.startswith("task_")
    assert [charge["operation"] for charge in line.ledger()["charges"]] == ["create"]


@pytest.mark.parametrize("to", ["sandbox", "relay"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_client_made_from_a_document(start: Start, name: str, to: str) -> None:
    line = start("", sandbox={"contract": "launch"})
    url = line.sandbox_url if to == "sandbox" else line.url
    with closing(DocumentClient(DOCUMENTS[name], url, KEY)) as client:
        _to_the_end(client)


def _to_the_end(client: Any) -> None:
    created = client.createMusicVideoTask({**REQUESTS["createMusicVideoTask"], "compose_mode": "manual"})
    task_id = created["id"]
    wait_for(lambda: client.getTask(task_id=task_id)["status"] == "storyboard_ready", "the storyboard")
    shots = [shot["id"] for shot in client.getTask(task_id=task_id)["storyboard"]["shots"]]
    assert client.getMusicVideoShotMedia(task_id=task_id, shot_id=shots[0])["shot_id"] == shots[0]
    client.editMusicVideoShot({"prompt": "Rain"}, task_id=task_id, shot_id=shots[0])
    wait_for(lambda: client.getTask(task_id=task_id)["status"] == "requires_action", "the edit")
    client.composeMusicVideoTask({"shot_ids": shots}, task_id=task_id)
    wait_for(lambda: client.getTask(task_id=task_id)["status"] == "succeeded", "the composed video")

    assert client.createEcommerceVideoTask(REQUESTS["createEcommerceVideoTask"])["workflow"] == "ecommerce-video"
    assert client.getUsage()["object"] == "usage"
    assert client.listWorkflows()["object"] == "list"
    assert client.getTask(task_id="task_unknown")["code"] == "not_found"
    session = client.createRealtimeSession(REQUESTS["createRealtimeSession"], Idempotency_Key="r-1")
    assert client.getRealtimeSession(session_id=session["id"])["status"] == "ready"
    assert client.closeRealtimeSession(session_id=session["id"])["status"] == "closed"
