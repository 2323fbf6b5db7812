"""Connections over the API and the command line of a running relay, and secrets that must turn up nowhere."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.log import TextFormatter
from tests.integration.conftest import KEY, Line
from tests.servers import running

Start = Callable[..., Line]
CANARY = "whsec_" + "Q2FuYXJ5" * 4  # "Canary" in base64, a valid signing secret
TELL = """\
name: Tell
on: task.succeeded
steps:
  tell: { use: http, connection: late, with: { body: { id: "{{ event.id }}" } } }
"""


class Echo:
    """A receiver that throws everything it got back at the sender, each delivery first as an error."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = 200 if headers["webhook-id"] in self.known else 500
        self.known.add(headers["webhook-id"])
        body = json.dumps({"you sent": headers, "path": scope["path"], "secret": CANARY}).encode()
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What the relay writes to its log, as it writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    logging.getLogger("beatrelay").addHandler(handler)
    try:
        yield stream
    finally:
        logging.getLogger("beatrelay").removeHandler(handler)


def command(line: Line, *words: str, answer: str = "", **environ: str) -> Result:
    known = {"BEATAPI_API_KEY": KEY, "BEATAPI_BASE_URL": line.sandbox_url, **environ}
    return CliRunner().invoke(main, ["connections", "--url", line.url, *words], input=answer, env=known)


def test_no_secret_turns_up_anywhere_though_the_receiver_throws_it_back(start: Start) -> None:
    with running(Echo()) as url, logged() as log:
        line = start(TELL, allow_private=[url.removeprefix("http://")])
        task = line.create()
        waited = line.until(task, "delivery.failed")[0]
        assert "beatrelay connections add late http" in waited["error"]
        settings = {"url": f"{url}/hooks/canary-in-the-path", "secret": CANARY}
        answers = [line.client.put("/relay/v1/connections/late", json={"connector": "http", "settings": settings})]
        assert answers[0].status_code == 200, answers[0].text
        second = line.create()
        line.until(second, "delivery.failed")
        answers += [
            line.client.get("/relay/v1/connections"),
            line.client.get("/relay/v1/connections/late"),
            line.client.post("/relay/v1/connections/late/test"),
            line.client.get(f"/relay/v1/tasks/{second}"),
        ]
        refused = {"connector": "http", "settings": {**settings, "scret": CANARY}}
        answers.append(line.client.put("/relay/v1/connections/late", json=refused))
        assert answers[-1].status_code == 400
        logging.getLogger("beatrelay").warning("a careless line with %s", CANARY)
        for answer in answers:
            assert "anary" not in answer.text.replace("a careless", "")
            assert CANARY not in answer.text
    files = [*line.data.glob("data/journal.db*")]
    assert files
    for file in files:
        assert CANARY.encode() not in file.read_bytes(), file
        assert b"canary-in-the-path" not in file.read_bytes(), file
    assert "a careless line with …" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_a_connection_by_command_from_birth_to_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    line = start("")
    refused = command(line, "add", "shop", "http", f"secret={CANARY}")
    assert refused.exit_code == 2
    assert "is a secret, and a command line can be seen by others" in refused.output
    assert CANARY not in refused.output

    added = command(line, "add", "shop", "http", "url=?", "secret=env:SHOP", answer=f"{line.url}/x\n", SHOP=CANARY)
    assert "shop is stored" in added.output, added.output
    listed = command(line, "list")
    assert "shop  http  stored  secret=… url=http://127.0.0.1/…" in listed.output
    assert "file" in listed.output, "those of the settings are listed too"
    assert CANARY not in listed.output

    assert "is changed" in command(line, "set", "shop", "secret=-", answer=CANARY).output
    tried = command(line, "test", "shop")
    assert tried.output, "it says something either way"
    assert "is removed" in command(line, "remove", "shop", "--yes").output
    gone = command(line, "remove", "shop", "--yes")
    assert gone.exit_code == 1
    assert "there is no connection 'shop'" in gone.output


def test_the_files_own_cannot_be_changed_over_the_api(start: Start) -> None:
    line = start("")
    answer = line.client.put("/relay/v1/connections/hook", json={"connector": "http", "settings": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert line.client.delete("/relay/v1/connections/hook").status_code == 409
    assert line.client.get("/relay/v1/connections/nothing").status_code == 404
    assert line.client.request("GET", "/relay/v1/connections", headers={"authorization": ""}).status_code == 401
