"""A storyboard decided on by a button in Slack: asked by the shipped recipe, signed as Slack signs, done once."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier

from tests.fakes.slack import FakeSlack
from tests.integration.conftest import REQUEST, Line, wait_for
from tests.servers import running

Start = Callable[..., Line]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
RECIPE = Path("recipes/gallery/slack-approve-storyboard.yaml").read_text(encoding="utf-8")


class Workspace:
    """A Slack, a relay that asks there, and somebody who clicks."""

    def __init__(self, line: Line, slack: FakeSlack, url: str) -> None:
        self.line, self.slack, self.url = line, slack, url
        row = json.dumps({"title": "A <B> & C"})
        answer = line.client.post(
            "/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual"}, headers={"x-beatrelay-row": row}
        )
        self.task: str = answer.json()["data"]["id"]
        wait_for(lambda: slack.messages, "the question")
        self.message = slack.messages[0]

    def payload(self, user: str = "U0ADA", name: str = "ada", action: int = 0, **more: Any) -> dict[str, Any]:
        """What Slack sends when somebody clicks a button of the message."""
        button = self.message["blocks"][1]["elements"][action]
        clicked = {"type": "button", "action_id": button["action_id"], "value": button.get("value", "")}
        return {
            "type": "block_actions",
            "user": {"id": user, "username": name, "name": name, "team_id": "T1"},
            "team": {"id": "T1", "domain": "beat"},
            "channel": {"id": "C0RELEASES"},
            "message": {"ts": self.message["ts"], "text": self.message["text"], "blocks": self.message["blocks"]},
            "actions": [clicked | {"block_id": "b1", "action_ts": "1.1"}],
            "response_url": f"{self.url}/actions/T1/1/x",
            **more,
        }

    def send(
        self, payload: Any, secret: str = SECRET, at: float | None = None, body: bytes | None = None
    ) -> httpx.Response:
        raw = urlencode({"payload": json.dumps(payload)}).encode() if body is None else body
        timestamp = str(int(time.time() if at is None else at))
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=raw) or ""
        headers = {"x-slack-request-timestamp": timestamp, "x-slack-signature": signature}
        headers["content-type"] = "application/x-www-form-urlencoded"
        url = f"{self.line.url}/relay/v1/slack/interactions"
        return httpx.post(url, content=raw, headers=headers, trust_env=False)

    def charges(self) -> list[str]:
        return [charge["operation"] for charge in self.line.ledger()["charges"]]

    def told(self, count: int = 1) -> dict[str, Any]:
        wait_for(lambda: len(self.slack.responses) >= count, f"{count} answers in Slack")
        return self.slack.responses[-1]


@pytest.fixture
def workspace(start: Start) -> Iterator[Callable[..., Workspace]]:
    fake = FakeSlack()
    with running(fake) as url:

        def opened(**connection: str) -> Workspace:
            known = {"token": "xoxb-test", "channel": "C0RELEASES", "api_url": f"{url}/api", "signing_secret": SECRET}
            others = {"hook": {"url": "https://example.com/x"}}
            line = start(
                RECIPE,
                allow_private=[url.removeprefix("http://")],
                connections={"team-slack": known | connection, **others},
            )
            return Workspace(line, fake, url)

        yield opened


Open = Callable[..., Workspace]


def test_a_click_composes_once_and_the_message_says_who(workspace: Open) -> None:
    slack = workspace()
    assert "A &lt;B&gt; &amp; C" in slack.message["text"]
    shots = [shot["id"] for shot in slack.line.task(slack.task)["storyboard"]["shots"]]
    assert slack.send(slack.payload(action=1)).status_code == 200, "a button that is only a link"
    assert slack.charges() == ["create"]
    slack.line.faults(slow=0.2)
    click = slack.payload()
    started = time.monotonic()
    answers = [slack.send(click) for _ in range(3)]
    assert time.monotonic() - started < 3.0 * len(answers)
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 3
    slack.line.faults()
    slack.line.until(slack.task, "task.finished", 2)
    assert slack.charges() == ["create", "compose"]
    slack.told(3)
    first = slack.slack.responses[0]
    assert first["replace_original"] is True
    assert [block["type"] for block in first["blocks"]] == ["section", "context"], "the buttons are gone"
    assert "<@U0ADA> decided so" in first["blocks"][1]["elements"][0]["text"]
    assert slack.line.moments(slack.task, "operation.accepted")[0]["by"] == "ada (Slack user U0ADA)"
    assert slack.line.moments(slack.task, "operation.accepted")[0]["request"] == {"shot_ids": shots}
    slack.send(slack.payload("U0BOB", "bob"))
    assert "the video was composed since" in slack.told(4)["text"], "the second comes too late, and is told so"


def test_only_approvers_count_where_there_are_some(workspace: Open) -> None:
    slack = workspace(approvers="U0ADA, U0EVE")
    assert slack.send(slack.payload("U0BOB", "bob")).status_code == 200
    told = slack.told()
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    assert "not among those" in told["text"]
    assert slack.charges() == ["create"]
    slack.send(slack.payload("U0EVE", "<!channel>"))
    slack.line.until(slack.task, "task.finished", 2)
    assert "<!channel>" not in json.dumps(slack.told(2)["blocks"])
    assert slack.charges() == ["create", "compose"]


def test_what_slack_did_not_sign_does_nothing(workspace: Open) -> None:
    slack = workspace()
    click = slack.payload()
    for answer in (
        slack.send(click, secret="another"),
        slack.send(click, at=time.time() - 301),
        slack.send(click, at=time.time() + 400),
        httpx.post(f"{slack.line.url}/relay/v1/slack/interactions", data={"payload": "{}"}, trust_env=False),
    ):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_signature"
    for body in (b"", b"payload=", b"payload=%7B", b"other=1", b"payload=[]"):
        assert slack.send(None, body=body).status_code == 400, "signed, but no interaction"
    assert slack.send(None, body=b"x" * 300_000).status_code == 413
    assert slack.charges() == ["create"]
    assert slack.slack.responses == []


def test_a_value_that_was_tampered_with_opens_nothing(workspace: Open) -> None:
    slack = workspace()
    click = slack.payload()
    click["actions"][0]["value"] += "A"
    assert slack.send(click).status_code == 200
    assert "not one of ours" in slack.told()["text"]
    assert slack.send(slack.payload(response_url="https://evil.example/x")).status_code == 200
    slack.line.until(slack.task, "task.finished", 2)
    assert len(slack.slack.responses) == 1, "an answer goes to Slack only"
    assert slack.send({**slack.payload(), "type": "view_submission"}).status_code == 200


def test_a_message_that_cannot_be_changed_at_once_is_changed_later(workspace: Open) -> None:
    slack = workspace()
    slack.slack.faults["actions"] = ["500", "lost"]
    slack.send(slack.payload())
    assert "decided so" in slack.told()["text"]


def test_without_a_signing_secret_buttons_do_nothing(workspace: Open) -> None:
    slack = workspace(signing_secret="")
    assert slack.send(slack.payload(), secret="x").status_code == 401
    assert slack.charges() == ["create"]
